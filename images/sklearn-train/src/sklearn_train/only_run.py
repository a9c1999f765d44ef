"""One run at a time for a model directory: two would take each other's files for their own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taskkit.command_line import say
from taskkit.errors import TaskError

PATIENCE = 30.0
"""Seconds to wait for another run: a pod that is being replaced has as long to end."""
_PAUSE = 0.1


@contextmanager
def only_run(model_dir: Path) -> Iterator[None]:
    """Holds flock(2) on a hidden file beside the directory, which ends with the process however that ends.

    Where the file system has no locks, or the folder can't be written, nothing is locked. Raises TaskError where
    another run does not end in time.
    """
    file = model_dir.with_name(f".{model_dir.name}.lock")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _awaited(file, model_dir.name)
    except OSError:  # said by whoever writes there first
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            file.unlink()
        os.close(descriptor)


def _awaited(file: Path, name: str) -> int:
    """A descriptor that holds the lock."""
    until = time.monotonic() + PATIENCE
    if (descriptor := _taken(file)) is None:
        say(f"note: another run uses model-dir '{name}'; waiting up to {PATIENCE:g} s for its end")
    while descriptor is None:
        if time.monotonic() > until:
            raise TaskError(f"another run of sklearn-train has used model-dir '{name}' for more than {PATIENCE:g} s",
                            "let it end first, or give each run a model-dir of its own")  # fmt: skip
        time.sleep(_PAUSE)
        descriptor = _taken(file)
    return descriptor


def _taken(file: Path) -> int | None:
    """A descriptor that holds the lock; None while another process does, or has just taken the file away."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o664)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_ino == file.stat().st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None
