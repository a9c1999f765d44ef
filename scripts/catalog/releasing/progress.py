"""What is seen of a release: bars in a terminal, a line per step elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

Advance = Callable[[int], None]


class Progress:
    """Steps one after another on stderr; what is printed at the end goes to stdout."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)

    def say(self, line: str) -> None:
        self.console.print(line, markup=False)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """A step whose length is not known."""
        began = time.monotonic()
        if self.console.is_terminal:
            with self.console.status(title):
                yield
        else:
            yield
        self._ended(title, "", began)

    @contextmanager
    def bytes(self, title: str, total: int) -> Iterator[Advance]:
        """A step that moves bytes; calling what it gives counts them, from any thread."""
        began, moved = time.monotonic(), 0
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Bars(*columns, console=self.console, transient=True, disable=not self.console.is_terminal) as bars:
            task = bars.add_task(title, total=total)

            def advance(count: int) -> None:
                nonlocal moved
                moved += count
                bars.advance(task, count)

            yield advance
        self._ended(title, f"{moved / 1e6:.1f} MB", began)

    def _ended(self, title: str, amount: str, began: float) -> None:
        seconds = time.monotonic() - began
        self.say(f"{title:<44}{amount:>10}{seconds:>8.1f} s")
