"""The processes below this one: their memory, and their end. Linux, by /proc (proc(5)) and prctl(2)."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PAGE = os.sysconf("SC_PAGE_SIZE")
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Process:
    id: int
    parent: int
    memory: int
    """Resident bytes."""
    ended: bool
    """A zombie: its parent has not asked for its exit code yet."""


def adopt_orphans() -> None:
    """From now on processes whose parent ended become children of this one, so that none is lost."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_with_parent() -> None:
    """Run in a child before it starts its program: when this program is killed, so is the child."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def descendants(root: int) -> list[Process]:
    """All processes below a process, without itself."""
    children: dict[int, list[Process]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (process := _process(int(entry))):
            children.setdefault(process.parent, []).append(process)
    found, open_ids = [], [root]
    while open_ids:
        below = children.get(open_ids.pop(), [])
        found += below
        open_ids += [process.id for process in below]
    return found


def only(process_id: int) -> list[Process]:
    """The process itself, if it is still there."""
    process = _process(process_id)
    return [process] if process else []


def session_of(process_id: int) -> int | None:
    """The id of the session that a process belongs to; None when it is gone."""
    try:
        return os.getsid(process_id)
    except OSError:
        return None


def _process(process_id: int) -> Process | None:
    try:
        with open(f"/proc/{process_id}/stat", "rb") as stream:
            # The name, in parentheses, may hold anything, parentheses too.
            fields = stream.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return Process(process_id, int(fields[1]), int(fields[21]) * _PAGE, ended=fields[0] in (b"Z", b"X"))


def name_of(process_id: int) -> str:
    """The command line of a process, shortened; empty when it is gone."""
    try:
        with open(f"/proc/{process_id}/cmdline", "rb") as stream:
            words = stream.read().split(b"\0")
    except OSError:
        return ""
    words[0] = words[0].rpartition(b"/")[2]
    text = b" ".join(words).decode("utf-8", "replace").strip()
    return text if len(text) <= 60 else text[:57] + "..."


def end_processes(ids: Iterable[int], grace: float) -> None:
    """SIGTERM, after ``grace`` seconds SIGKILL; returns when all have ended. Their exit codes stay to be asked."""
    open_ids = set(ids)
    _signal_all(open_ids, signal.SIGTERM)
    until = time.monotonic() + grace
    while open_ids := _running(open_ids):
        if time.monotonic() >= until:
            _signal_all(open_ids, signal.SIGKILL)
            until = float("inf")
        time.sleep(0.01)


def _signal_all(ids: Iterable[int], number: signal.Signals) -> None:
    for process_id in ids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process_id, number)


def _running(ids: set[int]) -> set[int]:
    return {process.id for process_id in ids for process in only(process_id) if not process.ended}


def reap(ids: Iterable[int]) -> None:
    """Takes the exit codes of adopted orphans, so that they don't stay as zombies."""
    for process_id in ids:
        with suppress(ChildProcessError):
            os.waitpid(process_id, os.WNOHANG)
