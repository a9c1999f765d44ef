"""Real Kubernetes with real Tekton for tests: kind where a container engine works, else processes of this machine.

cluster = testcluster.up("v1.15.0")
cluster.kubectl("get", "nodes")
testcluster.down()
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from testcluster import host, kind, native
from testcluster.cluster import NEWEST_TEKTON, TEKTON_VERSIONS, Cluster
from testcluster.errors import ClusterError
from testcluster.paths import SUFFIX, cache_directory, state_directory

__all__ = [
    "NEWEST_TEKTON", "TEKTON_VERSIONS", "Cluster", "ClusterError", "down", "running", "state_directory", "up",
    "why_it_ended",
]  # fmt: skip


def _print(line: str) -> None:
    print(line, flush=True)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Two starts at once would remove each other's remains. Raises ClusterError."""
    cache_directory().mkdir(parents=True, exist_ok=True)
    lock = os.open(cache_directory() / f"cluster{SUFFIX}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise ClusterError("another command is starting or ending the cluster; try again when it is done") from error
    finally:
        os.close(lock)


def up(tekton: str = NEWEST_TEKTON, *, how: str = "auto", say: Callable[[str], None] = _print) -> Cluster:
    """A running cluster with this Tekton, made when there is none; ready when Tekton admits resources.

    ``how``: ``kind``, ``native``, or ``auto``: kind where it can run. Raises ClusterError.
    """
    if how == "auto":
        how = "native" if native.running_version() is not None or kind.usable() else "kind"
        if how == "native" and native.usable():
            raise ClusterError(f"no way to a cluster: {kind.usable()} (for kind), and {native.usable()}")
    with _one_at_a_time():
        try:
            return kind.up(tekton, say) if how == "kind" else native.up(tekton, say)
        except OSError as error:
            raise ClusterError(f"could not start the cluster: {error}") from error


def down(everything: bool = False) -> None:
    """No cluster runs afterwards. ``everything``: its logs and its registry's images go as well. Raises ClusterError."""
    with _one_at_a_time():
        if kind.running_version() is not None:
            kind.down()
        native.down(everything)


def running() -> Cluster | None:
    """The cluster that ``up`` made, if it runs."""
    return native.running() or kind.running()


def why_it_ended() -> str:
    """What a native cluster said that ended without being told to; empty when there is none."""
    if not (state_directory() / "process").exists() or host.node_process() is not None:
        return ""
    return f"the cluster ended: {host.node_said()}; ./scripts/cluster up starts a new one"
