"""One PipelineRun: the scheduler's decisions carried out, one thread for each running task."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import Any

from catalog.engine import scheduling, taskrun
from catalog.engine.outcomes import Reason, RunOutcome, Status, TaskOutcome
from catalog.engine.planning import Plan, PlannedTask
from catalog.engine.process import Cancellation
from catalog.engine.scheduling import Graph, Node, Ready, State
from catalog.engine.substitution import Replacements
from catalog.engine.taskrun import TaskRun, Workshop

_CANCELLED_BY = "cancelled as the PipelineRun's {} of {:g} seconds was over"


def run(plan: Plan, workshop: Workshop, cancellation: Cancellation, jobs: int) -> RunOutcome:
    """Runs a planned PipelineRun to its end; at most ``jobs`` tasks at a time."""
    return _PipelineRun(plan, workshop, cancellation, jobs).run()


@dataclass
class _PipelineRun:
    plan: Plan
    workshop: Workshop
    cancellation: Cancellation
    jobs: int
    state: State = field(default_factory=State)
    ended: SimpleQueue[TaskOutcome | BaseException | None] = field(default_factory=SimpleQueue)
    main: Cancellation = field(default_factory=Cancellation)
    last: Cancellation = field(default_factory=Cancellation)
    """Switches for the running tasks: those before, and those of ``finally``."""
    finally_began: float | None = None

    def run(self) -> RunOutcome:
        self.began = time.monotonic()
        self.graph = Graph(tuple(Node(task.name, task.body, task.is_finally) for task in self.plan.tasks))
        self.planned = {task.name: task for task in self.plan.tasks}
        self.cancellation.subscribe(self._wake)
        try:
            with ThreadPoolExecutor(max_workers=self.jobs) as pool:
                try:
                    while not self._advance(pool):
                        self._await()
                except BaseException:
                    # Nobody is left to wait for the tasks that still run.
                    self.main.throw("the engine stopped")
                    self.last.throw("the engine stopped")
                    raise
        finally:
            self.cancellation.unsubscribe(self._wake)
        return self._outcome()

    def _wake(self) -> None:
        self.ended.put(None)

    def _advance(self, pool: ThreadPoolExecutor) -> bool:
        """Carries out the next decision; True when there is nothing left to do."""
        self._look_at_the_clock()
        decision = scheduling.decide(self.graph, self.state)
        for outcome in decision.settled:
            self._settle(outcome)
        for ready in decision.ready[: max(0, self.jobs - len(self.state.running))]:
            self.state = replace(self.state, running=self.state.running | {ready.node.name})
            if ready.node.is_finally and self.finally_began is None:
                self.finally_began = time.monotonic()
            pool.submit(self._work, ready)
        return decision.done

    def _settle(self, outcome: TaskOutcome) -> None:
        outcomes = {**self.state.outcomes, outcome.name: outcome}
        self.state = replace(self.state, outcomes=outcomes, running=self.state.running - {outcome.name})
        self.workshop.listener.task_finished(outcome)

    def _await(self) -> None:
        """Waits for a task to end, for a time limit, or for the run to be cancelled."""
        deadline = min((limit for limit in self._deadlines().values() if limit is not None), default=None)
        try:
            ended = self.ended.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
        except Empty:
            return
        if isinstance(ended, BaseException):
            raise ended
        if ended is not None:
            self._settle(ended)

    def _deadlines(self) -> dict[str, float | None]:
        """When the limits that are not reached yet will be, on the monotonic clock."""
        timeouts, state = self.plan.timeouts, self.state
        limits = {
            "pipeline_over": (timeouts.pipeline, self.began),
            "tasks_over": (timeouts.tasks, self.began if self.finally_began is None else None),
            "finally_over": (timeouts.finally_, self.finally_began),
        }
        return {
            name: None if not length or start is None or getattr(state, name) else start + length
            for name, (length, start) in limits.items()
        }

    def _look_at_the_clock(self) -> None:
        now = time.monotonic()
        over = {name for name, limit in self._deadlines().items() if limit is not None and now >= limit}
        main_done = all(node.is_finally or node.name in self.state.outcomes for node in self.graph.nodes)
        if main_done:
            over -= {"tasks_over"}
        self.state = replace(
            self.state,
            cancelled=self.state.cancelled or self.cancellation.thrown,
            pipeline_over=self.state.pipeline_over or "pipeline_over" in over,
            tasks_over=self.state.tasks_over or "tasks_over" in over,
            finally_over=self.state.finally_over or "finally_over" in over,
        )
        timeouts = self.plan.timeouts
        if self.cancellation.thrown:
            self._throw(self.cancellation.reason, self.main, self.last)
        elif "pipeline_over" in over:
            self._throw(_CANCELLED_BY.format("timeout", timeouts.pipeline), self.main, self.last)
        elif "tasks_over" in over:
            self._throw(_CANCELLED_BY.format("timeout for tasks", timeouts.tasks), self.main)
        elif "finally_over" in over:
            self._throw(_CANCELLED_BY.format("timeout for finally", timeouts.finally_), self.last)

    @staticmethod
    def _throw(reason: str, *switches: Cancellation) -> None:
        for switch in switches:
            switch.throw(reason)

    def _work(self, ready: Ready) -> None:
        """In a thread of its own: one task from start to end."""
        try:
            task = self.planned[ready.node.name]
            self.workshop.listener.task_started(task.name)
            switch = self.last if task.is_finally else self.main
            outcome = taskrun.run(self._task_run(task, ready.body), self.workshop, switch)
            if outcome.reason == Reason.STEP_FAILED and ready.node.ignores_failure:
                outcome = replace(outcome, reason=Reason.IGNORED)
            self.ended.put(replace(outcome, is_finally=task.is_finally))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self.ended.put(error)

    def _task_run(self, task: PlannedTask, body: Mapping[str, Any]) -> TaskRun:
        retries = int(body.get("retries") or 0)
        known = Replacements({"context.pipelineTask.retries": str(retries)})
        # Results that earlier tasks wrote reach the spec of a referenced Task too (PropagateResults).
        spec = scheduling.result_values(self.state.outcomes).task_spec(body.get("taskSpec") or task.spec)
        return TaskRun(
            label=task.name,
            name=task.run_name,
            task_name=task.task_name,
            spec=spec,
            params={param["name"]: param["value"] for param in known.params(body.get("params") or ())},
            workspaces=self.plan.bindings_for(body),
            retries=retries,
            timeout=task.timeout,
            context=self.plan.context,
        )

    def _outcome(self) -> RunOutcome:
        status, reason, message = scheduling.verdict(self.graph, self.state)
        results, broken = scheduling.pipeline_results(self.plan.results, self.state.outcomes)
        if broken:
            status, reason = Status.FAILED, Reason.NO_PIPELINE_RESULT
            message = f"the results {', '.join(broken)} name task results that were not written; {message}"
        return RunOutcome(
            kind=self.plan.kind,
            name=self.plan.name,
            status=status,
            reason=reason,
            message=message,
            tasks=tuple(self.state.outcomes[node.name] for node in self.graph.nodes),
            results=results,
            seconds=time.monotonic() - self.began,
            workspaces=self.plan.folders(self.workshop.volumes),
        )
