"""A program from its start to its end: seconds, memory, what it printed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Memory counts from before a program begins, as that of whoever starts it: so a small process starts it.
_MEASURING = """
import resource, subprocess, sys, time
began = time.perf_counter()
code = subprocess.call(sys.argv[1:], stdout=2)
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
sys.exit(code)
"""


@dataclass(frozen=True)
class Took:
    seconds: float
    peak_bytes: int
    """Of the largest process."""
    log: str
    """Both its outputs."""


def run(command: Sequence[str | Path], folder: Path) -> Took:
    """Raises RuntimeError with the last line of a program that fails."""
    done = subprocess.run([sys.executable, "-c", _MEASURING, *map(str, command)], cwd=folder, text=True, check=False,
                          capture_output=True)  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr.strip().splitlines()[-1]}")
    seconds, peak = done.stdout.split()
    return Took(float(seconds), int(peak), done.stderr)
