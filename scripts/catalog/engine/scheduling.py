"""Which task of a pipeline comes next: from what has happened to what is to be done, with no clock and no process.

The rules follow pkg/reconciler/pipelinerun/resources of tektoncd/pipeline (``skip``, ``IsFinallySkipped``,
``GetPipelineConditionStatus``) and docs/pipelines.md#guard-task-execution-using-when-expressions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from catalog.engine import matrix, references
from catalog.engine.outcomes import Reason, Skip, Status, TaskOutcome
from catalog.engine.references import Reference, texts_in
from catalog.engine.substitution import IndexOutOfBoundsError, Replacements, Value, Whole, allows

CONTINUE = "continue"


@dataclass(frozen=True)
class Node:
    """A pipeline task as the PipelineRun left it: params and context are replaced, results are not."""

    name: str
    body: Mapping[str, Any]
    is_finally: bool = False

    @property
    def ignores_failure(self) -> bool:
        """docs/pipelines.md#using-the-onerror-field"""
        return self.body.get("onError") == CONTINUE

    @property
    def is_matrixed(self) -> bool:
        return matrix.is_matrixed(self.body)

    @cached_property
    def result_references(self) -> tuple[tuple[str, str], ...]:
        """(task, result) of every result it uses and so waits for, those in steps of an inline spec included; what
        only a workspace's ``subPath`` or the ``displayName`` names makes no order (PipelineTaskResultRefs)."""
        return tuple(dict.fromkeys((reference.path[1], reference.path[3]) for reference in self.uses))

    @cached_property
    def uses(self) -> tuple[Reference, ...]:
        """The same, each as it is written."""
        spec = self.body.get("taskSpec") or {}
        inner = [one.get(key) for one in spec.get("steps") or () for key in _LOOKED_AT]
        return _results_in([self.body.get("params"), self.body.get("matrix"), self.body.get("when"), inner])

    @cached_property
    def skips_without_results(self) -> bool:
        """Whether missing results can skip it: only those asked for in ``params`` and ``when`` do, for want of those
        in a matrix or an inline spec alone the run fails (hasResultReferences)."""
        return bool(_results_in([self.body.get("params"), self.body.get("when")]))


_LOOKED_AT = ("name", "image", "script", "workingDir", "command", "args", "env")


def _results_in(fields: Any) -> tuple[Reference, ...]:
    found = (reference for text in texts_in(fields) for reference in references.find(text))
    return tuple(one for one in found if len(one.path) in {4, 5} and one.path[::2][:2] == ("tasks", "results"))


@dataclass(frozen=True)
class Graph:
    """The tasks of a pipeline in the order in which they are written, finally tasks among them."""

    nodes: tuple[Node, ...]

    @cached_property
    def by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def parents(self) -> dict[str, frozenset[str]]:
        """What each task waits for: ``runAfter`` and the results it uses. Finally tasks wait for all, not for one."""
        main = {node.name for node in self.nodes if not node.is_finally}
        return {
            node.name: frozenset()
            if node.is_finally
            else frozenset((*(node.body.get("runAfter") or ()), *(task for task, _ in node.result_references))) & main
            for node in self.nodes
        }

    @cached_property
    def forgotten(self) -> frozenset[str]:
        """Tasks with a matrix whose results no task uses: Tekton gathers them only for those that do, and so has none
        for the pipeline's own results (GetTaskRunsResults reads a cache that they fill)."""
        used = {task for node in self.nodes for task, _ in node.result_references}
        return frozenset(node.name for node in self.nodes if node.is_matrixed) - used


@dataclass(frozen=True)
class State:
    """What has happened so far. ``outcomes`` has every task that is settled: ended, skipped or found invalid."""

    outcomes: Mapping[str, TaskOutcome] = field(default_factory=dict)
    running: frozenset[str] = frozenset()
    cancelled: bool = False
    pipeline_over: bool = False
    tasks_over: bool = False
    finally_over: bool = False

    def is_open(self, name: str) -> bool:
        return name not in self.outcomes and name not in self.running


@dataclass(frozen=True)
class Ready:
    """A task to be started now, with the results it uses in place."""

    node: Node
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Decision:
    """``settled`` are tasks that will not run, with the reason; ``ready`` ones may start if there is room."""

    settled: tuple[TaskOutcome, ...] = ()
    ready: tuple[Ready, ...] = ()
    done: bool = False


def decide(graph: Graph, state: State) -> Decision:
    """What follows from the state: skips with all that follow from them, and what may start."""
    settled: dict[str, TaskOutcome] = {}
    while True:
        step = _Look(graph, replace(state, outcomes={**state.outcomes, **settled}))
        new = step.settled()
        if not new:
            break
        settled |= new
    done = all(node.name in step.state.outcomes for node in graph.nodes)
    return Decision(tuple(settled.values()), tuple(step.ready()), done)


@dataclass
class _Look:
    """One look at one state."""

    graph: Graph
    state: State

    @cached_property
    def values(self) -> Replacements:
        return result_values(self.state.outcomes)

    @cached_property
    def stopping(self) -> bool:
        """A task failed, or could not be started for want of a result, and nobody ignores it."""
        return any(stops(node, self.state.outcomes.get(node.name)) for node in self.graph.nodes)

    @cached_property
    def broken(self) -> Reason | None:
        """Why the run ends at once, without ``finally``."""
        return next((Reason(one.reason) for one in self.state.outcomes.values() if one.ends_run), None)

    @cached_property
    def main_done(self) -> bool:
        return all(node.name in self.state.outcomes for node in self.graph.nodes if not node.is_finally)

    def open(self) -> Iterator[Node]:
        return (node for node in self.graph.nodes if self.state.is_open(node.name))

    def settled(self) -> dict[str, TaskOutcome]:
        """Open tasks that will not run."""
        found: dict[str, TaskOutcome] = {}
        for node in self.open():
            outcome = self._ended(node) or (self._finally(node) if node.is_finally else self._main(node))
            if outcome is not None:
                found[node.name] = outcome
        return found

    def ready(self) -> Iterator[Ready]:
        for node in self.open():
            if node.is_finally:
                if self.main_done:
                    yield Ready(node, self._body(node))
            elif self._parents_done(node):
                yield Ready(node, self._body(node))

    def _parents_done(self, node: Node) -> bool:
        return all(parent in self.state.outcomes for parent in self.graph.parents[node.name])

    def _ended(self, node: Node) -> TaskOutcome | None:
        """What comes before all else: the end of the run, in which what had to wait is no longer looked at, and an
        element that an array result does not have, on which the run fails as soon as the result is there
        (validateArrayResultsIndex)."""
        if self.state.cancelled:
            return _not_run(node, Reason.PIPELINE_CANCELLED)
        if self.broken:
            return _not_run(node, self.broken)
        before_it = self.main_done if node.is_finally else self._parents_done(node)
        if self.state.pipeline_over and not before_it:
            return _not_run(node, Reason.PIPELINE_TIMEOUT)
        if not self._missing(node):
            for use in node.uses:
                value = self.values.values.get(use.dotted)
                if isinstance(use.index, int) and isinstance(value, list) and use.index >= len(value):
                    message = f"{use.text} asks for element {use.index} of an array of {len(value)}"
                    return _fatal(node, Reason.PIPELINE_INVALID, message)
        return None

    def _main(self, node: Node) -> TaskOutcome | None:
        """In the order of Tekton's ``skip``; only what would not be skipped can be invalid."""
        if self.stopping:
            return _skipped(node, Skip.STOPPING)
        if not self._parents_done(node):
            return None
        if not _when_allows(node, self.values):
            return _skipped(node, Skip.WHEN)
        parents = [self.state.outcomes[parent] for parent in self.graph.parents[node.name]]
        if any(parent.status is Status.SKIPPED and parent.reason != Skip.WHEN for parent in parents):
            # Only a task skipped by its own ``when`` lets those after it run.
            return _skipped(node, Skip.PARENTS)
        missing = self._missing(node)
        if missing and node.skips_without_results:
            source = self.state.outcomes[missing[0][0]]
            if node.ignores_failure or source.reason == Skip.WHEN:
                return _skipped(node, Skip.RESULTS)
        if self.state.pipeline_over:
            return _skipped(node, Skip.PIPELINE_TIMEOUT)
        if self.state.tasks_over:
            return _skipped(node, Skip.TASKS_TIMEOUT)
        if missing:
            task, result = missing[0]
            return _invalid(node, f"it uses the result {result} of task {task}, which did not write it")
        return self._matrix(node)

    def _matrix(self, node: Node) -> TaskOutcome | None:
        """What a matrix with its values in place stands against."""
        if not node.is_matrixed:
            return None
        filled = self.values.matrix(node.body["matrix"])
        if matrix.is_empty(filled):
            return _skipped(node, Skip.EMPTY_MATRIX)
        if wrong := matrix.wrong_type(filled):
            return _fatal(node, Reason.MATRIX_INVALID, wrong)
        return None

    def _finally(self, node: Node) -> TaskOutcome | None:
        if self.state.pipeline_over:
            return _skipped(node, Skip.PIPELINE_TIMEOUT)
        if not self.main_done:
            return None
        missing = self._missing(node)
        if missing and not node.skips_without_results:
            return replace(_skipped(node, Skip.PIPELINE_TIMEOUT), message=_waits_in_vain(*missing[0]))
        if missing:
            return _skipped(node, Skip.RESULTS)
        if not _when_allows(node, self.values | self._statuses):
            return _skipped(node, Skip.WHEN)
        return _skipped(node, Skip.FINALLY_TIMEOUT) if self.state.finally_over else self._matrix(node)

    def _missing(self, node: Node) -> list[tuple[str, str]]:
        return [
            (task, result)
            for task, result in node.result_references
            if task not in self.state.outcomes or result not in self.state.outcomes[task].results
        ]

    @cached_property
    def _statuses(self) -> Replacements:
        return status_values(self.graph, self.state)

    def _body(self, node: Node) -> dict[str, Any]:
        body = dict(node.body)
        if "params" in body:
            body["params"] = (self.values | self._statuses if node.is_finally else self.values).params(body["params"])
        if "matrix" in body:
            body["matrix"] = self.values.matrix(body["matrix"])
        # These get the results that params, matrix, when or steps use as well (ApplyTaskResults).
        asked = [f"tasks.{task}.results.{result}" for task, result in node.result_references]
        used = Replacements({name: self.values.values[name] for name in asked if name in self.values.values})
        for key in ("workspaces", "displayName"):
            if key in body:
                body[key] = used.deep(body[key])
        if "taskSpec" in body:
            body["taskSpec"] = propagated(self.state.outcomes).task_spec(body["taskSpec"])
        return body


def stops(node: Node, outcome: TaskOutcome | None) -> bool:
    """Whether what came of a task keeps others from starting (IsStopping)."""
    if outcome is None or node.is_finally:
        return False
    return (outcome.failed and not node.ignores_failure) or outcome.reason == Reason.PIPELINE_INVALID


def _when_allows(node: Node, values: Replacements) -> bool:
    try:
        return allows(values.when(node.body.get("when") or ()))
    except IndexOutOfBoundsError:
        return True  # another result is missing, which is what counts


def _skipped(node: Node, why: Skip) -> TaskOutcome:
    return TaskOutcome(node.name, Status.SKIPPED, why, is_finally=node.is_finally)


def _not_run(node: Node, why: Reason, message: str = "") -> TaskOutcome:
    return TaskOutcome(node.name, Status.NOT_RUN, why, message, is_finally=node.is_finally)


def _fatal(node: Node, why: Reason, message: str) -> TaskOutcome:
    return replace(_not_run(node, why, message), ends_run=True)


def _waits_in_vain(task: str, result: str) -> str:
    # Tekton logs it, neither starts nor skips the task, and so never comes to an end (runNextSchedulableTask).
    return f"it uses the result {result} of task {task}, which did not write it: on a cluster the run ends by timeout"


def _invalid(node: Node, message: str) -> TaskOutcome:
    return TaskOutcome(node.name, Status.NOT_RUN, Reason.PIPELINE_INVALID, message, is_finally=node.is_finally)


def result_values(outcomes: Mapping[str, TaskOutcome]) -> Replacements:
    """``$(tasks.….results.…)`` for all results that were written, also by tasks that failed."""
    return Replacements(
        {
            f"tasks.{task}.results.{name}": value
            for task, outcome in outcomes.items()
            for name, value in outcome.results.items()
        }
    )


def propagated(outcomes: Mapping[str, TaskOutcome]) -> Replacements:
    """The results as they reach steps that name them (docs/pipelineruns.md#propagated-results): texts, whole arrays
    and the keys of objects, but no single elements of arrays (PropagateResults)."""
    values = result_values(outcomes).values
    return Replacements({name: Whole(value) if isinstance(value, list) else value for name, value in values.items()})


def status_values(graph: Graph, state: State) -> Replacements:
    """``$(tasks.….status)``, ``.reason`` and ``$(tasks.status)``.

    Source: docs/pipelines.md#using-execution-status-of-pipelinetask
    """
    main = {node.name: state.outcomes.get(node.name) for node in graph.nodes if not node.is_finally}
    values: dict[str, Value] = {}
    for name, outcome in main.items():
        ran = outcome is not None and outcome.status in {Status.SUCCEEDED, Status.FAILED}
        values[f"tasks.{name}.status"] = str(outcome.status) if outcome and ran else "None"
        values[f"tasks.{name}.reason"] = str(outcome.reason) if outcome and ran else ""
    settled = [outcome for outcome in main.values() if outcome is not None]
    if len(settled) < len(main):
        overall = "None"
    elif any(outcome.failed for outcome in settled):  # ignored failures count here
        overall = Reason.FAILED
    else:
        skipped = any(outcome.status is Status.SKIPPED for outcome in settled)
        overall = Reason.COMPLETED if skipped else Reason.SUCCEEDED
    return Replacements({**values, "tasks.status": str(overall)})
