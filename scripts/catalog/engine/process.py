"""One process with everything it starts: run, streamed line by line, and ended as a whole.

A container takes all of its processes along when its first one ends. Here a session and process group of its own does
that for the ordinary case; those that left the group are found by a mark in their environment (on Linux).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import selectors
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, RLock, Thread
from typing import Any

_MARK = "CATALOG_ENGINE_STEP"
_GRACE = 5.0
"""Seconds between the polite and the hard end of a process that is told to stop."""
_REST = 0.25
"""Seconds given to output that is still on its way when the process is gone."""
_LONGEST_LINE = 64 * 1024


@dataclass
class Cancellation:
    """A switch that ends running processes, from any thread; it is thrown once, for one reason."""

    reason: str = ""
    _thrown: bool = False
    _listeners: list[Callable[[], None]] = field(default_factory=list)
    # Reentrant: a signal handler may throw the switch while its own thread is at it.
    _lock: Any = field(default_factory=RLock, repr=False)

    @property
    def thrown(self) -> bool:
        return self._thrown

    def throw(self, reason: str) -> None:
        with self._lock:
            if self._thrown:
                return
            self.reason, self._thrown = reason, True
            listeners = list(self._listeners)
        for listener in listeners:
            listener()

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Has ``listener`` called when the switch is thrown, at once if it has been."""
        with self._lock:
            self._listeners.append(listener)
            thrown = self._thrown
        if thrown:
            listener()

    def unsubscribe(self, listener: Callable[[], None]) -> None:
        with self._lock:
            self._listeners.remove(listener)


@dataclass(frozen=True)
class Ended:
    """How a process ended: ``code`` is negative for a signal; ``why`` is "", "timeout" or "cancelled"."""

    code: int
    why: str
    seconds: float

    @property
    def signal(self) -> str | None:
        """The name of the signal that killed it."""
        if self.code >= 0:
            return None
        try:
            return signal.Signals(-self.code).name
        except ValueError:
            return f"signal {-self.code}"


_STARTING = Lock()


def write_executable(path: Path, text: str) -> None:
    """A script that can be executed at once.

    A process that another thread starts meanwhile would hold the file open for writing until its own program runs, and
    the kernel executes no such file ("text file busy"): so nothing starts while a script is written.
    """
    with _STARTING:
        path.write_text(text, encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    on_line: Callable[[str], None],
    cancellation: Cancellation,
    timeout: float | None = None,
) -> Ended:
    """Runs a command to its end; stdin is empty, stdout and stderr arrive at ``on_line`` in their order.

    Raises OSError when it cannot be started (not found, not executable, no such interpreter).
    """
    mark = secrets.token_hex(16)
    began = time.monotonic()
    wake_reader, wake_writer = os.pipe()
    os.set_blocking(wake_writer, False)

    def wake() -> None:
        with contextlib.suppress(OSError):
            os.write(wake_writer, b"x")

    try:
        with _STARTING:
            process = subprocess.Popen(
                list(argv),
                cwd=cwd,
                env={**env, _MARK: mark},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError:
        os.close(wake_reader)
        os.close(wake_writer)
        raise
    waiter = Thread(target=_wait, args=(process, wake), daemon=True)
    waiter.start()
    cancellation.subscribe(wake)
    try:
        deadline = None if timeout is None else began + timeout
        why = _Watch(process, mark, on_line, wake_reader, cancellation, deadline).until_gone()
    finally:
        cancellation.unsubscribe(wake)
        if process.returncode is None:  # something broke in the engine itself
            _end_all(process.pid, mark)
        waiter.join()
        os.close(wake_reader)
        os.close(wake_writer)
        if process.stdout:
            process.stdout.close()
    return Ended(process.returncode, why, time.monotonic() - began)


def _wait(process: subprocess.Popen[bytes], then: Callable[[], None]) -> None:
    process.wait()
    then()


class _Lines:
    """Cuts a stream of bytes into lines; of a line that was rewritten with carriage returns the last state counts."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = b""

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._emit(line)
        if len(self._rest) > _LONGEST_LINE:
            self.finish()

    def finish(self) -> None:
        if self._rest:
            self._emit(self._rest)
        self._rest = b""

    def _emit(self, line: bytes) -> None:
        self._on_line(line.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", errors="replace"))


@dataclass
class _Watch:
    process: subprocess.Popen[bytes]
    mark: str
    on_line: Callable[[str], None]
    wake: int
    cancellation: Cancellation
    deadline: float | None

    def until_gone(self) -> str:
        """Streams until the process is gone and its output read; says why it was told to stop, if it was."""
        assert self.process.stdout is not None  # noqa: S101 - a pipe was asked for
        lines = _Lines(self.on_line)
        output = self.process.stdout.fileno()
        why, kill_at = "", None
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            selector.register(self.wake, selectors.EVENT_READ)
            while self.process.returncode is None:
                for key, _ in selector.select(self._patience(why, kill_at)):
                    self._read(selector, key.fd, lines)
                now = time.monotonic()
                if not why and (why := self._reason(now)):
                    _signal_group(self.process.pid, signal.SIGTERM)
                    kill_at = now + _GRACE
                elif kill_at is not None and now >= kill_at:
                    _end_all(self.process.pid, self.mark)
                    kill_at = None
            _end_all(self.process.pid, self.mark)
            rest_until = time.monotonic() + _REST
            while output in selector.get_map() and (left := rest_until - time.monotonic()) > 0:
                for key, _ in selector.select(left):
                    self._read(selector, key.fd, lines)
        lines.finish()
        return why

    def _patience(self, why: str, kill_at: float | None) -> float | None:
        until = kill_at if why else self.deadline
        return None if until is None else max(0.0, until - time.monotonic())

    def _reason(self, now: float) -> str:
        if self.process.returncode is not None:
            return ""
        if self.cancellation.thrown:
            return "cancelled"
        return "timeout" if self.deadline is not None and now >= self.deadline else ""

    def _read(self, selector: selectors.BaseSelector, fd: int, lines: _Lines) -> None:
        data = os.read(fd, 65536)
        if fd == self.wake:
            return
        if data:
            lines.feed(data)
        else:
            selector.unregister(fd)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _end_all(group: int, mark: str) -> None:
    """Kills what is left of the process group, and what left the group but carries the mark."""
    _signal_group(group, signal.SIGKILL)
    for pid in _marked(mark):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _marked(mark: str) -> list[int]:
    wanted = f"{_MARK}={mark}".encode()
    found = []
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:  # no Linux: the process group has to do
        return []
    for pid in pids:
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if wanted in file.read():
                    found.append(pid)
        except OSError:
            continue
    return found
