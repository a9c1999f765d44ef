"""Running programs of this machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from testcluster.errors import ClusterError


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our environment without proxies: everything that is talked to lives on this machine."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {**kept, **(extra or {})}


def run(
    command: Sequence[str | Path],
    *,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 600,
) -> str:
    """The standard output of a program that must succeed. Raises ClusterError with the last line of what it complained."""
    try:
        done = subprocess.run(
            command, input=stdin, env=env, capture_output=True, text=True, timeout=timeout, check=False
        )
    except FileNotFoundError as error:
        raise ClusterError(f"'{command[0]}' is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"'{_shown(command)}' did not end within {timeout:.0f} s") from error
    if done.returncode:
        complaint = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise ClusterError(f"'{_shown(command)}' failed with exit code {done.returncode}: {complaint}")
    return done.stdout


def succeeds(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> bool:
    """Whether a program ends well, whatever it prints."""
    done = subprocess.run(command, env=env, capture_output=True, check=False, timeout=60)
    return done.returncode == 0


def _shown(command: Sequence[str | Path]) -> str:
    text = " ".join(str(part) for part in command)
    return text if len(text) <= 120 else text[:117] + "…"
