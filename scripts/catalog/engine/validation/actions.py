"""The rules of a StepAction. Source: https://tekton.dev/docs/pipelines/stepactions/"""

from __future__ import annotations

import re

from catalog.engine import references
from catalog.engine.validation import uses
from catalog.engine.validation.declarations import check_params, check_results, scope_of
from catalog.engine.validation.parts import Part, Sheet
from catalog.engine.validation.tasks import step_texts

_PARAM = re.compile(r"\$\(params[.\[][^)]*\)")


def check_step_action(sheet: Sheet, spec: Part) -> None:
    check_params(sheet, spec.parts("params"))
    check_results(sheet, spec.parts("results"))
    if spec.text("script") and spec.texts("command"):
        message = "a StepAction has either 'script' or 'command', not both"
        sheet.error("script-and-command", spec.at("script"), message, "remove one")
    scope = scope_of(spec.parts("params"))
    for where, text, place in step_texts(spec):
        if where[-1] != "script":
            uses.check_params(sheet, where, text, place, scope)
    results = {result.text("name") for result in spec.parts("results")}
    for match in _PARAM.finditer(spec.text("script")):
        message = f"{match[0]!r}: scripts of StepActions take no params"
        sheet.error("step", spec.at("script"), message, "pass it by 'env'", match.start())
    for reference in references.find(spec.text("script")):
        name = reference.path[2] if reference.path[:2] == ("step", "results") and len(reference.path) > 2 else ""
        name = name or (reference.path[1] if reference.root == "results" else "")
        if name and name not in results:
            message = f"{reference.text!r}: the result {name!r} is not declared"
            sheet.error("undeclared-result", spec.at("script"), message, "declare it in 'results'", reference.start)
    for mount in spec.parts("volumeMounts"):
        whole = references.whole(mount.text("name"))
        if whole is None or whole.root != "params":
            message = "a StepAction mounts only volumes that a param names"
            sheet.error("volume", mount.at("name"), message, "write $(params.<name>)")
