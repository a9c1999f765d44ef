"""Runs a program as a child: passes its output on as it comes, watches time and memory, ends what it leaves behind."""

from __future__ import annotations

import os
import resource
import select
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Self, cast

from sklearn_train.cgroup import MemoryGroup
from sklearn_train.process_tree import descendants, end_processes, end_with_parent, name_of, only, reap, session_of
from taskkit.command_line import say

HEARTBEAT_SECONDS = 30.0
# The kernel kills the whole container at its limit, so the script is stopped a little before.
MEMORY_SHARE = 0.95
GRACE_SECONDS = 10.0
LEFTOVER_GRACE_SECONDS = 2.0
_POLL_SECONDS = 0.25
_RESIDENT_SECONDS = 1.0
_READ = 1 << 16
# A pipe holds 64 KiB by default; who writes more after the child's end is a leftover.
_DRAIN_READS = 16
_TAIL = 1 << 14
_LONGEST_LINE = 1 << 16
_BEGUN_SECONDS = 1.0


@dataclass(frozen=True)
class Watch:
    """How a child is watched. ``output``: its lines are passed on, else they are kept for an error only."""

    memory: MemoryGroup | None = None
    heartbeat_seconds: float = HEARTBEAT_SECONDS
    output: bool = True
    alone: bool = False
    """No other child runs at the same time, so that every process below this program belongs to it."""


@dataclass(frozen=True)
class Ended:
    """``code`` is the exit code, negative for a signal, as subprocess has it. Memory in bytes, time in seconds."""

    code: int
    seconds: float
    peak_memory: int
    last_line: str
    """The last line that is not blank, of stderr where it wrote there."""
    error_tail: str = ""
    """The end of what it wrote to stderr."""
    output_tail: str = ""
    """The end of what it wrote to stdout."""
    stopped_at_memory: int = 0
    """What was in use when it was stopped near the memory limit; 0 where it was not."""
    left_behind: tuple[str, ...] = ()


@dataclass(eq=False)
class _Stream:
    """Passes on whole lines, so that those of stdout and stderr don't get into each other."""

    source: FileIO
    target: BinaryIO | None
    tail: bytearray = field(default_factory=bytearray)
    _begun: bytearray = field(default_factory=bytearray)
    """The beginning of a line whose end has not come yet."""
    _at_start: bool = True
    last_sign: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        os.set_blocking(self.source.fileno(), False)

    def pass_on(self) -> bool:
        """Passes on what is there; False at the end of the stream."""
        try:
            content = os.read(self.source.fileno(), _READ)
        except BlockingIOError:
            return True
        self.last_sign = time.monotonic()
        self.tail += content
        del self.tail[:-_TAIL]
        if self.target is not None:
            self._begun += content
            # A progress bar begins its line again and again and never ends it.
            whole = max(self._begun.rfind(b"\n"), self._begun.rfind(b"\r")) + 1
            self._write(whole if content and len(self._begun) <= _LONGEST_LINE else len(self._begun))
        return bool(content)

    def pass_on_begun(self) -> None:
        """For a line that is not going to end soon, such as a question or dots."""
        if self.target is not None:
            self._write(len(self._begun))

    def end_line(self) -> None:
        """So that what others write next stands on a line of its own."""
        self.pass_on_begun()
        if self.target is not None and not self._at_start:
            self.target.write(b"\n")
            self.target.flush()
            self._at_start = True

    def _write(self, count: int) -> None:
        if self.target is not None and count:
            self.target.write(self._begun[:count])
            self.target.flush()
            self._at_start = self._begun[count - 1 : count] == b"\n"
            del self._begun[:count]

    def drain(self) -> None:
        """Passes on what is still in the pipe, and does not wait for others that hold it open."""
        left = _DRAIN_READS
        while left and select.select([self.source], [], [], 0)[0] and self.pass_on():
            left -= 1
        self.end_line()

    def text(self) -> str:
        return self.tail.decode("utf-8", "replace")

    def last_line(self) -> str:
        return next((line.strip() for line in reversed(self.text().splitlines()) if line.strip()), "")


class SupervisedProcess:
    """A running child in a session of its own. Used as a context, which ends whatever still runs when it is left."""

    def __init__(
        self, command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], watch: Watch, name: str
    ) -> None:
        self._watch, self._name = watch, name
        self._started = time.monotonic()
        self._peak = 0
        self.child = subprocess.Popen(
            list(command), cwd=cwd, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True, bufsize=0,
            preexec_fn=end_with_parent,  # noqa: PLW1509 - this program starts no threads
        )  # fmt: skip
        targets = (sys.stdout.buffer, sys.stderr.buffer) if watch.output else (None, None)
        sources = (cast("FileIO", self.child.stdout), cast("FileIO", self.child.stderr))
        self._output, self._error = (_Stream(source, target) for source, target in zip(sources, targets, strict=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_all(GRACE_SECONDS)
        for stream in (self._output, self._error):
            stream.source.close()

    def wait(self) -> Ended:
        """Returns when the child itself ended, whoever still holds its output; what it left behind is ended then."""
        exit_event = os.pidfd_open(self.child.pid)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(exit_event, selectors.EVENT_READ, None)
                for stream in (self._output, self._error):
                    selector.register(stream.source, selectors.EVENT_READ, stream)
                stopped_at = self._follow(selector)
        finally:
            os.close(exit_event)
        code = self.child.wait()
        self._peak = max(self._peak, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10)
        for stream in (self._output, self._error):
            stream.drain()
        left = self._end_all(LEFTOVER_GRACE_SECONDS)
        seconds = time.monotonic() - self._started
        last_line = self._error.last_line() or self._output.last_line()
        return Ended(code, seconds, self._peak, last_line, self._error.text(), self._output.text(), stopped_at, left)

    def _follow(self, selector: selectors.BaseSelector) -> int:
        """Until the child ends. What was in use when it was stopped near the memory limit, else 0."""
        stopped_at = resident = 0
        last_sign = last_look = last_count = time.monotonic()
        while True:
            ready = [key.data for key, _ in selector.select(_POLL_SECONDS)]
            now = time.monotonic()
            for stream in ready:
                if stream is not None:
                    last_sign = now
                    if not stream.pass_on():
                        selector.unregister(stream.source)
            if None in ready:
                return stopped_at
            if now - last_look >= _POLL_SECONDS:
                last_look = now
                for stream in (self._output, self._error):
                    if now - stream.last_sign >= _BEGUN_SECONDS:
                        stream.pass_on_begun()
                if now - last_count >= _RESIDENT_SECONDS:
                    last_count = now
                    resident = self._resident()
                if not stopped_at:
                    stopped_at = self._near_limit()
                    if stopped_at:
                        self.child.kill()
                if self._watch.heartbeat_seconds and now - last_sign >= self._watch.heartbeat_seconds:
                    last_sign = now
                    self._output.end_line()
                    say(f"{self._name}: still running after {duration(now - self._started)}, "
                        f"memory {size(resident)} now, {size(self._peak)} at most")  # fmt: skip

    def _resident(self) -> int:
        """Bytes that the child and everything below it hold now."""
        memory = sum(process.memory for process in (*descendants(self.child.pid), *only(self.child.pid)))
        self._peak = max(self._peak, memory)
        return memory

    def _near_limit(self) -> int:
        """The bytes in use where they are near the limit, else 0."""
        memory = self._watch.memory
        if memory is not None:
            with suppress(OSError, ValueError):
                if (used := memory.working_set()) >= memory.limit * MEMORY_SHARE:
                    return used
        return 0

    def _end_all(self, grace: float) -> tuple[str, ...]:
        """Ends the child and what belongs to it; names what was still running besides the child.

        Orphans became children of this program (process_tree.adopt_orphans): those of the child's session are its own,
        and where the child is the only one, so are those that made a session for themselves.
        """
        running = {process.id for process in descendants(os.getpid()) if not process.ended and (
            self._watch.alone or session_of(process.id) == self.child.pid)}  # fmt: skip
        names = tuple(name_of(process_id) for process_id in sorted(running - {self.child.pid}))
        end_processes(running, grace)
        self.child.wait()
        reap(running - {self.child.pid})
        return names


def duration(seconds: float) -> str:
    """For people: ``1 h 2 min``, ``3 min 20 s``, ``4.2 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def size(amount: int) -> str:
    """Bytes for people: ``312 MiB``."""
    value, unit = float(amount), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):  # noqa: B007
        if value < 1024:
            break
        value /= 1024
    return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"
