"""The rules of steps: what fields go together. Source: https://tekton.dev/docs/pipelines/tasks/#defining-steps"""

from __future__ import annotations

import posixpath
import re

from catalog.engine import durations, references
from catalog.engine.documents import FieldPath
from catalog.engine.validation import names, when
from catalog.engine.validation.declarations import check_results
from catalog.engine.validation.parts import Part, Sheet, duplicates, texts_below

_WITH_REF = ("image", "command", "args", "script", "workingDir", "env", "volumeMounts", "results")
_ARTIFACTS = re.compile(r"\$\((?:(?:step\.)?artifacts\.path|(?:steps|tasks)\.[^.)]+\.(?:inputs|outputs)\.[^.)]+)\)")


def check_steps(sheet: Sheet, spec: Part) -> None:
    """All steps of a TaskSpec, together with what its stepTemplate gives them."""
    steps = spec.parts("steps")
    if not steps:
        sheet.error("missing-field", spec.at("steps"), "a task needs at least one step", "add 'steps'")
    for again, first in duplicates(steps):
        remedy = f"also at line {sheet.document.position(first.at('name')).line}"
        sheet.error("duplicate-name", again.at("name"), f"two steps are called {again.text('name')!r}", remedy)
    template = spec.part("stepTemplate")
    for step in steps:
        check_step(sheet, step, template)


def check_step(sheet: Sheet, step: Part, template: Part) -> None:
    if "name" in step and step.text("name"):
        names.check_label(sheet, step.at("name"), step.text("name"), "a step")
    if "ref" in step:
        _check_with_ref(sheet, step)
    else:
        _check_own(sheet, step, template)
    _check_on_error(sheet, step)
    _check_timeout(sheet, step)
    check_mounts(sheet, step)
    check_results(sheet, step.parts("results"), of_step=True)
    when.check(sheet, step.parts("when"))
    _check_step_results(sheet, step)
    _check_alpha(sheet, step)


def _check_with_ref(sheet: Sheet, step: Part) -> None:
    check_reference(sheet, step.part("ref"))
    for field in _WITH_REF:
        if step.body.get(field):
            message = f"{field!r} cannot be set on a step that takes a StepAction by 'ref'"
            sheet.error("step", step.at(field), message, "set it in the StepAction, or pass it by 'params'")


def _check_own(sheet: Sheet, step: Part, template: Part) -> None:
    if step.parts("params"):
        message = "a step takes 'params' only together with 'ref'"
        sheet.error("step", step.at("params"), message, "use the task's params")
    if not (step.text("image") or template.text("image")):
        sheet.error("missing-field", step.at("image"), "the step has no image", "add 'image'")
    if step.text("script") and (step.texts("command") or template.texts("command")):
        origin = "" if step.texts("command") else " from the stepTemplate"
        message = f"a step has either 'script' or 'command'{origin}, not both"
        sheet.error("script-and-command", step.at("script"), message, "remove one")


def check_reference(sheet: Sheet, ref: Part) -> None:
    """A taskRef, pipelineRef or a step's ref: by name, or by a resolver with params."""
    name, resolver = ref.text("name"), ref.text("resolver")
    if refused_as_cluster_task(sheet, ref):
        return
    if "params" in ref:
        if name:
            message = "a reference has either 'name' or 'resolver' with 'params', not both"
            sheet.error("reference", ref.at("name"), message, "remove one")
        if not resolver:
            sheet.error("reference", ref.at("resolver"), "'params' need a 'resolver'", "add it, such as 'bundles'")
        for again, _ in duplicates(ref.parts("params"), fold=True):
            message = f"the param {again.text('name')!r} is given twice"
            sheet.error("duplicate-name", again.at("name"), message, "remove one")
    elif not name and not resolver:
        sheet.error("reference", ref.at("name"), "the reference has neither 'name' nor 'resolver'", "add 'name'")
    if name and re.search(r"[\w-]+://", name):
        message = f"{name!r} as a name is an alpha feature that clusters switch off by default"
        sheet.error("feature", ref.at("name"), message, "use 'resolver' with 'params'")
    elif name and resolver:
        if "params" not in ref:
            message = "a reference has either 'name' or 'resolver' with 'params', not both"
            sheet.error("reference", ref.at("name"), message, "remove one")
    elif name and not names.is_reference(name):
        sheet.error("invalid-name", ref.at("name"), f"{name!r} is no name to refer to", "check its spelling")


def refused_as_cluster_task(sheet: Sheet, ref: Part) -> bool:
    if ref.text("kind") != "ClusterTask":
        return False
    remedy = "refer to the Task by the resolver 'cluster', or install it beside and write 'kind: Task'"
    sheet.error("reference", ref.at("kind"), "Tekton 1.0 dropped ClusterTasks", remedy)
    return True


def _check_on_error(sheet: Sheet, step: Part) -> None:
    value = step.text("onError")
    if value and value not in {"continue", "stopAndFail"} and not value.startswith("$(params"):
        message = f"{value!r} is no way to treat an error"
        sheet.error("on-error", step.at("onError"), message, "'continue' or 'stopAndFail'")


def _check_timeout(sheet: Sheet, step: Part) -> None:
    limit = durations.seconds(step.text("timeout"))
    if limit is not None and limit < 0:
        sheet.error("timeout", step.at("timeout"), "a timeout cannot be negative", "give a time such as '90s'")


def check_mounts(sheet: Sheet, step: Part) -> None:
    """Tekton keeps /tekton for itself, /tekton/home aside."""
    for mount in step.parts("volumeMounts"):
        path = posixpath.normpath(mount.text("mountPath") or "/")
        if path.startswith("/tekton/") and not path.startswith("/tekton/home"):
            message = f"nothing can be mounted at {path}: Tekton keeps /tekton for itself"
            sheet.error("volume", mount.at("mountPath"), message, "mount it elsewhere")
        if mount.text("name").startswith("tekton-internal-"):
            message = "names that begin with 'tekton-internal-' are Tekton's own"
            sheet.error("volume", mount.at("name"), message, "choose another name")


def _check_step_results(sheet: Sheet, step: Part) -> None:
    """``$(steps.x.results.y)`` is filled in while the pod runs, so only where the entry point sees it."""
    for where, text in _fields_without_step_results(step):
        for reference in references.find(text):
            if reference.root == "steps" and len(reference.path) > 3 and reference.path[2] == "results":
                message = f"{reference.text!r} works only in 'command', 'args' and 'env'"
                sheet.error("result-reference", where, message, "pass it by 'env'", reference.start)
    own = {result.text("name") for result in step.parts("results")}
    for where, text in step.all_texts(without=("results",)):
        for reference in references.find(text):
            if reference.path[:2] == ("step", "results") and reference.path[2:3] and reference.path[2] not in own:
                message = f"{reference.text!r}: the step declares no result {reference.path[2]!r}"
                # Tekton looks at scripts of steps that declare any result.
                level = sheet.error if "results" in step and where[-1] == "script" else sheet.warning
                level("undeclared-result", where, message, "declare it in the step's 'results'", reference.start)


def _fields_without_step_results(step: Part) -> list[tuple[FieldPath, str]]:
    fields = ("name", "image", "script", "imagePullPolicy", "workingDir", "envFrom", "volumeMounts", "volumeDevices")
    return [found for field in fields for found in texts_below(step.body.get(field), step.at(field))]


def _check_alpha(sheet: Sheet, step: Part) -> None:
    remedy = "redirect inside the command"
    for field in ("stdoutConfig", "stderrConfig"):
        if field in step:
            message = f"{field!r} is an alpha feature that clusters switch off by default"
            sheet.error("feature", step.at(field), message, remedy)
    if step.text("script").strip().startswith("#!win"):
        message = "Windows scripts are an alpha feature that clusters switch off by default"
        sheet.error("feature", step.at("script"), message)
    for field in ("script", "command", "args", "env"):
        for where, text in texts_below(step.body.get(field), step.at(field)):
            if match := _ARTIFACTS.search(text):
                message = "artifacts are an alpha feature that clusters switch off by default"
                sheet.error("feature", where, message, "use results and workspaces", match.start())
