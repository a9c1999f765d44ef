"""What a person sees of a run: lines as they come, and what is running now where there is a terminal."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from catalog.engine import report
from catalog.engine.outcomes import RunOutcome, Status, TaskOutcome

if TYPE_CHECKING:  # rich takes a tenth of a second to import, which a run without a terminal need not wait for
    from rich.console import Console, RenderableType
    from rich.live import Live

    from catalog.engine.planning import Plan

_STYLES = {Status.SUCCEEDED: "green", Status.FAILED: "bold red", Status.SKIPPED: "yellow", Status.NOT_RUN: "yellow"}


def for_stream(stream: TextIO) -> Display:
    """A live display for a terminal, plain lines for everything else."""
    return LiveDisplay(stream) if stream.isatty() else Display(stream)


@dataclass
class Display:
    """Plain lines."""

    stream: TextIO
    last_lines: dict[str, str] = field(default_factory=dict)
    """What each task printed last, for explaining a failure."""
    several_steps: frozenset[str] = frozenset()

    def close(self) -> None:
        """Leaves the terminal in order; nothing to do here."""

    def run_started(self, plan: Plan) -> None:
        self.several_steps = frozenset(task.name for task in plan.tasks if len(task.spec["steps"]) > 1)
        self._say("", f"{plan.kind} {plan.name}: {', '.join(task.name for task in plan.tasks)}")

    def notice(self, text: str) -> None:
        self._say("", f"note: {text}")

    def task_started(self, task: str, about: str = "") -> None:
        self._say(task, f"started: {about}" if about else "started")

    def step_started(self, task: str, step: str) -> None:
        of_matrix = task.rpartition("-")[0]
        if not self.several_steps.isdisjoint({task, of_matrix}):
            self._say(task, f"step {step}")

    def line(self, task: str, step: str, text: str) -> None:  # noqa: ARG002 - steps have their own lines
        if text.strip():
            self.last_lines[task] = text.strip()
        self._log(task, text)

    def task_finished(self, outcome: TaskOutcome) -> None:
        reason = "" if outcome.reason == outcome.status else f": {outcome.reason}"
        took = f" in {report.duration(outcome.seconds)}" if outcome.steps or outcome.children else ""
        self._say(outcome.name, f"{outcome.status}{took}{reason}", outcome.status)

    def run_finished(self, outcome: RunOutcome) -> None:
        self.close()
        self._end(outcome)

    def _end(self, outcome: RunOutcome) -> None:
        lines = ["", *report.text_table(outcome), *report.explanations(outcome, self.last_lines)]
        lines += [f"{name} = {value}" for name, value in report.run_results(outcome)]
        print("\n".join([*lines, report.headline(outcome)]), file=self.stream, flush=True)

    def _say(self, task: str, text: str, status: Status | None = None) -> None:  # noqa: ARG002 - for subclasses
        print(f"[{task}] {text}" if task else text, file=self.stream, flush=True)

    def _log(self, task: str, text: str) -> None:
        print(f"[{task}] {text}", file=self.stream, flush=True)


class LiveDisplay(Display):
    """Colours, and below the lines the tasks that run now with their time."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        from rich.console import Console

        self.console: Console = Console(file=stream, highlight=False, soft_wrap=False)
        self.live: Live | None = None
        self.running: dict[str, float] = {}
        self.waiting: list[str] = []

    def run_started(self, plan: Plan) -> None:
        from rich.live import Live

        super().run_started(plan)
        self.waiting = [task.name for task in plan.tasks]
        self.live = Live(
            get_renderable=self._progress, console=self.console, transient=True, refresh_per_second=5,
            redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip
        self.live.start()

    def close(self) -> None:
        if self.live:
            self.live.stop()
            self.live = None

    def task_started(self, task: str, about: str = "") -> None:  # noqa: ARG002 - the table at the end tells it
        self.running[task] = time.monotonic()
        self._left(task)

    def task_finished(self, outcome: TaskOutcome) -> None:
        self.running.pop(outcome.name, None)
        self._left(outcome.name)
        super().task_finished(outcome)

    def _left(self, task: str) -> None:
        self.waiting = [name for name in self.waiting if name != task]

    def _progress(self) -> RenderableType:
        from rich.console import Group
        from rich.spinner import Spinner
        from rich.text import Text

        now = time.monotonic()
        lines: list[RenderableType] = [
            Spinner("dots", Text.assemble((name, "bold cyan"), f"  {report.duration(now - began)}"))
            for name, began in list(self.running.items())
        ]
        if self.waiting:
            lines.append(Text(f"  waiting: {', '.join(self.waiting)}", style="dim", overflow="ellipsis", no_wrap=True))
        return Group(*lines)

    def _say(self, task: str, text: str, status: Status | None = None) -> None:
        from rich.text import Text

        prefix = (f"[{task}] ", "bold cyan") if task else ""
        self.console.print(Text.assemble(prefix, (text, _STYLES[status] if status else "dim")))

    def _log(self, task: str, text: str) -> None:
        from rich.text import Text

        line = Text(f"[{task}] ", style="cyan")
        self.console.print(line.append_text(_uncoloured(text)))

    def _end(self, outcome: RunOutcome) -> None:
        from rich.text import Text

        self.console.print()
        self.console.print(_table(outcome, self.console.width))
        for text in report.explanations(outcome, self.last_lines):
            self.console.print(Text(text, style="red"))
        for name, value in report.run_results(outcome):
            self.console.print(Text.assemble((f"{name} ", "bold"), f"= {value}"))
        self.console.print(Text(report.headline(outcome), style=_STYLES[outcome.status]))


def _uncoloured(text: str) -> Any:
    """A line of a program with its own colours kept and everything that moves the cursor taken out."""
    from rich.text import Text

    shown = Text.from_ansi(text)
    shown.style = ""
    return shown


def _table(outcome: RunOutcome, width: int) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    rows = report.rows(outcome)
    cells = [report.HEADER[:-1], *((row.task, str(row.status), row.reason, row.time) for row in rows)]
    others = sum(max(map(len, column)) + 3 for column in zip(*cells, strict=True))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title in report.HEADER:
        table.add_column(title, justify="right" if title == "time" else "left", overflow="fold")
    for row in report.rows(outcome, max(20, width - others)):
        results = Text("\n".join(row.results))
        table.add_row(row.task, Text(str(row.status), style=_STYLES[row.status]), row.reason, row.time, results)
    return table
