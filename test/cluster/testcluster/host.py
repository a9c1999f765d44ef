"""What the node needs of the host: its process, its cable, its control groups; and making all of it disappear."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from testcluster.commands import environment, run, succeeds
from testcluster.errors import ClusterError
from testcluster.paths import CGROUP, HERE, HOST_ADDRESS, INTERFACE, PREFIX, UPLINK, binaries_directory, state_directory

_WEIGHTS = {"cpu.shares": "8192", "cpu.weight": "800"}
"""All pods together count as much as eight processes of the host, which wait for their answers (version 1 and 2)."""
KEPT = ("registry", "log")  # of the state directory, when the cluster is gone


def _started_at(pid: int) -> str | None:
    """When a process started, in clock ticks since boot (proc(5)); None when it is gone or only not yet reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def node_process() -> int | None:
    """The PID of the running node. A number that another process has by now isn't mistaken for it."""
    try:
        pid, started = (state_directory() / "process").read_text().split()
    except (OSError, ValueError):
        return None
    return int(pid) if _started_at(int(pid)) == started else None


def start_node(*programs: Path) -> None:
    """Starts the node with these binaries, as `components` takes them, and connects it. Raises ClusterError."""
    state, binaries = state_directory(), binaries_directory()
    shutil.rmtree(state / "log", ignore_errors=True)
    (state / "log").mkdir()
    unshare = ["unshare", "--fork", "--kill-child", "--pid", "--mount", "--mount-proc", "--net"]
    program = [sys.executable, "-m", "testcluster.node", str(state), str(binaries)]
    program += [str(path.relative_to(binaries)) for path in programs]
    with (state / "log" / "node.log").open("w") as log:
        process = subprocess.Popen(
            [*unshare, *program], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
            env=environment({"PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}),
        )  # fmt: skip
    (state / "process").write_text(f"{process.pid} {_started_at(process.pid)}\n")
    _wait_for_network_namespace(process)
    run(["ip", "link", "add", INTERFACE, "type", "veth", "peer", "name", UPLINK, "netns", str(process.pid)])
    run(["ip", "address", "add", f"{HOST_ADDRESS}/{PREFIX}", "dev", INTERFACE])
    run(["ip", "link", "set", INTERFACE, "up"])


def _wait_for_network_namespace(process: subprocess.Popen[bytes]) -> None:
    ours = os.stat("/proc/self/ns/net").st_ino
    for _ in range(200):
        if process.poll() is not None:
            raise ClusterError(f"the node could not start: {node_said()}")
        if os.stat(f"/proc/{process.pid}/ns/net").st_ino != ours:
            return
        time.sleep(0.05)
    raise ClusterError("the node did not get a network of its own within 10 s")


def node_said() -> str:
    """The last line of the node's own log, or that it could not say anything any more."""
    log = state_directory() / "log" / "node.log"
    lines = log.read_text().strip().splitlines() if log.is_file() else []
    if lines and re.fullmatch(r"\S+ started|unshare: sigprocmask .*", lines[-1]):
        return "it was killed"  # unshare, which waits for it, says so in its own way
    return lines[-1] if lines else "it said nothing"


def cgroup_hierarchies() -> list[Path]:
    """Where control groups are mounted: one place with version 2, one for each controller with version 1."""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return [Path(fields[1]) for fields in mounts if fields[2] in ("cgroup", "cgroup2")]


def make_cgroups() -> None:
    """The group below which the kubelet makes its own, so that they are not mixed with another's on this machine."""
    for hierarchy in cgroup_hierarchies():
        available, handed_down = hierarchy / "cgroup.controllers", hierarchy / "cgroup.subtree_control"
        if available.is_file():
            for controller in set(available.read_text().split()) - set(handed_down.read_text().split()):
                handed_down.write_text(f"+{controller}")
        (hierarchy / CGROUP).mkdir(exist_ok=True)
        if (controllers := hierarchy / CGROUP / "cgroup.controllers").is_file():
            handed_down = hierarchy / CGROUP / "cgroup.subtree_control"
            handed_down.write_text(" ".join(f"+{controller}" for controller in controllers.read_text().split()))
        for name, weight in _WEIGHTS.items():
            if (hierarchy / CGROUP / name).is_file():
                (hierarchy / CGROUP / name).write_text(weight)


def _remove_cgroups() -> None:
    """Raises OSError while a process is still in one of them."""
    for hierarchy in cgroup_hierarchies():
        for folder, _, _ in os.walk(hierarchy / CGROUP, topdown=False):
            os.rmdir(folder)


def mounted_below(folder: Path, mounts: str) -> list[str]:
    """Where something is mounted, the innermost first; ``mounts``: as in proc(5). The node's own went with it."""
    paths = [
        re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), path)
        for path in (line.split()[1] for line in mounts.splitlines())
    ]
    return [path for path in reversed(paths) if Path(path).is_relative_to(folder)]


def remove_remains() -> None:
    """Ends the node, if it runs, and removes what it leaves. Raises ClusterError when that does not succeed."""
    process = node_process()
    if process is not None:
        os.kill(process, signal.SIGKILL)
    if succeeds(["ip", "link", "show", INTERFACE]):
        succeeds(["ip", "link", "delete", INTERFACE])
    deadline = time.monotonic() + 30
    while True:  # the kernel takes a moment to end the last process of a namespace
        try:
            _remove_cgroups()
            break
        except OSError as error:
            if time.monotonic() > deadline:
                raise ClusterError(f"could not remove the control group {error.filename}: {error.strerror}") from error
            time.sleep(0.1)
    state = state_directory()
    for mounted in mounted_below(state, Path("/proc/self/mounts").read_text()):
        run(["umount", "--lazy", mounted])
    for path in state.iterdir() if state.is_dir() else ():
        if path.name not in KEPT:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
