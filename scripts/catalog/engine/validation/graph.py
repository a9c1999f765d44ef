"""What depends on what in a pipeline: runAfter, results, statuses. Source: https://tekton.dev/docs/pipelines/pipelines/"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from catalog.engine import references
from catalog.engine.documents import FieldPath
from catalog.engine.references import Reference
from catalog.engine.validation.declarations import unknown
from catalog.engine.validation.parts import Part, Sheet, texts_below

_NOT_LOOKED_AT = ("displayName", "results", "params", "when", "onError", "timeout")


@dataclass(frozen=True, slots=True)
class ResultUse:
    """``$(tasks.<task>.results.<result>)`` at one place; ``key`` and ``index`` pick a part of it."""

    where: FieldPath
    text: str
    reference: Reference

    @property
    def task(self) -> str:
        return self.reference.path[1]

    @property
    def result(self) -> str:
        return self.reference.path[3]

    @property
    def key(self) -> str:
        return self.reference.path[4] if len(self.reference.path) > 4 else ""


def takes_result(reference: Reference) -> bool:
    """Whether Tekton reads it as a result of a task: four or five parts, all with dots."""
    return (
        reference.root in {"tasks", "finally"}
        and len(reference.path) in {4, 5}
        and reference.path[2] == "results"
        and '["' not in reference.text
        and "['" not in reference.text
    )


def own_texts(task: Part) -> Iterator[tuple[FieldPath, str]]:
    """The texts of a pipeline task's params, matrix and ``when``."""
    for param in (*task.parts("params"), *matrix_params(task)):
        yield from texts_below(param.body.get("value"), param.at("value"))
    for expression in task.parts("when"):
        yield from texts_below(expression.body.get("input"), expression.at("input"))
        yield from texts_below(expression.body.get("values"), expression.at("values"))


def matrix_params(task: Part) -> list[Part]:
    matrix = task.part("matrix")
    return [*matrix.parts("params"), *(param for one in matrix.parts("include") for param in one.parts("params"))]


def results_used(task: Part) -> Iterator[ResultUse]:
    """The results of other tasks that a pipeline task waits for, those in steps of an inline spec included."""
    spec = task.part("taskSpec")
    containers = (*spec.parts("steps"), *spec.parts("sidecars"))
    inner = (found for one in containers for found in one.all_texts(without=_NOT_LOOKED_AT))
    yield from results_in((*own_texts(task), *inner))


def results_in(texts: Iterable[tuple[FieldPath, str]]) -> Iterator[ResultUse]:
    for where, text in texts:
        for reference in references.find(text):
            if takes_result(reference):
                yield ResultUse(where, text, reference)


def dependencies(task: Part) -> set[str]:
    """The names of the tasks that must be over before this one begins."""
    return {name for _, name in task.texts("runAfter")} | {use.task for use in results_used(task)}


def check(sheet: Sheet, tasks: list[Part], final: list[Part]) -> None:
    known = {task.text("name") for task in tasks}
    finals = {task.text("name") for task in final}
    for task in tasks:
        _check_dependencies(sheet, task, known, finals)
        _check_no_status(sheet, task)
    for task in final:
        _check_final(sheet, task, known, finals)
    for task in (*tasks, *final):
        _check_overlooked(sheet, task)
    _check_cycles(sheet, tasks)


def _check_dependencies(sheet: Sheet, task: Part, known: set[str], finals: set[str]) -> None:
    for where, name in task.texts("runAfter"):
        if name not in known:
            message = f"there is no task {name!r} to run after"
            remedy = "tasks of 'finally' come last anyway" if name in finals else unknown(name, known)
            sheet.error("run-after", where, message, remedy)
    for use in results_used(task):
        if use.task not in known:
            message = f"{use.reference.text!r}: there is no task {use.task!r}"
            if use.task in finals:
                message = f"{use.reference.text!r}: {use.task!r} is of 'finally' and comes later"
            sheet.error("result-reference", use.where, message, unknown(use.task, known), use.reference.start)


def status_of(reference: Reference) -> str | None:
    """The task whose status or reason is asked for; empty for ``$(tasks.status)``; None for any other variable."""
    if reference.root != "tasks" or reference.path[-1] not in {"status", "reason"} or takes_result(reference):
        return None
    if reference.path == ("tasks", "status"):
        return ""
    return ".".join(reference.path[1:-1])


def _check_no_status(sheet: Sheet, task: Part) -> None:
    for where, text in own_texts(task):
        for reference in references.find(text) if "matrix" not in where else ():
            if status_of(reference) is not None:
                message = f"{reference.text!r}: the status of tasks is known only in 'finally'"
                # The webhook overlooks it beside a result.
                add = sheet.warning if any(results_in([(where, text)])) else sheet.error
                add("status-reference", where, message, "move the task to 'finally'", reference.start)


def _check_final(sheet: Sheet, task: Part, known: set[str], finals: set[str]) -> None:
    if task.texts("runAfter"):
        message = "a task of 'finally' takes no 'runAfter': all of them run at once, at the end"
        sheet.error("finally", task.at("runAfter"), message, "remove it")
    for use in results_used(task):
        if use.task in finals and use.task not in known:
            message = f"{use.reference.text!r}: tasks of 'finally' cannot use each other's results"
            sheet.error("finally", use.where, message, "do it in one task", use.reference.start)
        elif use.task not in known:
            message = f"{use.reference.text!r}: there is no task {use.task!r}"
            sheet.error("result-reference", use.where, message, unknown(use.task, known), use.reference.start)
    for where, text in own_texts(task):
        for reference in references.find(text) if "matrix" not in where else ():
            name = status_of(reference)
            if name and name not in known:
                message = f"{reference.text!r}: there is no task {name!r}"
                sheet.error("status-reference", where, message, unknown(name, known), reference.start)


def _check_overlooked(sheet: Sheet, task: Part) -> None:
    """What looks like a result to a reader and not to Tekton."""
    for where, text in own_texts(task):
        for reference in references.find(text):
            looks_so = reference.root in {"tasks", "finally"} and reference.path[2:3] == ("results",)
            if looks_so and not takes_result(reference):
                message = f"{reference.text!r} stays as it is: Tekton does not take it for a result"
                remedy = "write $(tasks.<task>.results.<result>), with at most one key behind it"
                sheet.warning("result-reference", where, message, remedy, reference.start)


def _check_cycles(sheet: Sheet, tasks: list[Part]) -> None:
    by_name = {task.text("name"): task for task in tasks}
    edges = {name: sorted(dependencies(task) & by_name.keys()) for name, task in by_name.items()}
    for cycle in cycles(edges):
        task = by_name[cycle[0]]
        before = cycle[1] if len(cycle) > 1 else cycle[0]
        message = "tasks wait for each other: " + " → ".join((*cycle, cycle[0]))
        if len(cycle) == 1:
            message = f"the task {cycle[0]!r} waits for itself"
        sheet.error("cycle", _place_of_edge(task, before), message, "remove one of the dependencies")


def _place_of_edge(task: Part, before: str) -> FieldPath:
    for where, name in task.texts("runAfter"):
        if name == before:
            return where
    return next((use.where for use in results_used(task) if use.task == before), task.path)


def cycles(edges: dict[str, list[str]]) -> list[list[str]]:
    """One cycle of each group of nodes that wait for each other, beginning with the name that comes first."""
    found: list[list[str]] = []
    done: set[str] = set()
    for start in sorted(edges):
        if start not in done and (cycle := _cycle_through(start, edges)):
            found.append(cycle)
            done |= _reachable(start, edges) & {node for node in edges if start in _reachable(node, edges)}
    return found


def _reachable(start: str, edges: dict[str, list[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(edges[start])
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += edges[node]
    return seen


def _cycle_through(start: str, edges: dict[str, list[str]]) -> list[str]:
    """The shortest way from a node back to itself."""
    paths = [[start]]
    seen: set[str] = set()
    for path in paths:
        for node in edges[path[-1]]:
            if node == start:
                return path
            if node not in seen:
                seen.add(node)
                paths.append([*path, node])
    return []
