"""What the container may use: processors and memory, from cgroup v1 or v2.

In a container the own group is usually mounted at the root; on a host the path in /proc/self/cgroup leads to it, and
each group above it limits as well. Sources: kernel documentation, cgroup-v1/memory.rst and cgroup-v2.rst.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
# v1 writes "no limit" as the largest multiple of the page size that fits 63 bits.
_UNLIMITED = 1 << 60


@dataclass(frozen=True)
class MemoryGroup:
    """The group whose limit is the tightest. ``limit`` in bytes."""

    limit: int
    usage_file: Path
    statistics_file: Path

    def working_set(self) -> int:
        """Bytes that can't be given back: usage without file pages that are idle. Raises OSError."""
        usage = int(self.usage_file.read_text())
        for line in self.statistics_file.read_text().splitlines():
            name, _, value = line.partition(" ")
            if name in ("inactive_file", "total_inactive_file"):
                return max(0, usage - int(value))
        return usage


def usable_processors(mount: Path = MOUNT, membership: Path = MEMBERSHIP) -> int:
    """Processors by affinity and quota, a started one counted whole; at least 1."""
    quotas = [quota for group in _groups("cpu", mount, membership) if (quota := _quota(group)) is not None]
    return max(1, min([len(os.sched_getaffinity(0)), *(math.ceil(quota) for quota in quotas)]))


def memory_group(mount: Path = MOUNT, membership: Path = MEMBERSHIP) -> MemoryGroup | None:
    """None where nothing limits the memory."""
    found = []
    for group in _groups("memory", mount, membership):
        for limit, usage in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
            size = _number(group / limit)
            if size is not None and size < _UNLIMITED and (group / usage).exists():
                found.append(MemoryGroup(int(size), group / usage, group / "memory.stat"))
    return min(found, key=lambda group: group.limit, default=None)


def _groups(controller: str, mount: Path, membership: Path) -> Iterator[Path]:
    """Folders of the own group and those above it, v2 and v1."""
    bases = [(mount, "/"), (mount / controller, "/")]
    try:
        for line in membership.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                bases.append((mount, path))
            elif controller in controllers.split(","):
                bases.append((mount / controller, path))
    except (OSError, ValueError):
        pass
    seen = set()
    for base, path in bases:
        group = base / path.strip("/")
        while group not in seen and group.is_relative_to(base):
            seen.add(group)
            yield group
            group = group.parent


def _quota(group: Path) -> float | None:
    """Processors that a group may use; None where it sets no limit."""
    try:
        quota, period = (group / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        quota_v1, period_v1 = _number(group / "cpu.cfs_quota_us"), _number(group / "cpu.cfs_period_us")
        return quota_v1 / period_v1 if quota_v1 and period_v1 and quota_v1 > 0 else None


def _number(path: Path) -> float | None:
    try:
        text = path.read_text().strip()
        return None if text == "max" else int(text)
    except (OSError, ValueError):
        return None
