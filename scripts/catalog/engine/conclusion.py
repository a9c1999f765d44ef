"""What came of a PipelineRun once every task is settled: its status, its reason and its own results.

Source: GetPipelineConditionStatus and ApplyTaskResultsToPipelineResults in pkg/reconciler/pipelinerun/resources.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from catalog.engine import references
from catalog.engine.outcomes import Reason, Skip, Status, TaskOutcome
from catalog.engine.references import texts_in
from catalog.engine.scheduling import Graph, State, stops
from catalog.engine.substitution import IndexOutOfBoundsError, Replacements, Value


def as_told(graph: Graph, state: State) -> tuple[TaskOutcome, ...]:
    """All outcomes in the pipeline's order. Of a run that a failure stopped Tekton says of every skipped task before
    ``finally`` that it was for that reason, whatever it was first (``skip`` is asked anew at the end)."""
    outcomes = [state.outcomes[node.name] for node in graph.nodes]
    if state.cancelled or not any(stops(node, state.outcomes[node.name]) for node in graph.nodes):
        return tuple(outcomes)
    main = [outcome.status is Status.SKIPPED and not outcome.is_finally for outcome in outcomes]
    return tuple(
        replace(one, reason=Skip.STOPPING) if is_main else one for one, is_main in zip(outcomes, main, strict=True)
    )


def verdict(graph: Graph, state: State) -> tuple[Status, str, str]:
    """Status, reason and message of the whole PipelineRun once every task is settled."""
    outcomes = [state.outcomes[node.name] for node in graph.nodes]
    ignored = {node.name for node in graph.nodes if node.ignores_failure}
    failed = [outcome for outcome in outcomes if outcome.failed and outcome.name not in ignored]
    skipped = [outcome for outcome in outcomes if outcome.status is Status.SKIPPED]
    invalid = [outcome for outcome in outcomes if outcome.reason == Reason.PIPELINE_INVALID]
    late = [outcome for outcome in skipped if outcome.reason in _TIMEOUTS]
    message = _summary(outcomes, failed, ignored)
    broken = [outcome for outcome in outcomes if outcome.ends_run]
    stuck = [outcome for outcome in outcomes if outcome.reason == Skip.PIPELINE_TIMEOUT]
    if state.cancelled:
        return Status.FAILED, Reason.PIPELINE_CANCELLED, f"the run was cancelled; {message}"
    if broken:
        return Status.FAILED, broken[0].reason, f"{broken[0].name}: {broken[0].message}"
    if state.pipeline_over or state.tasks_over or stuck:
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
    declared: Iterable[Mapping[str, Any]],
    outcomes: Mapping[str, TaskOutcome],
    forgotten: frozenset[str] = frozenset(),
) -> tuple[dict[str, Value], list[str]]:
    """The pipeline's results, and the names of those that a *succeeded* task should have fed and did not.

    A result of a task that failed or was skipped is just left out (ApplyTaskResultsToPipelineResults). ``forgotten``:
    see :attr:`Graph.forgotten`.
    """
    found: dict[str, Value] = {}
    broken: list[str] = []
    values = {
        f"{root}.{task}.results.{name}": value
        for task, outcome in outcomes.items()
        if task not in forgotten
        for name, value in outcome.results.items()
        for root in ("tasks", "finally")
    }
    for result in declared:
        used = [reference for text in texts_in(result.get("value")) for reference in references.find(text)]
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
