"""The programs of the one node, in the order they start: the command of each, and how to know that it answers.

The paths are those inside the node's own mount namespace (``node.py``).
"""

from __future__ import annotations

import os
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from testcluster.paths import ADDRESS

CONFIG = "/run/cluster/config"
KEYS = "/run/cluster/keys"
KUBECONFIG = "/run/cluster/kubeconfig"
ETCD = ("127.0.0.1", 2379)


@dataclass(frozen=True)
class Component:
    """``ready``: the next component waits for it; without one the next starts at once."""

    name: str
    command: tuple[str, ...]
    ready: Callable[[], bool] | None = None


def _listens(address: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(address, timeout=1):
            return True
    except OSError:
        return False


def _containerd_listens() -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex("/run/containerd/containerd.sock") == 0


def _api_server_ready() -> bool:
    unverified = ssl._create_unverified_context()  # its certificate is its own, seconds old
    try:
        with urllib.request.urlopen(f"https://{ADDRESS}:6443/readyz", context=unverified, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def components(kube: str, containerd: str, coredns: str) -> tuple[Component, ...]:
    """All of them, of the binaries built for this cluster."""
    # containerd looks for its shim on the PATH before it does beside itself, and Debian's may be there.
    path = os.pathsep.join((str(Path(containerd).parent), os.environ["PATH"]))
    return (
        Component("registry", ("docker-registry", "serve", f"{CONFIG}/registry.yaml")),
        Component("containerd", ("env", f"PATH={path}", containerd, "--config", f"{CONFIG}/containerd.toml")),
        Component(
            "etcd",
            (
                "etcd",
                "--data-dir=/run/cluster/etcd",
                "--listen-client-urls=http://127.0.0.1:2379",
                "--advertise-client-urls=http://127.0.0.1:2379",
                "--listen-peer-urls=http://127.0.0.1:2380",
                "--unsafe-no-fsync",  # nothing in it outlives the cluster
            ),
            ready=lambda: _listens(ETCD),
        ),
        Component(
            "kube-apiserver",
            (
                kube,
                "kube-apiserver",
                "--etcd-servers=http://127.0.0.1:2379",
                "--service-cluster-ip-range=10.96.0.0/16",
                f"--cert-dir={KEYS}",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={KEYS}/service-accounts.pub",
                f"--service-account-signing-key-file={KEYS}/service-accounts.key",
                "--authorization-mode=RBAC",
                f"--token-auth-file={KEYS}/tokens.csv",
                "--allow-privileged=true",
                f"--advertise-address={ADDRESS}",
                # Nothing resolves the node's name, and the API server is outside of the services' network.
                "--kubelet-preferred-address-types=InternalIP",
                "--enable-aggregator-routing=true",
                "--feature-gates=ImageVolume=true",
            ),
            ready=_api_server_ready,
        ),
        Component(
            "kube-controller-manager",
            (
                kube,
                "kube-controller-manager",
                f"--kubeconfig={KUBECONFIG}",
                f"--service-account-private-key-file={KEYS}/service-accounts.key",
                f"--root-ca-file={KEYS}/apiserver.crt",
                "--use-service-account-credentials=true",
                "--leader-elect=false",
                "--allocate-node-cidrs=false",
                "--flex-volume-plugin-dir=/run/cluster/kubelet/plugins",  # it makes the folder
                "--bind-address=127.0.0.1",
                f"--cert-dir={KEYS}/controller-manager",
            ),
        ),
        Component(
            "kube-scheduler",
            (kube, "kube-scheduler", f"--kubeconfig={KUBECONFIG}", "--leader-elect=false", "--bind-address=127.0.0.1"),
        ),
        Component("coredns", (coredns, "-conf", f"{CONFIG}/Corefile")),
        Component("kube-proxy", (kube, "kube-proxy", f"--config={CONFIG}/kube-proxy.yaml"), ready=_containerd_listens),
        Component(
            "kubelet",
            (
                kube,
                "kubelet",
                f"--config={CONFIG}/kubelet.yaml",
                f"--kubeconfig={KUBECONFIG}",
                "--root-dir=/run/cluster/kubelet",
                f"--cert-dir={KEYS}/kubelet",
                "--hostname-override=node",
                f"--node-ip={ADDRESS}",
            ),
        ),
    )
