"""Control groups of our own, version 1 or 2: what a container's limits are made of. Needs root."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
_UNIFIED = (MOUNT / "cgroup.controllers").exists()


@contextlib.contextmanager
def limited(*, memory: int | None = None, processors: int | None = None) -> Iterator[list[str]]:
    """Yields what to put before a command so that it runs within limits: ``memory`` in bytes. Raises OSError."""
    name = f"catalog-test-{uuid.uuid4().hex[:8]}"
    wanted: dict[str, list[tuple[str, str]]] = {}
    if memory is not None:
        wanted["memory"] = [("memory.max" if _UNIFIED else "memory.limit_in_bytes", str(memory))]
    if processors is not None:
        period = 100_000
        wanted["cpu"] = (
            [("cpu.max", f"{processors * period} {period}")]
            if _UNIFIED
            else [("cpu.cfs_period_us", str(period)), ("cpu.cfs_quota_us", str(processors * period))]
        )
    groups = dict.fromkeys((MOUNT if _UNIFIED else MOUNT / controller) / name for controller in wanted)
    made: list[Path] = []
    try:
        for group in groups:
            group.mkdir()
            made.append(group)
        for controller, settings in wanted.items():
            for file, value in settings:
                ((MOUNT if _UNIFIED else MOUNT / controller) / name / file).write_text(value)
        script = 'for group; do shift; [ "$group" = -- ] && break; echo $$ >"$group/cgroup.procs"; done; exec "$@"'
        yield ["sh", "-c", script, "sh", *map(str, made), "--"]
    finally:
        for group in made:
            with contextlib.suppress(OSError):
                group.rmdir()


def available() -> bool:
    """Whether groups with limits can be made here."""
    if os.getuid():
        return False
    try:
        with limited(memory=1 << 30, processors=1):
            return True
    except OSError:
        return False
