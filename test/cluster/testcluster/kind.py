"""A cluster by kind, where Docker or podman works: a node in a container, Tekton from its published release.

Not run on the machine it was written on, which has no container engine; kind's documented local-registry recipe is
followed (kind.sigs.k8s.io/docs/user/local-registry).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from testcluster import tekton
from testcluster.cluster import Cluster
from testcluster.commands import environment, run, succeeds
from testcluster.errors import ClusterError
from testcluster.paths import SUFFIX, state_directory

NAME = f"sklearn-catalog{SUFFIX}"
REGISTRY_CONTAINER = f"sklearn-catalog-registry{SUFFIX}"
REGISTRY_IMAGE = "registry:2.8.3"
RELEASE = "https://github.com/tektoncd/pipeline/releases/download/{version}/release.yaml"
CONFIG = """
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
featureGates: {ImageVolume: true}
containerdConfigPatches:
- |-
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "/etc/containerd/certs.d"
"""


def container_engine() -> str | None:
    """``docker`` or ``podman``, whichever answers."""
    for engine in ("docker", "podman"):
        if shutil.which(engine) and succeeds([engine, "info"]):
            return engine
    return None


def usable() -> str:
    """Empty when kind can run here, else why not."""
    if container_engine() is None:
        return "neither docker nor podman works here"
    missing = [program for program in ("kind", "kubectl") if shutil.which(program) is None]
    return f"{' and '.join(missing)} not on the PATH" if missing else ""


def _engine() -> str:
    engine = container_engine()
    if engine is None:
        raise ClusterError("neither docker nor podman works here")
    return engine


def _kind(engine: str, *arguments: str, stdin: str | None = None) -> str:
    env = environment({"KIND_EXPERIMENTAL_PROVIDER": engine, "KUBECONFIG": str(_kubeconfig())})
    return run(["kind", *arguments], stdin=stdin, env=env, timeout=1200)


def _kubeconfig() -> Path:
    return state_directory() / "kubeconfig"


def _registry_address(engine: str) -> str:
    """The registry's own address in kind's network: the host (on Linux), pods and the node reach it, and being private it
    is taken for plain HTTP."""
    if not succeeds([engine, "container", "inspect", REGISTRY_CONTAINER]):
        run(
            [
                engine,
                "run",
                "--detach",
                "--restart=no",
                "--network=kind",
                f"--name={REGISTRY_CONTAINER}",
                REGISTRY_IMAGE,
            ]
        )
    form = '{{(index .NetworkSettings.Networks "kind").IPAddress}}'
    address = run([engine, "container", "inspect", "--format", form, REGISTRY_CONTAINER]).strip()
    if not address:
        raise ClusterError(
            f"the container {REGISTRY_CONTAINER} has no address in the network 'kind'; ./scripts/cluster down"
        )
    return f"{address}:5000"


def _trust_registry(engine: str, node: str, registry: str) -> None:
    """The node takes images from the registry, those that the catalog's YAML names included."""
    for name in (registry, "ghcr.io"):
        folder = f"/etc/containerd/certs.d/{name}"
        text = f'[host."http://{registry}"]\n  capabilities = ["pull", "resolve"]\n'
        run([engine, "exec", node, "mkdir", "-p", folder])
        run([engine, "exec", "-i", node, "cp", "/dev/stdin", f"{folder}/hosts.toml"], stdin=text)


def up(tekton_version: str, say: Callable[[str], None]) -> Cluster:
    """Makes sure that a kind cluster with this Tekton runs. Raises ClusterError."""
    if reason := usable():
        raise ClusterError(reason)
    engine = _engine()
    state_directory().mkdir(parents=True, exist_ok=True)
    if running_version() not in (None, tekton_version):
        down()
    if NAME not in _kind(engine, "get", "clusters").split():
        say("kind makes a cluster")
        _kind(engine, "create", "cluster", "--name", NAME, "--config", "-", "--wait", "180s", stdin=CONFIG)
    _kind(engine, "export", "kubeconfig", "--name", NAME)
    registry = _registry_address(engine)
    for node in _kind(engine, "get", "nodes", "--name", NAME).split():
        _trust_registry(engine, node, registry)
    cluster = _cluster(tekton_version, registry)
    if running_version() != tekton_version:
        say(f"installing Tekton {tekton_version}")
        cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", RELEASE.format(version=tekton_version))
        settings = ",".join(f'"{name}":"{value}"' for name, value in tekton.SETTINGS.items())
        cluster.kubectl(
            "-n", tekton.NAMESPACES[0], "patch", "configmap", "feature-flags", "-p", f'{{"data":{{{settings}}}}}'
        )
        (state_directory() / "tekton").write_text(f"{tekton_version}\n")
    tekton.wait_until_it_answers(cluster.kubectl)
    return cluster


def _cluster(tekton_version: str, registry: str) -> Cluster:
    kubectl, tkn = shutil.which("kubectl"), shutil.which("tkn")
    assert kubectl is not None  # usable() looked
    return Cluster("kind", _kubeconfig(), Path(kubectl), Path(tkn) if tkn else None, registry, registry, tekton_version)


def running_version() -> str | None:
    """The Tekton of the running cluster; None when there is none."""
    engine, installed = container_engine(), state_directory() / "tekton"
    if engine is None or shutil.which("kind") is None or not installed.is_file():
        return None
    return installed.read_text().strip() if NAME in _kind(engine, "get", "clusters").split() else None


def running() -> Cluster | None:
    version = running_version()
    return _cluster(version, _registry_address(_engine())) if version else None


def down() -> None:
    """Removes the cluster and its registry. Raises ClusterError."""
    engine = container_engine()
    if engine is None or shutil.which("kind") is None:
        return
    _kind(engine, "delete", "cluster", "--name", NAME)
    succeeds([engine, "rm", "--force", "--volumes", REGISTRY_CONTAINER])
    for name in ("tekton", "kubeconfig"):
        (state_directory() / name).unlink(missing_ok=True)
