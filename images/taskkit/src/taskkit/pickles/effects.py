"""A second net below the rules: while a reconstructor runs, what would reach beyond memory is stopped.

Reconstructors of data open nothing for writing, start nothing and connect to nothing, so whatever does is stopped where
Python itself announces it (``sys.audit``), before it happens. Compiled code that asks the system by itself is not seen.
https://docs.python.org/3/library/audit_events.html
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_GROUPS = frozenset(
    {"ctypes", "ftplib", "http", "pty", "shutil", "smtplib", "socket", "sqlite3", "subprocess", "syslog", "tempfile"}
    | {"urllib", "webbrowser", "_thread", "mmap"}
)
_HARMLESS = frozenset({"os.listdir", "os.scandir", "os.walk", "os.fwalk", "os.getxattr", "os.listxattr"})
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class EffectError(PermissionError):
    """``what`` is a clause: 'tries os.system'."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class _Watch(threading.local):
    on = False
    stopped = ""


_watch = _Watch()


def _effect(event: str, arguments: tuple[Any, ...]) -> str:
    if event == "open":
        flags = arguments[2] if len(arguments) > 2 and isinstance(arguments[2], int) else 0
        return "to open a file for writing" if flags & _WRITING else ""
    group = event.partition(".")[0]
    return event if (group == "os" and event not in _HARMLESS) or group in _GROUPS else ""


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watch.on and (found := _effect(event, arguments)):
        _watch.stopped = f"tries {found} while it is loaded"
        raise EffectError(_watch.stopped)


@cache
def _install() -> None:
    """Hooks stay for good; this one does nothing unless something is being loaded by its thread."""
    sys.addaudithook(_hook)


@contextmanager
def stopped() -> Iterator[None]:
    """Effects are stopped within. Raises EffectError at the end, too, where something swallowed the first one."""
    _install()
    before = _watch.on, sys.dont_write_bytecode
    _watch.on, _watch.stopped, sys.dont_write_bytecode = True, "", True
    try:
        yield
    finally:
        _watch.on, sys.dont_write_bytecode = before
        if _watch.stopped:
            what, _watch.stopped = _watch.stopped, ""
            raise EffectError(what)
