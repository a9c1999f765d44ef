"""How many processors this process may really use, and the thread limits that follow; before numpy is imported."""

from __future__ import annotations

import math
import os
from collections.abc import MutableMapping
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
# One thread per library call: requests are the parallelism. Nested thread pools only fight over the same processors.
SINGLE_THREADED = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
)


def usable_processors(cgroup: Path = CGROUP) -> int:
    """Whole processors by affinity and by the cgroup's quota (v2 ``cpu.max``, v1 ``cpu.cfs_quota_us``), at least 1."""
    by_affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroup)
    return max(1, min(by_affinity, math.ceil(quota) if quota else by_affinity))


def _quota(cgroup: Path) -> float | None:
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    try:
        found = float(quota) / float(period)
    except (ValueError, ZeroDivisionError):  # "max" is no limit
        return None
    return found if found > 0 else None  # -1 is no limit in v1


def limit_library_threads(environ: MutableMapping[str, str]) -> None:
    """One thread for BLAS, OpenMP and joblib, unless the environment says otherwise."""
    for name in SINGLE_THREADED:
        environ.setdefault(name, "1")
