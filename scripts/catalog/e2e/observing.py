"""What a cluster says of a run, in the terms of the local engine, so that one set of expectations judges both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from catalog.engine import matrix
from catalog.engine.outcomes import RunOutcome, Status, StepOutcome, TaskOutcome


def finished(run: Mapping[str, Any]) -> bool:
    return _condition(run).get("status") in {"True", "False"}


def outcome(
    run: Mapping[str, Any], task_runs: Iterable[Mapping[str, Any]], workspaces: Mapping[str, Path]
) -> RunOutcome:
    """The outcome of a finished TaskRun or PipelineRun with the TaskRuns it made."""
    kind, status, condition = run["kind"], run.get("status") or {}, _condition(run)
    if kind == "TaskRun":
        tasks = [_task(run, run["metadata"]["name"])]
    else:
        matrixed = {
            task["name"]
            for section in ("tasks", "finally")
            for task in (status.get("pipelineSpec") or {}).get(section) or ()
            if matrix.is_matrixed(task)
        }
        by_name: dict[str, list[Mapping[str, Any]]] = {}
        for each in sorted(task_runs, key=_place):
            by_name.setdefault(each["metadata"]["labels"]["tekton.dev/pipelineTask"], []).append(each)
        tasks = [
            _gathered(found, name) if name in matrixed else _task(found[0], name) for name, found in by_name.items()
        ]
        tasks += [
            TaskOutcome(skipped["name"], Status.SKIPPED, skipped.get("reason", ""))
            for skipped in status.get("skippedTasks") or ()
        ]
    return RunOutcome(
        kind=kind,
        name=run["metadata"]["name"],
        status=_status(condition),
        reason=condition.get("reason", ""),
        message=condition.get("message", ""),
        tasks=tuple(tasks),
        results=_results(status),
        seconds=_seconds(status),
        workspaces=workspaces,
    )


def _place(task_run: Mapping[str, Any]) -> int:
    """Which TaskRun of a matrix it is."""
    last = str(task_run["metadata"]["name"]).rpartition("-")[2]
    return int(last) if last.isdigit() else 0


def _gathered(task_runs: Sequence[Mapping[str, Any]], name: str) -> TaskOutcome:
    names = matrix.labels(name, len(task_runs))
    return matrix.gathered(name, [_task(each, label) for each, label in zip(task_runs, names, strict=True)])


def _condition(run: Mapping[str, Any]) -> Mapping[str, Any]:
    conditions = (run.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each.get("type") == "Succeeded"), {})


def _status(condition: Mapping[str, Any]) -> Status:
    return {"True": Status.SUCCEEDED, "False": Status.FAILED}.get(str(condition.get("status")), Status.NOT_RUN)


def _results(status: Mapping[str, Any]) -> dict[str, Any]:
    return {each["name"]: each["value"] for each in status.get("results") or ()}


def _task(task_run: Mapping[str, Any], name: str) -> TaskOutcome:
    status, condition = task_run.get("status") or {}, _condition(task_run)
    steps = tuple(_step(each) for each in status.get("steps") or ())
    failing = [step.exit_code for step in steps if step.failed]
    return TaskOutcome(
        name=name,
        status=_status(condition),
        reason=condition.get("reason", ""),
        message=condition.get("message", ""),
        exit_code=failing[0] if failing else steps[-1].exit_code if steps else None,
        results=_results(status),
        steps=steps,
        seconds=_seconds(status),
        attempts=1 + len(status.get("retriesStatus") or ()),
    )


def _step(step: Mapping[str, Any]) -> StepOutcome:
    ended = step.get("terminated") or {}
    return StepOutcome(step["name"], int(ended.get("exitCode", -1)), step.get("terminationReason", ""))


def _seconds(status: Mapping[str, Any]) -> float:
    begun, ended = status.get("startTime"), status.get("completionTime")
    return (_time(ended) - _time(begun)).total_seconds() if begun and ended else 0.0


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
