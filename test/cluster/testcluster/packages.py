"""The Debian packages that a native cluster takes its parts from."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from testcluster.errors import ClusterError

PACKAGE_OF = {
    "etcd": "etcd-server",
    "runc": "runc",
    "/usr/lib/cni/ptp": "containernetworking-plugins",
    "conntrack": "conntrack",
    "iptables": "iptables",
    "ip": "iproute2",
    "docker-registry": "docker-registry",
    "/bin/busybox": "busybox-static",
    "/usr/bin/tini-static": "tini",
    "openssl": "openssl",
    "unshare": "util-linux",
}
_POLICY = Path("/usr/sbin/policy-rc.d")
_RETRIES = ("-o", "Acquire::Retries=3")


def missing_packages(package_of: Mapping[str, str]) -> list[str]:
    """The packages whose program is not there, whichever package it may have come from."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [package for program, package in package_of.items() if shutil.which(program, path=path) is None]


@contextmanager
def _no_services_started() -> Iterator[None]:
    """Some of the packages bring services, which would start and take ports: Debian asks policy-rc.d first."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()


def install_packages(package_of: Mapping[str, str] | None = None) -> None:
    """Installs what is missing, of the cluster's own needs if nothing else is asked for.

    ``package_of``: program → package. Raises ClusterError naming the packages where that is impossible.
    """
    wanted = PACKAGE_OF if package_of is None else package_of
    missing = missing_packages(wanted)
    if not missing:
        return
    command = f"apt-get install --no-install-recommends {' '.join(missing)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ClusterError(f"these Debian packages are missing: {' '.join(missing)}; as root: {command}")
    print(f"installing Debian packages: {' '.join(missing)}", flush=True)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _no_services_started():
        subprocess.run(["apt-get", "-qq", *_RETRIES, "update"], env=env, check=False, stdout=subprocess.DEVNULL)
        done = subprocess.run(
            ["apt-get", "-qq", "-y", *_RETRIES, "install", "--no-install-recommends", *missing],
            env=env, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    if done.returncode or (missing := missing_packages(wanted)):
        raise ClusterError(f"could not install the Debian packages {' '.join(missing)}; try: {command}")
