"""What a run tells while it goes on. Calls come from several threads, one after the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

from catalog.engine.outcomes import RunOutcome, TaskOutcome
from catalog.engine.planning import Plan


class Listener(Protocol):
    """Somebody who watches a run."""

    def run_started(self, plan: Plan) -> None: ...

    def notice(self, text: str) -> None:
        """A remark of the engine itself."""

    def task_started(self, task: str, about: str = "") -> None:
        """``about`` tells which run of a matrix it is, or how many there are."""

    def step_started(self, task: str, step: str) -> None: ...

    def line(self, task: str, step: str, text: str) -> None:
        """A line that a step printed."""

    def task_finished(self, outcome: TaskOutcome) -> None:
        """Also for tasks that never started."""

    def run_finished(self, outcome: RunOutcome) -> None: ...


@dataclass
class Recorder:
    """Keeps everything, for tests and for looking back."""

    notices: list[str] = field(default_factory=list)
    lines: list[tuple[str, str, str]] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)

    def run_started(self, plan: Plan) -> None:
        self.events.append(("run started", plan.name))

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def task_started(self, task: str, about: str = "") -> None:  # noqa: ARG002 - nothing asks for it later
        self.events.append(("started", task))

    def step_started(self, task: str, step: str) -> None:
        self.events.append(("step", f"{task}/{step}"))

    def line(self, task: str, step: str, text: str) -> None:
        self.lines.append((task, step, text))

    def task_finished(self, outcome: TaskOutcome) -> None:
        self.events.append(("finished", outcome.name))

    def run_finished(self, outcome: RunOutcome) -> None:
        self.events.append(("run finished", outcome.name))

    def log(self, task: str | None = None) -> str:
        """What the steps of a task, or of all tasks, printed."""
        return "\n".join(text for name, _, text in self.lines if task in {None, name})


@dataclass
class OneAtATime:
    """Passes on what several threads tell, one call after the other."""

    listener: Listener
    _lock: Lock = field(default_factory=Lock, repr=False)

    def run_started(self, plan: Plan) -> None:
        with self._lock:
            self.listener.run_started(plan)

    def notice(self, text: str) -> None:
        with self._lock:
            self.listener.notice(text)

    def task_started(self, task: str, about: str = "") -> None:
        with self._lock:
            self.listener.task_started(task, about)

    def step_started(self, task: str, step: str) -> None:
        with self._lock:
            self.listener.step_started(task, step)

    def line(self, task: str, step: str, text: str) -> None:
        with self._lock:
            self.listener.line(task, step, text)

    def task_finished(self, outcome: TaskOutcome) -> None:
        with self._lock:
            self.listener.task_finished(outcome)

    def run_finished(self, outcome: RunOutcome) -> None:
        with self._lock:
            self.listener.run_finished(outcome)
