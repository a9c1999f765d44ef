"""One PipelineRun: the scheduler's decisions carried out, one thread for each running TaskRun.

A pipeline task with a ``matrix`` is several TaskRuns, which share the threads; it is over when all of them are.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import Any

from catalog.engine import conclusion, matrix, scheduling, taskrun
from catalog.engine.outcomes import Reason, RunOutcome, Status, TaskOutcome
from catalog.engine.planning import Plan, PlannedTask
from catalog.engine.process import Cancellation
from catalog.engine.scheduling import Graph, Node, Ready, State
from catalog.engine.substitution import Replacements
from catalog.engine.taskrun import TaskRun, Workshop


@dataclass(frozen=True)
class Share:
    """One TaskRun of a pipeline task: of ``number`` of a matrix the one in this ``place``, else the only one."""

    node: Node
    task_run: TaskRun
    place: int = 0
    number: int = 1
    display_name: str = ""


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
    ended: SimpleQueue[tuple[Share, TaskOutcome] | BaseException | None] = field(default_factory=SimpleQueue)
    shares: dict[str, dict[int, TaskOutcome]] = field(default_factory=dict)
    """Of each running matrix the TaskRuns that ended, by their place."""
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
            for share in self._shares(ready):
                pool.submit(self._work, share)
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
            self._collect(*ended)

    def _collect(self, share: Share, outcome: TaskOutcome) -> None:
        """Takes a TaskRun that ended; the last one of a matrix settles its task."""
        if not share.node.is_matrixed:
            self._settle(outcome)
            return
        name = share.node.name
        so_far = self.shares.setdefault(name, {})
        so_far[share.place] = outcome
        if share.number > 1:
            self.workshop.listener.task_finished(outcome)
        if len(so_far) == share.number:
            children = [so_far[place] for place in sorted(so_far)]
            self._settle(matrix.gathered(name, children, is_finally=share.node.is_finally))

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

    def _work(self, share: Share) -> None:
        """In a thread of its own: one TaskRun from start to end."""
        try:
            self.workshop.listener.task_started(share.task_run.label, share.display_name)
            switch = self.last if share.node.is_finally else self.main
            outcome = taskrun.run(share.task_run, self.workshop, switch)
            if outcome.reason == Reason.STEP_FAILED and share.node.ignores_failure:
                outcome = replace(outcome, reason=Reason.IGNORED)
            outcome = replace(outcome, is_finally=share.node.is_finally, display_name=share.display_name)
            self.ended.put((share, outcome))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self.ended.put(error)

    def _shares(self, ready: Ready) -> list[Share]:
        """The TaskRuns of a task that is to start."""
        task, node = self.planned[ready.node.name], ready.node
        whole = self._task_run(task, ready.body)
        if not node.is_matrixed:
            return [Share(node, whole)]
        filled = {**ready.body, "matrix": self._late(ready.body).matrix(ready.body["matrix"])}
        combinations = matrix.runs(filled["matrix"])
        number = len(combinations)
        if number > 1:
            self.workshop.listener.task_started(task.name, f"{number} TaskRuns")
        names = zip(matrix.labels(task.name, number), matrix.labels(task.run_name, number), strict=True)
        shares = []
        for place, ((label, name), values) in enumerate(zip(names, combinations, strict=True)):
            # An inline task is called after its TaskRun.
            task_name = name if task.task_name == task.run_name else task.task_name
            params = {**values, **whole.params}
            one = replace(whole, label=label, name=name, task_name=task_name, params=params)
            shares.append(Share(node, one, place, number, matrix.display_name(filled, params)))
        return shares

    def _late(self, body: Mapping[str, Any]) -> Replacements:
        """The variables that Tekton fills in when it creates a TaskRun (ApplyPipelineTaskContexts)."""
        bodies = {name: task.body for name, task in self.planned.items() if not task.is_finally}
        own = Replacements({"context.pipelineTask.retries": str(int(body.get("retries") or 0))})
        return own | matrix.lengths(body.get("params") or (), bodies, self.state.outcomes)

    def _task_run(self, task: PlannedTask, body: Mapping[str, Any]) -> TaskRun:
        known = self._late(body)
        # Results that earlier tasks wrote reach the spec of a referenced Task too (PropagateResults).
        spec = scheduling.propagated(self.state.outcomes).task_spec(body.get("taskSpec") or task.spec)
        return TaskRun(
            label=task.name,
            name=task.run_name,
            task_name=task.task_name,
            spec=spec,
            params={param["name"]: param["value"] for param in known.params(body.get("params") or ())},
            workspaces=self.plan.bindings_for(body),
            retries=int(body.get("retries") or 0),
            timeout=task.timeout,
            context=self.plan.context,
        )

    def _outcome(self) -> RunOutcome:
        status, reason, message = conclusion.verdict(self.graph, self.state)
        results, broken = conclusion.pipeline_results(self.plan.results, self.state.outcomes, self.graph.forgotten)
        if broken:
            status, reason = Status.FAILED, Reason.NO_PIPELINE_RESULT
            message = f"the results {', '.join(broken)} name task results that were not written; {message}"
        return RunOutcome(
            kind=self.plan.kind,
            name=self.plan.name,
            status=status,
            reason=reason,
            message=message,
            tasks=conclusion.as_told(self.graph, self.state),
            results=results,
            seconds=time.monotonic() - self.began,
            workspaces=self.plan.folders(self.workshop.volumes),
        )
