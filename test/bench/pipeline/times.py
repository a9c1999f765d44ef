"""Where the time of a PipelineRun went, from what the cluster says of it afterwards. Its clocks tell whole seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any


@dataclass(frozen=True)
class TaskTimes:
    """Seconds of a task in a pipeline whose tasks follow each other; together from the end of the one before to its own."""

    task: str
    until_pod: float
    """Since the task before ended, or the run was created."""
    starting: float
    """From the pod's creation to the start of the first step's program."""
    running: float
    ending: float
    """From the last step's end until Tekton has seen it."""

    @property
    def total(self) -> float:
        return self.until_pod + self.starting + self.running + self.ending


@dataclass(frozen=True)
class RunTimes:
    """Seconds. ``total``: from asking for the run until it is seen to have ended, by the clock of who asked;
    ``told``: the same as the cluster tells it; ``closing``: of that, after the last task."""

    total: float
    told: float
    tasks: tuple[TaskTimes, ...]
    closing: float
    load: float
    """The load average of a minute when it began."""


def run_times(
    run: Mapping[str, Any],
    task_runs: Iterable[Mapping[str, Any]],
    pods: Iterable[Mapping[str, Any]],
    total: float,
    load: float,
) -> RunTimes:
    created = {pod["metadata"]["name"]: _time(pod["metadata"]["creationTimestamp"]) for pod in pods}
    began = since = _time(run["metadata"]["creationTimestamp"])
    tasks = []
    for task_run in sorted(task_runs, key=lambda each: str(each["status"]["completionTime"])):
        status = task_run["status"]
        steps = [step["terminated"] for step in status["steps"]]
        name = task_run["metadata"]["labels"]["tekton.dev/pipelineTask"]
        moments = [since, created[status["podName"]], min(_time(step["startedAt"]) for step in steps),
                   max(_time(step["finishedAt"]) for step in steps), _time(status["completionTime"])]  # fmt: skip
        spans = [(after - before).total_seconds() for before, after in pairwise(moments)]
        tasks.append(TaskTimes(name, *spans))
        since = moments[-1]
    ended = _time(run["status"]["completionTime"])
    return RunTimes(total, (ended - began).total_seconds(), tuple(tasks), (ended - since).total_seconds(), load)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
