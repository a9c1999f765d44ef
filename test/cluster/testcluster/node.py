"""The node: the first process of its own PID, mount and network namespaces. ``python -m testcluster.node STATE BINARIES KUBE CONTAINERD COREDNS``

Everything that belongs to the cluster lives in these namespaces, so its end is the end of this process: the kernel then
kills every process in it, containers included, and drops its mounts and interfaces. It ends by itself when a component
ends or when its state directory is taken away.

Inside, paths are fixed and short (addresses of sockets have 108 characters): ``/run/cluster`` is the state directory,
``/run/binaries`` the binaries; what programs insist on writing elsewhere is covered by file systems of the node's own.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from testcluster.commands import environment
from testcluster.components import Component, components
from testcluster.paths import ADDRESS, HOST_ADDRESS, PREFIX, UPLINK

STATE = Path("/run/cluster")
PATIENCE = 180  # seconds for one component to answer, on a busy machine

# What the kubelet would change for the whole machine. It only looks when the values are as it wants them, so in here they are.
KERNEL_SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}

_BIND, _REC, _SHARED = 0x1000, 0x4000, 1 << 20  # linux/mount.h
_libc = ctypes.CDLL(None, use_errno=True)


class NodeError(Exception):
    """Why the node cannot be, or is no more."""


def mount(source: str, target: str, kind: str = "none", flags: int = 0) -> None:
    """mount(2): the program of that name resolves ``/proc/self/fd/…``, which here shall name what is covered already."""
    if _libc.mount(source.encode(), target.encode(), kind.encode(), flags, None):
        number = ctypes.get_errno()
        raise NodeError(f"mounting {source} on {target}: {os.strerror(number)}")


def make_file_systems(state: str, binaries: str) -> None:
    """Lays out the node's own view of the file system."""
    folders = {"/run/cluster": os.open(state, os.O_PATH), "/run/binaries": os.open(binaries, os.O_PATH)}
    mount(
        "none", "/", flags=_REC | _SHARED
    )  # within the node: containerd, kubelet and its helpers see each other's mounts
    for covered in ("/run", "/var/lib", "/var/log"):
        mount("node", covered, "tmpfs")
    for target, descriptor in folders.items():
        os.mkdir(target)
        mount(f"/proc/self/fd/{descriptor}", target, flags=_BIND | _REC)
        os.close(descriptor)
    for name in ("pods", "containers"):
        (STATE / "log" / name).mkdir(exist_ok=True)
        os.mkdir(f"/var/log/{name}")
        mount(f"/run/cluster/log/{name}", f"/var/log/{name}", flags=_BIND)
    for setting, value in KERNEL_SETTINGS.items():
        shown = Path("/run/kernel", setting.replace("/", "."))
        shown.parent.mkdir(exist_ok=True)
        shown.write_text(f"{value}\n")
        mount(str(shown), f"/proc/sys/{setting}", flags=_BIND)


def _interface_exists(name: str) -> bool:
    try:
        return socket.if_nametoindex(name) > 0
    except OSError:
        return False


def _wait(ready: object, what: str, patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    assert callable(ready)
    while not ready():
        if time.monotonic() > deadline:
            raise NodeError(f"{what} within {patience} s")
        end_with_a_component()
        time.sleep(0.05)


def make_network() -> None:
    """Takes the end of the cable that the host hands in, and routes."""
    _wait(lambda: _interface_exists(UPLINK), "the host did not connect the node", 30)
    for arguments in (
        ("link", "set", "lo", "up"),
        ("address", "add", f"{ADDRESS}/{PREFIX}", "dev", UPLINK),
        ("link", "set", UPLINK, "up"),
        # Leads nowhere further; but without a route the kernel refuses services' addresses before they are translated.
        ("route", "add", "default", "via", HOST_ADDRESS),
    ):
        subprocess.run(["ip", *arguments], check=True)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n")


_running: dict[int, str] = {}


def start(component: Component) -> None:
    log = os.open(STATE / "log" / f"{component.name}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    process = subprocess.Popen(
        component.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(), start_new_session=True
    )
    os.close(log)
    _running[process.pid] = component.name


def end_with_a_component() -> None:
    """Reaps what ended, orphans of others included. Raises NodeError when it was a component."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if pid in _running:
            raise NodeError(f"{_running[pid]} ended with exit code {os.waitstatus_to_exitcode(status)}; see its log")


def serve(state: str, binaries: str, *programs: str) -> None:
    """Starts everything, then waits for an end. Raises NodeError."""
    make_file_systems(state, binaries)
    make_network()
    for component in components(*(f"/run/binaries/{program}" for program in programs)):
        start(component)
        if component.ready:
            _wait(component.ready, f"{component.name} did not answer")
        print(f"{component.name} started", flush=True)
    while (STATE / "process").exists():
        end_with_a_component()
        time.sleep(0.5)
    raise NodeError("the state directory was taken away")


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        serve(*sys.argv[1:])
    except (NodeError, OSError, subprocess.SubprocessError) as error:
        print(f"node: {error}", flush=True)
        sys.exit(3)


if __name__ == "__main__":
    main()
