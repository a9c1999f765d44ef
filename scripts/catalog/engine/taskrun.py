"""One TaskRun: attempts, steps one after the other, results.

The order of the substitutions is the controller's: params, context, results, step exit codes, workspaces; then
stepTemplate and Kubernetes' own expansion (applyParamsContextsResultsAndWorkspaces in pkg/reconciler/taskrun).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Timer
from typing import Any

from catalog.engine import params as parameters
from catalog.engine import results, steps
from catalog.engine.events import Listener
from catalog.engine.outcomes import Reason, Status, StepOutcome, TaskOutcome
from catalog.engine.process import Cancellation
from catalog.engine.programs import ProgramError, Programs
from catalog.engine.substitution import IndexOutOfBoundsError, Replacements, Value
from catalog.engine.workspaces import Volumes, WorkspaceError


@dataclass(frozen=True)
class TaskRun:
    """A Task's spec with everything that this one run gives it; seconds for ``timeout``, 0 for none."""

    label: str
    """How it is called in logs: the pipeline task's name, or the TaskRun's."""
    name: str
    task_name: str
    spec: Mapping[str, Any]
    params: Mapping[str, Value] = field(default_factory=dict)
    workspaces: tuple[Mapping[str, Any], ...] = ()
    retries: int = 0
    timeout: float = 0.0
    context: Mapping[str, str] = field(default_factory=dict)
    """Further ``$(context.…)`` values: namespace and uid."""


@dataclass(frozen=True)
class Workshop:
    """What all TaskRuns of a run share."""

    volumes: Volumes
    programs: Programs
    listener: Listener

    def room(self, label: str) -> steps.Room:
        return steps.Room(self.volumes.fresh(f"taskrun-{label}"))


class Invalid(Exception):  # noqa: N818 - a verdict on the TaskRun, not a fault of the engine
    """The TaskRun cannot be run as it is; Tekton's TaskRunValidationFailed."""


def run(task_run: TaskRun, workshop: Workshop, cancellation: Cancellation) -> TaskOutcome:
    """Runs a TaskRun to its end with its retries; every failure except a cancellation is tried again.

    The timeout counts for each attempt anew. Source: docs/taskruns.md#specifying-retries
    """
    began = time.monotonic()
    attempt = 0
    while True:
        outcome = _attempt(task_run, attempt, workshop, cancellation)
        attempt += 1
        if not outcome.failed or attempt > task_run.retries or cancellation.thrown:
            return replace(outcome, seconds=time.monotonic() - began, attempts=attempt)
        workshop.listener.notice(
            f"{task_run.label}: {outcome.reason}: {outcome.message}; retry {attempt} of {task_run.retries}"
        )


def _attempt(task_run: TaskRun, attempt: int, workshop: Workshop, outer: Cancellation) -> TaskOutcome:
    # The TaskRun's own timeout and the run's end both throw this switch.
    own = Cancellation()
    timed_out = f"TaskRun {task_run.name} did not finish within {task_run.timeout:g} seconds"
    timer = Timer(task_run.timeout, own.throw, (timed_out,)) if task_run.timeout else None

    def pass_on() -> None:
        own.throw(outer.reason)

    outer.subscribe(pass_on)
    if timer:
        timer.daemon = True
        timer.start()
    try:
        outcome = _Attempt(task_run, attempt, workshop, own).run()
    except (Invalid, IndexOutOfBoundsError, WorkspaceError, steps.StepError, ProgramError) as error:
        return TaskOutcome(task_run.label, Status.FAILED, Reason.TASK_INVALID, str(error))
    finally:
        outer.unsubscribe(pass_on)
        if timer:
            timer.cancel()
    if own.thrown and outcome.failed:
        reason = Reason.TASK_TIMEOUT if own.reason == timed_out else Reason.TASK_CANCELLED
        return replace(outcome, reason=reason, message=own.reason)
    return outcome


@dataclass
class _Attempt:
    task_run: TaskRun
    number: int
    workshop: Workshop
    cancellation: Cancellation

    def run(self) -> TaskOutcome:
        spec = self.task_run.spec
        declared = parameters.specs(spec)
        values = parameters.task_values(declared, self.task_run.params)
        if problems := parameters.problems(declared, values):
            raise Invalid("; ".join(problems))
        named = steps.merged(spec["steps"], spec.get("stepTemplate"))
        names = [steps.step_name(step, index) for index, step in enumerate(named)]
        room = self.workshop.room(self.task_run.label)
        room.make(names)
        spec = self._substituted(spec, values, room, names)
        merged = steps.merged(spec["steps"], spec.get("stepTemplate"))
        around = steps.Surroundings(
            room=room,
            programs=self.workshop.programs,
            documents=self.workshop.volumes.documents,
            declared_results=tuple(result["name"] for result in spec.get("results") or ()),
            cancellation=self.cancellation,
            on_line=lambda step, text: self.workshop.listener.line(self.task_run.label, step, text),
        )
        outcomes = self._run_steps(list(zip(names, merged, strict=True)), around)
        return self._outcome(spec, outcomes)

    def _substituted(
        self, spec: Mapping[str, Any], values: Mapping[str, Value], room: steps.Room, names: Iterable[str]
    ) -> dict[str, Any]:
        task_run = self.task_run
        context: dict[str, Value] = {
            "context.taskRun.name": task_run.name,
            "context.taskRun.namespace": "default",
            "context.taskRun.uid": "",
            "context.task.name": task_run.task_name,
            "context.task.retry-count": str(self.number),
            **task_run.context,
        }
        paths: dict[str, Value] = {
            f"results.{result['name']}.path": str(room.results / result["name"]) for result in spec.get("results") or ()
        }
        codes: dict[str, Value] = {f"steps.step-{name}.exitCode.path": str(room.exit_code(name)) for name in names}
        result = spec
        workspaces = self._workspaces(spec)
        for phase in (parameters.task_replacements(values), *map(Replacements, (context, paths, codes, workspaces))):
            result = phase.task_spec(result)
        # A step's own results are known to that step only (docs/stepactions.md#emitting-results).
        own = [
            Replacements(
                {
                    f"step.results.{declared['name']}.path": str(room.step_results(name) / declared["name"])
                    for declared in step.get("results") or ()
                }
            )
            for name, step in zip(names, result["steps"], strict=True)
        ]
        return {**result, "steps": [mine.step(step) for mine, step in zip(own, result["steps"], strict=True)]}

    def _workspaces(self, spec: Mapping[str, Any]) -> dict[str, Value]:
        """The ``$(workspaces.…)`` variables. Optional ones that are not bound have an empty path."""
        bound = {binding["name"]: binding for binding in self.task_run.workspaces}
        values: dict[str, Value] = {}
        for declared in spec.get("workspaces") or ():
            name = declared["name"]
            prefix = f"workspaces.{name}"
            binding = bound.get(name)
            if binding is None and not declared.get("optional"):
                raise Invalid(f"workspace {name} is not bound; bind it in the run or use --workspace {name}=<folder>")
            path = "" if binding is None else str(self.workshop.volumes.workspace(binding, name))
            claim = ((binding or {}).get("persistentVolumeClaim") or {}).get("claimName", "")
            values |= {
                f"{prefix}.path": path,
                f"{prefix}.bound": "true" if binding else "false",
                f"{prefix}.claim": claim,
                f"{prefix}.volume": f"ws-{name}" if binding else "",
            }
        return values

    def _run_steps(
        self, named: list[tuple[str, dict[str, Any]]], around: steps.Surroundings
    ) -> tuple[StepOutcome, ...]:
        outcomes: list[StepOutcome] = []
        earlier: dict[str, Value] = {}
        for name, step in named:
            if any(outcome.stops for outcome in outcomes) or self.cancellation.thrown:
                outcomes.append(StepOutcome(name, 1, "Skipped", "an earlier step failed", stops=True))
                continue
            self.workshop.listener.step_started(self.task_run.label, name)
            outcome = steps.run(step, name, around, earlier)
            earlier |= {f"steps.{name}.results.{result}": value for result, value in outcome.results.items()}
            outcomes.append(outcome)
        return tuple(outcomes)

    def _outcome(self, spec: Mapping[str, Any], outcomes: tuple[StepOutcome, ...]) -> TaskOutcome:
        declared = spec.get("results") or []
        texts = {name: text for step in outcomes for name, text in step.carried.items()}
        values, problems = results.parse_all(declared, texts)
        late = Replacements(
            {f"steps.{step.name}.results.{name}": value for step in outcomes for name, value in step.results.items()}
        )
        for result in declared:
            if isinstance(value := result.get("value"), str) and (filled := late.value(value)) != value:
                values[result["name"]] = filled
        failing = next((step for step in outcomes if step.failed), None)
        last = outcomes[-1] if outcomes else None
        outcome = TaskOutcome(
            name=self.task_run.label,
            status=Status.SUCCEEDED,
            reason=Reason.SUCCEEDED,
            exit_code=last.exit_code if last else None,
            results=values,
            steps=outcomes,
        )
        if failing:
            message = f"step {failing.name} {failing.message}"
            code = failing.exit_code
            return replace(outcome, status=Status.FAILED, reason=Reason.STEP_FAILED, message=message, exit_code=code)
        if problems:
            return replace(outcome, status=Status.FAILED, reason=Reason.TASK_INVALID, message="; ".join(problems))
        return outcome


def workspace_folders(task_run: TaskRun, volumes: Volumes) -> dict[str, Path]:
    """Where the workspaces that outlive the TaskRun lie on this machine."""
    lasting = (b for b in task_run.workspaces if "folder" in b or "persistentVolumeClaim" in b)
    return {binding["name"]: volumes.workspace(binding, binding["name"]) for binding in lasting}
