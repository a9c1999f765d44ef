"""The rules of a TaskSpec, in a Task of its own or inline. Source: https://tekton.dev/docs/pipelines/tasks/"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from catalog.engine import references
from catalog.engine.documents import FieldPath
from catalog.engine.findings import Level
from catalog.engine.validation import names, uses
from catalog.engine.validation.declarations import (
    Scope,
    check_params,
    check_results,
    scope_of,
    type_of,
    unknown,
)
from catalog.engine.validation.parts import Part, Sheet, duplicates, shortened, texts_below
from catalog.engine.validation.steps import check_steps
from catalog.engine.validation.uses import Place

Text = tuple[FieldPath, str, Place]

_STEP_RESULT = re.compile(r"\$\(steps\.(.*?)\.results\.(.*?)\)")


@dataclass(frozen=True, slots=True)
class Setting:
    """What surrounds a TaskSpec and can be used in it.

    ``refusing`` are the params that Tekton's webhook knows here: any other is an error. ``reaching`` are those that
    really arrive: any other stays in the text, which is a warning. None stands for the spec's own params.
    """

    refusing: Scope | None = None
    reaching: Scope | None = None
    workspaces: frozenset[str] = frozenset()
    volumes: frozenset[str] = frozenset()
    context: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: uses.TASK_CONTEXT)
    in_pipeline: bool = False


def check_task_spec(sheet: Sheet, spec: Part, setting: Setting) -> None:
    check_params(sheet, spec.parts("params"))
    check_results(sheet, spec.parts("results"))
    _check_result_values(sheet, spec)
    check_steps(sheet, spec)
    _check_sidecars(sheet, spec)
    _check_volumes(sheet, spec, setting)
    _check_workspaces(sheet, spec)
    _check_params_used(sheet, spec, setting)
    _check_other_variables(sheet, spec, setting)


def step_texts(step: Part) -> Iterator[Text]:
    """The fields of a step in which the webhook looks for variables."""
    for key in ("name", "image", "workingDir", "script", "onError"):
        if text := step.text(key):
            yield step.at(key), text, Place.FIELD
    for key in ("command", "args"):
        for where, text in step.texts(key):
            yield where, text, Place.ELEMENT
    for variable in step.parts("env"):
        yield variable.at("value"), variable.text("value"), Place.FIELD
    for mount in step.parts("volumeMounts"):
        for key in ("name", "mountPath", "subPath"):
            yield mount.at(key), mount.text(key), Place.FIELD


def _checked_texts(spec: Part) -> Iterator[Text]:
    """Those fields of all steps, and of the stepTemplate where any step takes them from it."""
    steps = spec.parts("steps")
    for step in steps:
        yield from step_texts(step)
    for where, text, place in step_texts(spec.part("stepTemplate")):
        key = str(where[len(spec.path) + 1])
        if key in {"env", "volumeMounts"} or any(key not in step and "ref" not in step for step in steps):
            yield where, text, place


def _overlooked_texts(spec: Part) -> Iterator[Text]:
    """All other texts of a TaskSpec that take variables, which nobody checks before they are used."""
    seen = {where for where, _, _ in _checked_texts(spec)}
    for step in spec.parts("steps"):
        for where, text in step.all_texts(without=("results", "displayName")):
            if where not in seen:
                yield where, text, Place.VALUE
    for key in ("stepTemplate", "sidecars", "volumes", "workspaces"):
        for where, text in texts_below(spec.body.get(key), spec.at(key)):
            if where[-1] != "description" and where not in seen:
                yield where, text, Place.VALUE
    for param in spec.parts("params"):
        for where, text in texts_below(param.body.get("default"), param.at("default")):
            yield where, text, Place.VALUE


def _check_params_used(sheet: Sheet, spec: Part, setting: Setting) -> None:
    own = scope_of(spec.parts("params"))
    arrays = {name: param for name, param in own.items() if param.type == "array"}
    refusing = own if setting.refusing is None else {**setting.refusing, **arrays}
    reaching = own if setting.reaching is None else setting.reaching
    for where, text, place in _checked_texts(spec):
        uses.check_params(sheet, where, text, place, refusing)
        uses.check_params(sheet, where, text, place, reaching, Level.WARNING)
    for where, text, place in _overlooked_texts(spec):
        uses.check_params(sheet, where, text, place, reaching, Level.WARNING)


def _check_other_variables(sheet: Sheet, spec: Part, setting: Setting) -> None:
    workspaces = {one.text("name") for one in spec.parts("workspaces")} | setting.workspaces
    results = {one.text("name") for one in spec.parts("results")}
    steps = {one.text("name") for one in spec.parts("steps")}
    checked = [(text, True) for text in _checked_texts(spec)]
    overlooked = [(text, False) for text in _overlooked_texts(spec)]
    for (where, text, _), is_checked in (*checked, *overlooked):
        if "$(" not in text:
            continue
        refusing = uses.TASK_CONTEXT if is_checked else ()
        uses.check_context(sheet, where, text, setting.context, refusing)
        uses.check_workspaces(sheet, where, text, workspaces)
        _check_results_used(sheet, where, text, results, steps, refused=is_checked and where[-1] == "script")
        if is_checked:
            _check_malformed(sheet, where, text)
        if not setting.in_pipeline:
            _check_no_tasks(sheet, where, text)


def _check_malformed(sheet: Sheet, where: FieldPath, text: str) -> None:
    refused = ("$(context.task.", "$(context.taskRun.", *(("$(results.",) if where[-1] == "script" else ()))
    for bad in references.malformed(text):
        if bad.text.startswith(refused) and bad.text.endswith(")"):
            message = f"{shortened(bad.text)!r} is no well-formed variable"
            remedy = "variables are filled in before the shell runs: write the name out"
            sheet.error("malformed-variable", where, message, remedy, bad.start)


def _check_results_used(
    sheet: Sheet, where: FieldPath, text: str, results: set[str], steps: set[str], *, refused: bool
) -> None:
    """``refused``: whether the webhook looks here, which it does in scripts, at names that are not in brackets."""
    for reference in references.find(text):
        name = reference.path[1]
        if reference.root == "results" and name not in results:
            message = f"{reference.text!r}: the result {name!r} is not declared"
            level = Level.ERROR if refused and "[" not in reference.text else Level.WARNING
            sheet.add(level, "undeclared-result", where, message, unknown(name, results), reference.start)
        elif reference.root == "results" and reference.path[2:] != ("path",):
            message = f"{reference.text!r} stays as it is: a result has only a path here"
            sheet.warning("undeclared-result", where, message, f"write $(results.{name}.path)", reference.start)
        elif reference.root == "steps" and reference.path[2:3] == ("results",) and name not in steps:
            message = f"{reference.text!r}: there is no step {name!r}"
            sheet.warning("result-reference", where, message, unknown(name, steps - {""}), reference.start)


def _check_no_tasks(sheet: Sheet, where: FieldPath, text: str) -> None:
    for reference in references.find(text):
        if reference.root in {"tasks", "finally"}:
            message = f"{reference.text!r} stays as it is: it exists only in a Pipeline"
            sheet.warning("result-reference", where, message, "pass the value by a param", reference.start)


def _check_result_values(sheet: Sheet, spec: Part) -> None:
    """``value`` of a result takes it from a step: ``$(steps.<step>.results.<result>)``."""
    for result in spec.parts("results"):
        if "value" not in result:
            continue
        value = result.body["value"]
        if type_of(value) != "string":
            message = "the value must be one text"
            sheet.error("result-type", result.at("value"), message, "write $(steps.<step>.results.<result>)")
        elif value:
            match = _STEP_RESULT.search(value)
            if not match or not names.is_label(match[1]) or not names.RESULT.fullmatch(match[2].removesuffix("[*]")):
                message = f"{value!r} takes no result of a step"
                sheet.error("result-reference", result.at("value"), message, "write $(steps.<step>.results.<result>)")


def _check_sidecars(sheet: Sheet, spec: Part) -> None:
    for sidecar in spec.parts("sidecars"):
        if sidecar.text("name") == "tekton-log-results":
            message = "Tekton keeps the name 'tekton-log-results' for itself"
            sheet.error("invalid-name", sidecar.at("name"), message, "choose another name")
        if not sidecar.text("image"):
            sheet.error("missing-field", sidecar.at("image"), "the sidecar has no image", "add 'image'")
        if sidecar.text("script") and sidecar.texts("command"):
            message = "a sidecar has either 'script' or 'command', not both"
            sheet.error("script-and-command", sidecar.at("script"), message, "remove one")


def _check_volumes(sheet: Sheet, spec: Part, setting: Setting) -> None:
    volumes = spec.parts("volumes")
    for again, _ in duplicates(volumes):
        message = f"two volumes are called {again.text('name')!r}"
        sheet.error("duplicate-name", again.at("name"), message, "rename one")
    known = {volume.text("name") for volume in volumes} | setting.volumes
    for holder in (spec.part("stepTemplate"), *spec.parts("steps"), *spec.parts("sidecars")):
        for mount in holder.parts("volumeMounts"):
            name = mount.text("name")
            if name and name not in known and "$(" not in name:
                # Accepted by Tekton: the volume may come from the run's pod template.
                message = f"the volume {name!r} is not declared here"
                sheet.warning("undeclared-volume", mount.at("name"), message, unknown(name, known))


def _check_workspaces(sheet: Sheet, spec: Part) -> None:
    declared = spec.parts("workspaces")
    for again, _ in duplicates(declared):
        message = f"the workspace {again.text('name')!r} is declared twice"
        sheet.error("duplicate-name", again.at("name"), message, "remove one")
    known = {workspace.text("name") for workspace in declared}
    for holder in (*spec.parts("steps"), *spec.parts("sidecars")):
        for usage in holder.parts("workspaces"):
            if usage.text("name") not in known:
                name = usage.text("name")
                message = f"the workspace {name!r} is not declared"
                sheet.error("undeclared-workspace", usage.at("name"), message, unknown(name, known))
    taken = _mount_paths(spec)
    for workspace in declared:
        path = posixpath.normpath(workspace.text("mountPath") or f"/workspace/{workspace.text('name')}")
        if path in taken:
            where = workspace.at("mountPath" if "mountPath" in workspace else "name")
            message = f"something else is mounted at {path} already: {taken[path]}"
            sheet.error("workspace-mount", where, message, "give one another mountPath")
        taken.setdefault(path, f"the workspace {workspace.text('name')!r}")


def _mount_paths(spec: Part) -> dict[str, str]:
    return {
        posixpath.normpath(mount.text("mountPath")): f"the volume {mount.text('name')!r}"
        for holder in (*spec.parts("steps"), spec.part("stepTemplate"))
        for mount in holder.parts("volumeMounts")
        if mount.text("mountPath")
    }
