"""What came of a run, of its tasks and of their steps. Statuses and reasons carry Tekton's names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from catalog.engine.substitution import Value


class Status(StrEnum):
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    NOT_RUN = "None"
    """Neither run nor skipped: what it needed was not there, or the run ended before."""


class Reason(StrEnum):
    """Reasons of runs and tasks (docs/pipelineruns.md#monitoring-execution-status, docs/taskruns.md)."""

    SUCCEEDED = "Succeeded"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STEP_FAILED = "StepFailed"
    """A step ended with another exit code than 0 (``Failed`` before Tekton v1.12)."""
    IGNORED = "FailureIgnored"
    """The same for a pipeline task with ``onError: continue``."""
    TASK_TIMEOUT = "TaskRunTimeout"
    TASK_CANCELLED = "TaskRunCancelled"
    TASK_INVALID = "TaskRunValidationFailed"
    PIPELINE_TIMEOUT = "PipelineRunTimeout"
    PIPELINE_CANCELLED = "Cancelled"
    PIPELINE_INVALID = "PipelineValidationFailed"
    MATRIX_INVALID = "InvalidMatrixParameterTypes"
    NO_PIPELINE_RESULT = "CouldntGetPipelineResult"


class Skip(StrEnum):
    """Why a task did not run (docs/pipelineruns.md#the-status-field, pkg/apis/pipeline/v1/pipelinerun_types.go)."""

    WHEN = "When Expressions evaluated to false"
    PARENTS = "Parent Tasks were skipped"
    STOPPING = "PipelineRun was stopping"
    RESULTS = "Results were missing"
    PIPELINE_TIMEOUT = "PipelineRun timeout has been reached"
    TASKS_TIMEOUT = "PipelineRun Tasks timeout has been reached"
    FINALLY_TIMEOUT = "PipelineRun Finally timeout has been reached"
    EMPTY_MATRIX = "Matrix Parameters have an empty array"
    CANCELLED = "PipelineRun was gracefully cancelled"


@dataclass(frozen=True)
class StepOutcome:
    """``exit_code`` is the container's as Tekton would show it; ``ended`` is Tekton's terminationReason.

    ``ended``: Completed, Continued (failed under ``onError: continue``), Error, Skipped, TimeoutExceeded or Cancelled.
    """

    name: str
    exit_code: int
    ended: str
    message: str = ""
    seconds: float = 0.0
    results: Mapping[str, Value] = field(default_factory=dict)
    carried: Mapping[str, str] = field(default_factory=dict)
    """The task's results as texts, as they were when the step ended; none when they were too large."""
    stops: bool = False
    """Whether the steps after it are skipped (not so for results that are too large)."""

    @property
    def failed(self) -> bool:
        return self.ended not in {"Completed", "Continued"} and self.exit_code != 0


@dataclass(frozen=True)
class TaskOutcome:
    """One pipeline task (or the one task of a TaskRun); seconds are wall time over all attempts."""

    name: str
    status: Status
    reason: str
    message: str = ""
    exit_code: int | None = None
    results: Mapping[str, Value] = field(default_factory=dict)
    steps: tuple[StepOutcome, ...] = ()
    seconds: float = 0.0
    attempts: int = 1
    is_finally: bool = False
    ends_run: bool = False
    """Whether what is wrong with it ends the whole run at once, without ``finally``."""
    display_name: str = ""
    """What tells a TaskRun of a matrix from the others."""
    children: tuple[TaskOutcome, ...] = ()
    """The TaskRuns of a matrix, called ``task-0``, ``task-1``, …"""

    @property
    def failed(self) -> bool:
        return self.status is Status.FAILED

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "status": str(self.status),
            "reason": str(self.reason),
            "message": self.message,
            "exit_code": self.exit_code,
            "attempts": self.attempts,
            "seconds": round(self.seconds, 3),
            "results": dict(self.results),
            "steps": [
                {
                    "name": step.name,
                    "exit_code": step.exit_code,
                    "ended": step.ended,
                    "message": step.message,
                    "seconds": round(step.seconds, 3),
                }
                for step in self.steps
            ],
            **({"display_name": self.display_name} if self.display_name else {}),
            **({"children": [child.as_json() for child in self.children]} if self.children else {}),
        }


@dataclass(frozen=True)
class RunOutcome:
    """A whole TaskRun or PipelineRun; ``workspaces`` says where the workspaces of the run lie on this machine."""

    kind: str
    name: str
    status: Status
    reason: str
    message: str = ""
    tasks: tuple[TaskOutcome, ...] = ()
    results: Mapping[str, Value] = field(default_factory=dict)
    seconds: float = 0.0
    workspaces: Mapping[str, Path] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        return self.status is Status.SUCCEEDED

    def every(self) -> dict[str, TaskOutcome]:
        """All tasks by name, the TaskRuns of a matrix among them."""
        children = {child.name: child for task in self.tasks for child in task.children}
        return {**children, **{task.name: task for task in self.tasks}}

    def task(self, name: str) -> TaskOutcome:
        """The outcome of a task by its name; KeyError when there is none."""
        return self.every()[name]

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "name": self.name,
            "status": str(self.status),
            "reason": str(self.reason),
            "message": self.message,
            "seconds": round(self.seconds, 3),
            "results": dict(self.results),
            "tasks": [task.as_json() for task in self.tasks],
        }
