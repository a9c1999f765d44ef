"""The rules of a PipelineSpec, in a Pipeline of its own or inline. Source: https://tekton.dev/docs/pipelines/pipelines/"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from catalog.engine import durations, references
from catalog.engine.documents import FieldPath
from catalog.engine.findings import Level
from catalog.engine.validation import graph, matrix, names, uses, when
from catalog.engine.validation.declarations import (
    Declared,
    Scope,
    check_param_name,
    check_params,
    given,
    own_scope,
    scope_of,
    unknown,
)
from catalog.engine.validation.parts import Part, Sheet, duplicates, shortened
from catalog.engine.validation.steps import check_reference, refused_as_cluster_task
from catalog.engine.validation.tasks import Setting, check_task_spec
from catalog.engine.validation.uses import Place

_ROOTS = {"params", "tasks", "finally", "context", "workspaces", "results"}
_ANY_VARIABLE = re.compile(r"\$\(([_a-zA-Z0-9.-]+)(?:\[(?:[0-9]+|\*)\])?\)", re.ASCII)
_CONTEXT = {**uses.TASK_CONTEXT, **uses.PIPELINE_CONTEXT}


@dataclass(frozen=True, slots=True)
class Around:
    """What surrounds a PipelineSpec: the params and workspaces of the PipelineRun that holds it, if one does."""

    inline: bool = False
    params: Mapping[str, Declared] = field(default_factory=dict)
    workspaces: frozenset[str] = frozenset()


def check_pipeline_spec(sheet: Sheet, spec: Part, around: Around) -> None:
    tasks, final = spec.parts("tasks"), spec.parts("finally")
    check_params(sheet, spec.parts("params"), Level.ERROR if _names_matter(spec, around) else Level.WARNING)
    _check_sections(sheet, spec, tasks, final)
    _check_workspaces_declared(sheet, spec)
    for again, _ in duplicates([*tasks, *final]):
        message = f"two tasks are called {again.text('name')!r}"
        sheet.error("duplicate-name", again.at("name"), message, "rename one")
    scope = own_scope(spec, around.params)
    refusing = _inline_scope(spec, around) if around.inline else scope
    workspaces = frozenset(one.text("name") for one in spec.parts("workspaces")) | around.workspaces
    if _names_matter(spec, around):
        for param in (param for task in tasks for param in task.parts("params")):
            check_param_name(sheet, param, given([param])[param.text("name")], Level.ERROR)
    for task in tasks:
        _check_task(sheet, task, workspaces)
        _check_params_used(sheet, task, refusing, scope, Level.ERROR)
        _check_inline_task(sheet, task, refusing if around.inline else _own(task, scope), scope, workspaces)
    for task in final:
        _check_task(sheet, task, workspaces)
        # The webhook does not look at 'finally' of inline pipelines.
        _check_params_used(sheet, task, scope, scope, Level.WARNING if around.inline else Level.ERROR)
        nobody = _everything_used(task.part("taskSpec"), scope)
        _check_inline_task(sheet, task, nobody if around.inline else _own(task, scope), scope, workspaces)
    graph.check(sheet, tasks, final)
    matrix.check(sheet, tasks)
    matrix.check(sheet, final)
    matrix.check_results(sheet, spec)
    _check_results(sheet, spec)


def _names_matter(spec: Part, around: Around) -> bool:
    """Whether the webhook looks at names of params: only of inline pipelines, and for the sake of inline tasks."""
    return around.inline and any(task.part("taskSpec").parts("steps") for task in spec.parts("tasks"))


def _inline_scope(spec: Part, around: Around) -> dict[str, Declared]:
    """Every param that is named anywhere: the webhook mixes them all for an inline pipeline."""
    mixed: dict[str, Declared] = dict(around.params)
    for name, param in scope_of(spec.parts("params")).items():
        mixed.setdefault(name, param)
    for task in spec.parts("tasks"):
        for params in (given(task.parts("params")), scope_of(task.part("taskSpec").parts("params"))):
            for name, param in params.items():
                first = mixed.setdefault(name, param)
                mixed[name] = replace(first, keys=first.keys | param.keys)
    return mixed


def _check_sections(sheet: Sheet, spec: Part, tasks: list[Part], final: list[Part]) -> None:
    if not any(spec.body.values()):
        sheet.error("missing-field", spec.at("tasks"), "the pipeline is empty", "add 'tasks'")
    elif final and not tasks:
        sheet.error("finally", spec.at("finally"), "there is 'finally', but no 'tasks'", "move them to 'tasks'")


def _check_workspaces_declared(sheet: Sheet, spec: Part) -> None:
    declared = spec.parts("workspaces")
    for again, _ in duplicates(declared):
        message = f"the workspace {again.text('name')!r} is declared twice"
        sheet.error("duplicate-name", again.at("name"), message, "remove one")


def _check_task(sheet: Sheet, task: Part, workspaces: frozenset[str]) -> None:
    """What concerns one pipeline task by itself."""
    if "name" in task:
        names.check_label(sheet, task.at("name"), task.text("name"), "a task of a pipeline")
    _check_what_it_runs(sheet, task)
    _check_on_error(sheet, task)
    when.check(sheet, task.parts("when"))
    for again, _ in duplicates(task.parts("params")):
        message = f"the param {again.text('name')!r} is given twice"
        sheet.error("duplicate-name", again.at("name"), message, "remove one")
    for again, _ in duplicates(task.parts("workspaces")):
        message = f"the workspace {again.text('name')!r} is bound twice"
        sheet.error("duplicate-name", again.at("name"), message, "remove one")
    for binding in task.parts("workspaces"):
        field_ = "workspace" if binding.text("workspace") else "name"
        name = binding.text(field_)
        if name and name not in workspaces:
            message = f"the pipeline has no workspace {name!r}"
            sheet.error("undeclared-workspace", binding.at(field_), message, unknown(name, workspaces))
    limit = durations.seconds(task.text("timeout"))
    if limit is not None and limit < 0:
        sheet.warning("timeout", task.at("timeout"), "a negative timeout fails the task", "give a time such as '90s'")
    if task.number("retries") < 0:
        sheet.warning("retries", task.at("retries"), "negative retries count as none", "remove it")


def _check_what_it_runs(sheet: Sheet, task: Part) -> None:
    forms = [key for key in ("taskRef", "taskSpec", "pipelineRef", "pipelineSpec") if key in task]
    for key in forms:
        if key.startswith("pipeline"):
            message = f"{key!r} of a task is an alpha feature that clusters switch off by default"
            sheet.error("feature", task.at(key), message, "list its tasks here")
    if len(forms) > 1:
        message = f"a task has exactly one of taskRef and taskSpec, this one has {' and '.join(forms)}"
        sheet.error("one-of", task.at(forms[1]), message, "remove one")
    elif not forms:
        message = "the task has neither 'taskRef' nor 'taskSpec'"
        sheet.error("one-of", task.path, message, "add 'taskRef: {name: …}'")
    for key in ("taskRef", "taskSpec"):
        part = task.part(key)
        if is_custom(part, key):
            _check_custom(sheet, part)
        elif key == "taskRef" and "taskRef" in task:
            check_reference(sheet, part)


def is_custom(part: Part, key: str) -> bool:
    """Whether a taskRef or taskSpec names something other than Tekton's own Task."""
    if key == "taskSpec" and part.parts("steps"):
        return False
    return "apiVersion" in part or part.text("kind") not in {"", "Task"}


def _check_custom(sheet: Sheet, part: Part) -> None:
    if refused_as_cluster_task(sheet, part):
        return
    if not part.text("kind"):
        sheet.error("reference", part.at("kind"), "a custom task needs a 'kind'", "add it, or remove 'apiVersion'")
    if not re.fullmatch(r"[^/]+/[^/]+", part.text("apiVersion")):
        message = f"{part.text('apiVersion')!r} is no version of a custom task"
        sheet.error("reference", part.at("apiVersion"), message, "write group/version, or remove it for a Task")


def _check_on_error(sheet: Sheet, task: Part) -> None:
    value = task.text("onError")
    if not value or value.startswith("$(params"):
        return
    if value not in {"continue", "stopAndFail"}:
        message = f"{value!r} is no way to treat an error"
        sheet.error("on-error", task.at("onError"), message, "'continue' or 'stopAndFail'")
    elif value == "continue" and task.number("retries") > 0:
        message = "'continue' and 'retries' exclude each other"
        sheet.error("on-error", task.at("onError"), message, "remove one")


def _check_params_used(sheet: Sheet, task: Part, refusing: Scope, reaching: Scope, level: Level) -> None:
    """Variables in params, matrix and ``when`` of a pipeline task, then in its other fields."""
    seen = set()
    for where, text, place in _checked_texts(task, refusing):
        seen.add(where)
        overlooked = place is Place.VALUE and "matrix" in where
        uses.check_params(sheet, where, text, place, refusing, Level.WARNING if overlooked else level)
        uses.check_params(sheet, where, text, place, reaching, Level.WARNING)
        uses.check_context(sheet, where, text, uses.PIPELINE_CONTEXT, uses.PIPELINE_CONTEXT)
        _check_roots(sheet, where, text)
    # Names of a matrix's runs may show its params.
    shown = {**{name: Declared(name, "string") for name in given(graph.matrix_params(task))}, **reaching}
    for where, text in task.all_texts(without=("taskSpec", "pipelineSpec", "description")):
        if where not in seen:
            uses.check_params(sheet, where, text, Place.VALUE, shown, Level.WARNING)


def _checked_texts(task: Part, scope: Scope) -> list[tuple[FieldPath, str, Place]]:
    found: list[tuple[FieldPath, str, Place]] = []
    for param in (*task.parts("params"), *graph.matrix_params(task)):
        value = param.body.get("value")
        if isinstance(value, str):
            found.append((param.at("value"), value, Place.FIELD if "include" in param.path else Place.VALUE))
        elif isinstance(value, dict):
            found += [(where, text, Place.FIELD) for where, text in param.part("value").all_texts()]
        else:
            found += [(where, text, Place.ELEMENT) for where, text in param.texts("value")]
    for expression in task.parts("when"):
        found.append((expression.at("input"), expression.text("input"), Place.FIELD))
        for where, text in expression.texts("values"):
            whole = references.whole(text)
            is_array = (
                whole is not None
                and whole.root == "params"
                and whole.index == "*"
                and whole.path[1] in scope
                and scope[whole.path[1]].type == "array"
            )
            found.append((where, text, Place.ELEMENT if is_array else Place.FIELD))
    return found


def _check_roots(sheet: Sheet, where: FieldPath, text: str) -> None:
    for match in _ANY_VARIABLE.finditer(text):
        if match[1].split(".", 1)[0] not in _ROOTS:
            message = f"{match[0]!r} begins like no variable of Tekton's"
            remedy = f"known: {', '.join(sorted(_ROOTS))}; a shell's variable is ${{NAME}}"
            sheet.error("malformed-variable", where, message, remedy, match.start())


def _own(task: Part, scope: Scope) -> dict[str, Declared]:
    """In a Pipeline of its own, what an inline task is given counts only when its spec declares it."""
    return own_scope(task.part("taskSpec"), scope)


def _check_inline_task(sheet: Sheet, task: Part, refusing: Scope, scope: Scope, workspaces: frozenset[str]) -> None:
    """An embedded taskSpec; the webhook takes all params but those in ``refusing`` for mistakes."""
    spec = task.part("taskSpec")
    if "taskSpec" not in task or is_custom(spec, "taskSpec"):
        return
    for key in ("apiVersion", "kind"):
        if spec.text(key):
            message = f"a taskSpec with steps has no {key!r}"
            sheet.error("one-of", spec.at(key), message, "remove it")
    reaching = own_scope(spec, {**scope, **given(task.parts("params"))})
    setting = Setting(refusing, reaching, workspaces, context=_CONTEXT, in_pipeline=True)
    check_task_spec(sheet, spec, setting)


def _everything_used(spec: Part, known: Scope) -> dict[str, Declared]:
    """A scope in which nothing is refused: what is used and unknown passes as a string."""
    found = dict(known)
    for _, text in spec.all_texts():
        for reference in references.find(text):
            if reference.root == "params":
                found.setdefault(reference.path[1], Declared(reference.path[1], "string"))
    return found


def _check_results(sheet: Sheet, spec: Part) -> None:
    known = {"tasks": {t.text("name") for t in spec.parts("tasks")}, "finally": set[str]()}
    known["finally"] = {t.text("name") for t in spec.parts("finally")}
    for result in spec.parts("results"):
        if "value" not in result:
            continue
        where, texts = result.at("value"), list(Part({"v": result.body["value"]}, result.path).all_texts())
        values = [text for _, text in texts]
        taken = list(graph.results_in((where, text) for text in values))
        for use in taken:
            if use.task not in known[use.reference.root]:
                message = f"{use.reference.text!r}: there is no task {use.task!r}"
                if use.reference.root == "tasks" and use.task in known["finally"]:
                    message += " among 'tasks', but one in 'finally'"
                remedy = unknown(use.task, known[use.reference.root])
                sheet.error("result-reference", where, message, remedy, use.reference.start)
        if not taken:
            message = f"{shortened(str(values[0] if values else ''))!r} takes no result of a task"
            sheet.error("result-reference", where, message, "write $(tasks.<task>.results.<result>)")
        elif isinstance(result.body["value"], str) and not _is_readable(result.body["value"]):
            message = (
                "Tekton refuses text in front of the first variable, variables of other kinds, and dots behind one"
            )
            sheet.error("result-reference", where, message, "put the text together in a task")


def _is_readable(value: str) -> bool:
    """Tekton cuts the value at each ``$`` and wants every piece to look like a result, text behind it included."""
    for piece in value.split("$"):
        parts = piece.removeprefix("(").removesuffix(")").split(".")
        if piece and not (len(parts) in {4, 5} and parts[0] in {"tasks", "finally"} and parts[2] == "results"):
            return False
    return True
