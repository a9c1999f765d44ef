"""Which task of a pipeline comes next: from what has happened to what is to be done, with no clock and no process.

The rules follow pkg/reconciler/pipelinerun/resources of tektoncd/pipeline (``skip``, ``IsFinallySkipped``,
``GetPipelineConditionStatus``) and docs/pipelines.md#guard-task-execution-using-when-expressions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from catalog.engine import references
from catalog.engine.outcomes import Reason, Skip, Status, TaskOutcome
from catalog.engine.substitution import IndexOutOfBoundsError, Replacements, Value, allows

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

    @cached_property
    def result_references(self) -> tuple[tuple[str, str], ...]:
        """(task, result) of every result it uses; those in an inline spec alone make no order between tasks."""
        fields = [self.body.get(key) for key in ("params", "when", "workspaces", "displayName", "taskRef")]
        paths = (reference.path for text in _texts(fields) for reference in references.find(text))
        used = ((path[1], path[3]) for path in paths if len(path) > 3 and (path[0], path[2]) == ("tasks", "results"))
        return tuple(dict.fromkeys(used))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


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
        return any(
            (outcome.failed and not node.ignores_failure) or outcome.reason == Reason.PIPELINE_INVALID
            for node in self.graph.nodes
            if not node.is_finally and (outcome := self.state.outcomes.get(node.name))
        )

    @cached_property
    def main_done(self) -> bool:
        return all(node.name in self.state.outcomes for node in self.graph.nodes if not node.is_finally)

    def open(self) -> Iterator[Node]:
        return (node for node in self.graph.nodes if self.state.is_open(node.name))

    def settled(self) -> dict[str, TaskOutcome]:
        """Open tasks that will not run."""
        found: dict[str, TaskOutcome] = {}
        for node in self.open():
            outcome = self._finally(node) if node.is_finally else self._main(node)
            if outcome is not None:
                found[node.name] = outcome
        return found

    def ready(self) -> Iterator[Ready]:
        for node in self.open():
            if node.is_finally:
                if self.main_done and not self.state.cancelled:
                    yield Ready(node, self._body(node))
            elif self._parents_done(node) and not self.state.cancelled:
                yield Ready(node, self._body(node))

    def _parents_done(self, node: Node) -> bool:
        return all(parent in self.state.outcomes for parent in self.graph.parents[node.name])

    def _main(self, node: Node) -> TaskOutcome | None:
        if self.state.cancelled:
            return _not_run(node, Reason.PIPELINE_CANCELLED)
        if self.stopping:
            return _skipped(node, Skip.STOPPING)
        if not self._parents_done(node):
            return None
        missing = self._missing(node)
        if not _when_allows(node, self.values):
            return _skipped(node, Skip.WHEN)
        parents = [self.state.outcomes[parent] for parent in self.graph.parents[node.name]]
        if any(parent.status is Status.SKIPPED and parent.reason != Skip.WHEN for parent in parents):
            # Only a task skipped by its own ``when`` lets those after it run.
            return _skipped(node, Skip.PARENTS)
        if missing:
            return self._without_results(node, missing)
        if problem := self._problem(node):
            return _invalid(node, problem)
        if self.state.pipeline_over:
            return _skipped(node, Skip.PIPELINE_TIMEOUT)
        return _skipped(node, Skip.TASKS_TIMEOUT) if self.state.tasks_over else None

    def _without_results(self, node: Node, missing: list[tuple[str, str]]) -> TaskOutcome:
        task, result = missing[0]
        source = self.state.outcomes[task]
        if node.ignores_failure or source.reason == Skip.WHEN:
            return _skipped(node, Skip.RESULTS)
        return _invalid(node, f"it uses the result {result} of task {task}, which did not write it")

    def _finally(self, node: Node) -> TaskOutcome | None:
        if self.state.cancelled:
            return _not_run(node, Reason.PIPELINE_CANCELLED)
        if self.state.pipeline_over:
            return _skipped(node, Skip.PIPELINE_TIMEOUT)
        if not self.main_done:
            return None
        if self._missing(node) or self._problem(node):
            return _skipped(node, Skip.RESULTS)
        if not _when_allows(node, self.values | self._statuses):
            return _skipped(node, Skip.WHEN)
        return _skipped(node, Skip.FINALLY_TIMEOUT) if self.state.finally_over else None

    def _missing(self, node: Node) -> list[tuple[str, str]]:
        return [
            (task, result)
            for task, result in node.result_references
            if task not in self.state.outcomes or result not in self.state.outcomes[task].results
        ]

    def _problem(self, node: Node) -> str:
        try:
            self._body(node)
        except IndexOutOfBoundsError as error:
            return str(error)
        return ""

    @cached_property
    def _statuses(self) -> Replacements:
        return status_values(self.graph, self.state)

    def _body(self, node: Node) -> dict[str, Any]:
        values = self.values | self._statuses if node.is_finally else self.values
        body = dict(node.body)
        if "params" in body:
            body["params"] = values.params(body["params"])
        if "workspaces" in body:
            body["workspaces"] = values.deep(body["workspaces"])
        if "taskSpec" in body:  # results are propagated into inline specs (docs/pipelineruns.md#propagated-results)
            body["taskSpec"] = values.task_spec(body["taskSpec"])
        return body


def _when_allows(node: Node, values: Replacements) -> bool:
    try:
        return allows(values.when(node.body.get("when") or ()))
    except IndexOutOfBoundsError:
        return True  # reported as invalid later


def _skipped(node: Node, why: Skip) -> TaskOutcome:
    return TaskOutcome(node.name, Status.SKIPPED, why, is_finally=node.is_finally)


def _not_run(node: Node, why: Reason) -> TaskOutcome:
    return TaskOutcome(node.name, Status.NOT_RUN, why, is_finally=node.is_finally)


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


def verdict(graph: Graph, state: State) -> tuple[Status, str, str]:
    """Status, reason and message of the whole PipelineRun once every task is settled."""
    outcomes = [state.outcomes[node.name] for node in graph.nodes]
    ignored = {node.name for node in graph.nodes if node.ignores_failure}
    failed = [outcome for outcome in outcomes if outcome.failed and outcome.name not in ignored]
    skipped = [outcome for outcome in outcomes if outcome.status is Status.SKIPPED]
    invalid = [outcome for outcome in outcomes if outcome.reason == Reason.PIPELINE_INVALID]
    late = [outcome for outcome in skipped if outcome.reason in _TIMEOUTS]
    message = _summary(outcomes, failed, ignored)
    if state.cancelled:
        return Status.FAILED, Reason.PIPELINE_CANCELLED, f"the run was cancelled; {message}"
    if state.pipeline_over or state.tasks_over:
        return Status.FAILED, Reason.PIPELINE_TIMEOUT, f"the run did not finish in time; {message}"
    if invalid:
        details = "; ".join(f"{outcome.name}: {outcome.message}" for outcome in invalid)
        return Status.FAILED, Reason.PIPELINE_INVALID, f"{message} ({details})"
    if failed or late:
        return Status.FAILED, Reason.FAILED, message
    return Status.SUCCEEDED, Reason.COMPLETED if skipped else Reason.SUCCEEDED, message


_TIMEOUTS = {Skip.PIPELINE_TIMEOUT, Skip.TASKS_TIMEOUT, Skip.FINALLY_TIMEOUT}


def _summary(outcomes: Iterable[TaskOutcome], failed: list[TaskOutcome], ignored: set[str]) -> str:
    counts = {status: sum(outcome.status is status for outcome in outcomes) for status in Status}
    passed_over = sum(outcome.failed and outcome.name in ignored for outcome in outcomes)
    note = f" ({passed_over} ignored)" if passed_over else ""
    ran = counts[Status.SUCCEEDED] + counts[Status.FAILED]
    text = f"tasks completed: {ran}, failed: {len(failed) + passed_over}{note}, skipped: {counts[Status.SKIPPED]}"
    return f"{text}, not run: {counts[Status.NOT_RUN]}" if counts[Status.NOT_RUN] else text


def pipeline_results(
    declared: Iterable[Mapping[str, Any]], outcomes: Mapping[str, TaskOutcome]
) -> tuple[dict[str, Value], list[str]]:
    """The pipeline's results, and the names of those that a *succeeded* task should have fed and did not.

    A result of a task that failed or was skipped is just left out (ApplyTaskResultsToPipelineResults).
    """
    found: dict[str, Value] = {}
    broken: list[str] = []
    values = {
        f"{root}.{task}.results.{name}": value
        for task, outcome in outcomes.items()
        for name, value in outcome.results.items()
        for root in ("tasks", "finally")
    }
    for result in declared:
        used = [reference for text in _texts(result.get("value")) for reference in references.find(text)]
        missing = [r for r in used if ".".join(r.path[:4]) not in values]
        if not used:
            continue
        if missing:
            if any(_succeeded(outcomes, reference.path) for reference in missing):
                broken.append(result["name"])
            continue
        try:
            found[result["name"]] = Replacements(values).value(result["value"])
        except IndexOutOfBoundsError:
            broken.append(result["name"])
    return found, broken


def _succeeded(outcomes: Mapping[str, TaskOutcome], path: tuple[str, ...]) -> bool:
    outcome = outcomes.get(path[1])
    return outcome is None or outcome.status is Status.SUCCEEDED
