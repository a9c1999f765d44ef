"""What one document asks of another: params and workspaces of a referenced Task or Pipeline, results of its tasks.

Tekton finds these only when the run starts. What it lets pass there (params that nobody declares) is a warning.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from catalog.engine import references
from catalog.engine.documents import Document, Documents, FieldPath
from catalog.engine.findings import Level
from catalog.engine.validation import graph
from catalog.engine.validation.declarations import Declared, declared, scope_of, type_of, unknown
from catalog.engine.validation.parts import Part, Sheet
from catalog.engine.validation.pipelines import is_custom


@dataclass(frozen=True, slots=True)
class Callee:
    """What is run: its spec, how messages call it, and whether it stands in the same document."""

    spec: Part
    title: str
    inline: bool


@dataclass(frozen=True, slots=True)
class Known:
    """Where referenced documents are looked for: among the given ones, then in the catalog."""

    given: Documents
    catalog: Documents

    def find(self, kind: str, name: str, sheet: Sheet, caller: Part) -> Document | None:
        """Of several versions the one that the call fits best, since a cluster may have any of them."""
        near = sheet.document.path
        found = self.given.candidates(kind, name, near) or self.catalog.candidates(kind, name, near)
        return min(found, key=lambda one: _misfits(caller, _spec(one)), default=None)

    def names(self, kind: str) -> list[str]:
        return sorted({*self.given.names(kind), *self.catalog.names(kind)})


def check_task_run(sheet: Sheet, spec: Part, known: Known) -> None:
    callee = _callee(sheet, spec, "Task", known)
    if callee is None:
        return
    _check_params(sheet, spec, callee, strict=False)
    _check_bindings(sheet, spec, callee, names_only=callee.inline)
    _check_overrides(sheet, spec, callee)


def check_pipeline_run(sheet: Sheet, spec: Part, known: Known) -> None:
    callee = _callee(sheet, spec, "Pipeline", known)
    if callee is None:
        return
    _check_params(sheet, spec, callee, strict=True)
    _check_bindings(sheet, spec, callee, names_only=True)
    tasks = {task.text("name") for task in (*callee.spec.parts("tasks"), *callee.spec.parts("finally"))}
    for override in spec.parts("taskRunSpecs"):
        name = override.text("pipelineTaskName")
        if name not in tasks:
            message = f"{callee.title} has no task {name!r}"
            sheet.error("unknown-task", override.at("pipelineTaskName"), message, unknown(name, tasks))
    if callee.inline:
        check_pipeline(sheet, callee.spec, known, _run_workspaces(spec))
    else:
        _check_bound_in_tasks(sheet, spec, callee, known)


def _run_workspaces(spec: Part) -> set[str]:
    return {binding.text("name") for binding in spec.parts("workspaces")}


def check_pipeline(sheet: Sheet, spec: Part, known: Known, bound: set[str] | None = None) -> None:
    """Each task's call within a pipeline; ``bound`` are the run's workspaces where the pipeline is inline in it."""
    tasks = [*spec.parts("tasks"), *spec.parts("finally")]
    callees = {task.text("name"): None if _runs_custom(task) else _callee(sheet, task, "Task", known) for task in tasks}
    scope = scope_of(spec.parts("params"))
    for task in tasks:
        callee = callees[task.text("name")]
        if callee is None:
            continue
        _check_params(sheet, task, callee, strict=False)
        if not callee.inline:
            _check_types_passed(sheet, task, callee, scope, callees)
        _check_pipeline_bindings(sheet, spec, task, callee, bound)
    for use in (found for task in tasks for found in graph.results_used(task)):
        _check_result(sheet, use, callees)
    for result in spec.parts("results"):
        for use in graph.results_in(Part({"value": result.body.get("value")}, result.path).all_texts()):
            _check_result(sheet, use, callees)


def _runs_custom(task: Part) -> bool:
    return any(is_custom(task.part(key), key) for key in ("taskRef", "taskSpec"))


def _callee(sheet: Sheet, holder: Part, kind: str, known: Known) -> Callee | None:
    """The Task or Pipeline that a run or pipeline task names or holds; None where nothing can be said about it."""
    inline, ref = ("taskSpec", "taskRef") if kind == "Task" else ("pipelineSpec", "pipelineRef")
    if inline in holder and ref not in holder:
        return Callee(holder.part(inline), f"the inline {kind}", inline=True)
    reference = holder.part(ref)
    by_resolver = bool(reference.text("resolver"))
    name = _resolved_name(reference) if by_resolver else reference.text("name")
    if not name or "$(" in name or "://" in name:
        return None
    found = known.find(kind, name, sheet, holder)
    if found is None and by_resolver:
        return None
    if found is None:
        message = f"there is no {kind} {name!r} among the given files and the catalog"
        names = known.names(kind)
        remedy = unknown(name, names) if names else f"give the file of the {kind}, too"
        sheet.error("unknown-reference", reference.at("name"), message, remedy)
        return None
    return Callee(_spec(found), found.title, inline=False)


def _resolved_name(reference: Part) -> str:
    """What a resolver is asked for: where this catalog has one of that name, its params are known."""
    asked = [param.text("value") for param in reference.parts("params") if param.text("name") == "name"]
    return asked[0] if asked else ""


def _misfits(caller: Part, spec: Part) -> int:
    """How many params and workspaces of a call are not declared, or declared as required and not given."""
    count = 0
    for kind in ("params", "workspaces"):
        given = {one.text("name") for one in caller.parts(kind)}
        if kind == "params":
            given |= {one.text("name") for one in graph.matrix_params(caller)}
        declarations = spec.parts(kind)
        required = {one.text("name") for one in declarations if not {"default", "optional"} & one.body.keys()}
        count += len(given - {one.text("name") for one in declarations}) + len(required - given)
    return count


def _spec(document: Document) -> Part:
    return Part(document.body, ()).part("spec")


def _check_params(sheet: Sheet, caller: Part, callee: Callee, *, strict: bool) -> None:
    """Missing, wrongly typed and unknown params. ``strict``: no variable can still change a value's type."""
    specs = {spec.text("name"): declared(spec) for spec in callee.spec.parts("params")}
    params = {param.text("name"): param for param in caller.parts("params")}
    through_matrix = {param.text("name"): param for param in graph.matrix_params(caller)}
    for name, wanted in specs.items():
        if name in params:
            _check_param(sheet, params[name], wanted, callee, strict=strict)
        elif wanted.required and name and name not in through_matrix:
            message = f"the param {name!r} of {callee.title} has no default and is not given"
            near = _near_miss(name, set(params) - set(specs))
            where = caller.at("params") if "params" in caller else caller.path
            sheet.error("missing-param", where, message, near or f"add '- name: {name}' with its value")
        if name in through_matrix and wanted.type != "string":
            message = f"{callee.title} wants {name!r} as {_a(wanted.type)}, but a matrix gives single texts"
            sheet.error("param-type", through_matrix[name].at("name"), message, "let the Task take one text")
    for name, param in params.items():
        if name and name not in specs and not callee.inline:
            message = f"{callee.title} has no param {name!r}"
            sheet.warning("extra-param", param.at("name"), message, unknown(name, specs))


def _near_miss(name: str, extra: Iterable[str]) -> str:
    """A param that is given, but not declared, and was probably meant."""
    remedy = unknown(name, extra)
    return remedy.replace("did you mean", "is it meant by") if remedy.startswith("did you mean") else ""


def _check_param(sheet: Sheet, param: Part, wanted: Declared, callee: Callee, *, strict: bool) -> None:
    value = param.body.get("value")
    kind = type_of(value)
    if kind != wanted.type:
        is_variable = isinstance(value, str) and bool(references.find(value))
        if strict or not is_variable:
            message = f"{callee.title} wants {wanted.name!r} as {_a(wanted.type)}, but it is {_a(kind)}"
            sheet.error("param-type", param.at("value"), message, _how_to_write(wanted))
    elif isinstance(value, dict):
        defaults = wanted.default if isinstance(wanted.default, dict) and not strict else {}
        if missing := sorted(wanted.keys - value.keys() - defaults.keys()):
            message = f"the object {wanted.name!r} lacks {', '.join(map(repr, missing))}"
            partial = isinstance(wanted.default, dict) and wanted.keys <= value.keys() | wanted.default.keys()
            level = Level.WARNING if strict and partial else Level.ERROR
            remedy = "a run's object is not filled up from the default: add them" if partial else "add them"
            sheet.add(level, "missing-key", param.at("value"), message, remedy)


def _how_to_write(wanted: Declared) -> str:
    if wanted.type == "array":
        return "write it as a list"
    return "write it as a mapping" if wanted.type == "object" else "write one text"


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'ao' else 'a'} {kind}"


def _check_types_passed(
    sheet: Sheet, task: Part, callee: Callee, scope: dict[str, Declared], callees: dict[str, Callee | None]
) -> None:
    """A value that is one variable has the type of what it names, and the Task must want that type."""
    specs = {spec.text("name"): declared(spec) for spec in callee.spec.parts("params")}
    for param in task.parts("params"):
        wanted, value = specs.get(param.text("name")), param.body.get("value")
        whole = references.whole(value) if isinstance(value, str) else None
        if wanted is None or whole is None:
            continue
        kind = _type_named(whole, scope, callees)
        if kind and kind != wanted.type:
            message = f"{value!r} is {_a(kind)}, but {callee.title} wants {wanted.name!r} as {_a(wanted.type)}"
            sheet.error("param-type", param.at("value"), message, _remedy_for_type(kind, wanted.type))


def _remedy_for_type(kind: str, wanted: str) -> str:
    if kind == "string":
        return "write it as a list with this entry" if wanted == "array" else "write it as a mapping"
    return "pick one entry with [0]" if kind == "array" else "pick one of its keys"


def _type_named(
    reference: references.Reference, scope: dict[str, Declared], callees: dict[str, Callee | None]
) -> str | None:
    """The type of what a variable names; None where it is not known."""
    if reference.root == "params" and (param := scope.get(reference.path[1])):
        if reference.index == "*":
            return param.type if param.type != "string" else None
        return "string" if param.type == "string" or len(reference.path) > 2 or reference.index is not None else None
    if graph.takes_result(reference) and (found := callees.get(reference.path[1])):
        results = scope_of(found.spec.parts("results"))
        if (result := results.get(reference.path[3])) and not (result.type == "string" and reference.index == "*"):
            picked = len(reference.path) > 4 or isinstance(reference.index, int)
            return "string" if picked else result.type
    return None


def _check_result(sheet: Sheet, use: graph.ResultUse, callees: dict[str, Callee | None]) -> None:
    callee = callees.get(use.task)
    if callee is None:
        return
    results = scope_of(callee.spec.parts("results"))
    result = results.get(use.result)
    if result is None:
        message = f"{use.reference.text!r}: {callee.title} has no result {use.result!r}"
        # Tekton accepts it; the run fails when the result is asked for.
        level = Level.WARNING if callee.inline else Level.ERROR
        remedy = unknown(use.result, results) if results else "declare it in its 'results'"
        sheet.add(level, "undeclared-result", use.where, message, remedy, use.reference.start)
    elif use.key and (result.type != "object" or use.key not in result.keys):
        message = f"{use.reference.text!r}: the result {use.result!r} has no key {use.key!r}"
        sheet.warning("unknown-key", use.where, message, unknown(use.key, result.keys), use.reference.start)
    elif isinstance(use.reference.index, int) and result.type != "array":
        message = f"{use.reference.text!r}: the result {use.result!r} is {_a(result.type)}, not an array"
        sheet.warning("result-type", use.where, message, "leave out the index", use.reference.start)


def _check_bindings(sheet: Sheet, spec: Part, callee: Callee, *, names_only: bool) -> None:
    """A run's workspaces against what is declared; ``names_only``: others may be bound, too."""
    wanted = {workspace.text("name"): workspace for workspace in callee.spec.parts("workspaces")}
    bound = {binding.text("name"): binding for binding in spec.parts("workspaces")}
    for name, workspace in wanted.items():
        if name and name not in bound and not workspace.flag("optional"):
            message = f"the workspace {name!r} of {callee.title} is not bound"
            where = spec.at("workspaces") if "workspaces" in spec else spec.path
            sheet.error("missing-workspace", where, message, f"add '- name: {name}' with a volume")
    for name, binding in bound.items():
        if name and name not in wanted:
            message = f"{callee.title} has no workspace {name!r}"
            level = Level.WARNING if names_only else Level.ERROR
            if not (names_only and callee.inline):
                sheet.add(level, "extra-workspace", binding.at("name"), message, unknown(name, wanted))


def _check_pipeline_bindings(sheet: Sheet, spec: Part, task: Part, callee: Callee, bound: set[str] | None) -> None:
    """The workspaces that a pipeline hands to one of its tasks."""
    wanted = {workspace.text("name"): workspace for workspace in callee.spec.parts("workspaces")}
    handed = {binding.text("name"): binding for binding in task.parts("workspaces")}
    optional = {one.text("name") for one in spec.parts("workspaces") if one.flag("optional")}
    declared_here = {one.text("name") for one in spec.parts("workspaces")}
    for name, workspace in wanted.items():
        if not name or workspace.flag("optional"):
            continue
        if name in handed:
            source = handed[name].text("workspace")
            if source in optional:
                message = f"{callee.title} needs {name!r}, but the pipeline's {source!r} is optional"
                sheet.error("missing-workspace", handed[name].at("workspace"), message, "make both the same")
        elif not callee.inline:
            message = f"the workspace {name!r} of {callee.title} is not bound"
            where = task.at("workspaces") if "workspaces" in task else task.path
            sheet.error("missing-workspace", where, message, f"add '- name: {name}' with a 'workspace'")
        elif bound is not None and name not in bound | declared_here:
            # Inline specs get the run's workspaces by their names.
            message = f"the workspace {name!r} of {callee.title} is not bound"
            sheet.error("missing-workspace", task.path, message, "bind it in the run, or in the task")
    for name, binding in handed.items():
        if name and name not in wanted and not callee.inline:
            message = f"{callee.title} has no workspace {name!r}"
            sheet.error("extra-workspace", binding.at("name"), message, unknown(name, wanted))


def _check_bound_in_tasks(sheet: Sheet, spec: Part, callee: Callee, known: Known) -> None:
    """Workspaces that the Pipeline declares as optional, the run leaves out, and a Task cannot do without."""
    bound = _run_workspaces(spec)
    optional = {one.text("name") for one in callee.spec.parts("workspaces") if one.flag("optional")}
    for task in (*callee.spec.parts("tasks"), *callee.spec.parts("finally")):
        found = known.find("Task", task.part("taskRef").text("name"), sheet, task)
        if found is None:
            continue
        needed = {w.text("name") for w in _spec(found).parts("workspaces") if not w.flag("optional")}
        for binding in task.parts("workspaces"):
            source = binding.text("workspace") or binding.text("name")
            if binding.text("name") in needed and source in optional - bound:
                message = f"{found.title} needs the workspace {source!r}, which the run does not bind"
                where: FieldPath = spec.at("workspaces") if "workspaces" in spec else spec.path
                sheet.error("missing-workspace", where, message, f"add '- name: {source}' with a volume")


def _check_overrides(sheet: Sheet, spec: Part, callee: Callee) -> None:
    for key, listed in (("stepSpecs", "steps"), ("sidecarSpecs", "sidecars")):
        names = {one.text("name") for one in callee.spec.parts(listed)} - {""}
        for override in spec.parts(key):
            if (name := override.text("name")) and name not in names:
                message = f"{callee.title} has nothing called {name!r} among its {listed}"
                sheet.error("unknown-step", override.at("name"), message, unknown(name, names))


def check_names(sheets: Iterable[Sheet]) -> None:
    """Two documents of one kind and name in one file: the later one replaces the earlier one."""
    seen: dict[tuple[Path, str, str], Sheet] = {}
    for sheet in sheets:
        document = sheet.document
        if document.name:
            first = seen.setdefault((document.path, document.kind, document.name), sheet)
            if first is not sheet:
                other = first.document.position("metadata.name")
                message = f"{document.title} is in this file twice; the last one counts"
                sheet.warning("duplicate-name", ("metadata", "name"), message, f"also at line {other.line}")
