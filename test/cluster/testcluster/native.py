"""A one-node Kubernetes as processes of this machine: no container engine, no image from elsewhere."""

from __future__ import annotations

import os
import platform
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from testcluster import binaries, host, tekton
from testcluster.binaries import Part
from testcluster.cluster import Cluster
from testcluster.commands import run
from testcluster.errors import ClusterError
from testcluster.file_images import FileImage, Registry
from testcluster.packages import install_packages
from testcluster.paths import ADDRESS, CGROUP, HERE, REGISTRY, state_directory

TEMPLATES = HERE / "node"
CONFIG_FILES = {
    "registry.yaml": "registry.yaml",
    "containerd.toml": "containerd.toml",
    "registry-of-the-cluster.toml": f"registries/{REGISTRY}/hosts.toml",
    "registry-of-the-catalog.toml": "registries/ghcr.io/hosts.toml",
    "cni.conflist": "cni/pods.conflist",
    "Corefile": "Corefile",
    "kubelet.yaml": "kubelet.yaml",
    "kube-proxy.yaml": "kube-proxy.yaml",
}
SHELL = ("sh", "cat", "chmod", "cp", "echo", "env", "false", "grep", "head", "id", "ln", "ls", "mkdir", "mv", "nc", "nslookup", "rm",
         "sed", "sleep", "tail", "tar", "test", "touch", "tr", "true", "wc", "wget")  # fmt: skip
PATIENCE = 240  # seconds for the API server and for a Ready node, on a busy machine


def render(template: str, **values: str) -> str:
    """A file of ``node/`` with its ``@PLACES@`` filled in. Raises KeyError for a place without a value."""
    text = (TEMPLATES / template).read_text()
    for name, value in {"ADDRESS": ADDRESS, "CGROUP": CGROUP, **values}.items():
        text = text.replace(f"@{name}@", value)
    return text


def usable() -> str:
    """Empty when a native cluster can run here, else why not."""
    if platform.system() != "Linux":
        return "a native cluster needs Linux"
    if os.geteuid() != 0:
        return "a native cluster needs root (it makes namespaces and mounts of its own)"
    return ""


def _write_state(state: Path) -> None:
    """Configuration, keys and the kubeconfig."""
    state.mkdir(parents=True, exist_ok=True)
    state.chmod(0o711)  # pods' volumes lie below; what is secret has modes of its own
    for template, name in CONFIG_FILES.items():
        path = state / "config" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render(template))
    keys = state / "keys"
    keys.mkdir(mode=0o700)
    run(["openssl", "genrsa", "-out", keys / "service-accounts.key", "2048"])
    run(["openssl", "rsa", "-in", keys / "service-accounts.key", "-pubout", "-out", keys / "service-accounts.pub"])
    token = secrets.token_hex(16)
    (keys / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n")
    kubeconfig = state / "kubeconfig"
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(render("kubeconfig.yaml", TOKEN=token))


def _wait(ready: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if host.node_process() is None:
            raise ClusterError(f"the node ended: {host.node_said()}")
        if time.monotonic() > deadline:
            raise ClusterError(
                f"{what} within {PATIENCE} s; the node said: {host.node_said()}; see ./scripts/cluster logs"
            )
        time.sleep(0.2)


def _answers(cluster: Cluster, *arguments: str) -> str:
    """What kubectl prints, nothing when it fails."""
    try:
        return cluster.kubectl(*arguments, timeout=20)
    except ClusterError:
        return ""


def _image(program: str, part: Part) -> FileImage:
    files = {f"/ko-app/{program}": part.directory / program}
    if program == "resolvers":
        files["/sbin/tini"] = Path("/usr/bin/tini-static")  # its deployment starts it under this init
    return FileImage(f"cluster/{program}", f"{part.version}-{part.recipe()[:12]}", files, {}, [f"/ko-app/{program}"])


def _install_storage(cluster: Cluster, registry: Registry, part: Part, shell: str) -> None:
    """The provisioner of volumes that kind has too: it makes folders that any user may write into."""
    image = _image("local-path-provisioner", part)
    text = (part.directory / "deploy" / "local-path-storage.yaml").read_text()
    for old, new in {
        f"image: rancher/local-path-provisioner:{part.version}": f"image: {registry.push(image)}",
        "image: busybox": f"image: {shell}",
        "- local-path-provisioner\n            - --debug": "- /ko-app/local-path-provisioner",
        "/opt/local-path-provisioner": "/run/cluster/volumes",
        "kind: StorageClass\nmetadata:\n": "kind: StorageClass\nmetadata:\n  annotations:"
        ' {storageclass.kubernetes.io/is-default-class: "true"}\n',
    }.items():
        if old not in text:
            raise ClusterError(f"the manifest of local-path-provisioner {part.version} has no '{old}' to fill in")
        text = text.replace(old, new)
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=text)


def _install(cluster: Cluster, parts: dict[str, Part]) -> None:
    """What runs inside: volumes, Tekton."""
    registry = Registry(REGISTRY)
    busybox = {"/bin/busybox": Path("/bin/busybox")}
    registry.push(FileImage("cluster/pause", "1", busybox, {}, ["/bin/busybox", "sleep", "2147483647"]))
    applets = {f"/bin/{applet}": "busybox" for applet in SHELL}
    shell = registry.push(FileImage("cluster/shell", "1", busybox, applets, ["/bin/sh"]))
    # Volumes are for every user, and only root may remove what they left in them.
    root_shell = registry.push(FileImage("cluster/root-shell", "1", busybox, applets, ["/bin/sh"], user="0"))
    _install_storage(cluster, registry, parts["local-path"], root_shell)
    made = parts["tekton"]
    images = {program: registry.push(_image(program, made)) for program in binaries.TEKTON_PROGRAMS}
    text = tekton.manifest(made.directory / "config", made.version, images, shell)
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)


def build(tekton_version: str, say: Callable[[str], None]) -> dict[str, Part]:
    """The Debian packages and the binaries, made where they are missing. Raises ClusterError."""
    install_packages()
    parts = {part.name: part for part in binaries.parts(tekton_version)}
    for part in parts.values():
        if not part.is_built():
            say(f"building {part.name} {part.version} (once; minutes)")
            binaries.build(part)
    return parts


def up(tekton_version: str, say: Callable[[str], None]) -> Cluster:
    """Makes sure that the cluster runs with this Tekton. A healthy one is left as it is; of anything else the remains are
    removed and a new one starts, empty. Raises ClusterError."""
    if reason := usable():
        raise ClusterError(reason)
    parts = build(tekton_version, say)
    cluster = cluster_at(tekton_version, parts)
    if running_version() == tekton_version and "ok" in _answers(cluster, "get", "--raw=/readyz"):
        say("the cluster is running already")
    else:
        host.remove_remains()
        _write_state(state_directory())
        host.make_cgroups()
        host.start_node(*(parts[name].directory / name for name in ("kube", "containerd", "coredns")))
        _wait(lambda: "ok" in _answers(cluster, "get", "--raw=/readyz"), "the API server did not become ready")
        say("the API server is ready")
        _install(cluster, parts)
        (state_directory() / "tekton").write_text(f"{tekton_version}\n")
    _wait(lambda: "True" in _answers(cluster, "get", "node", "node", "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].status}"),
          "the node did not become ready")  # fmt: skip
    tekton.wait_until_it_answers(cluster.kubectl)
    return cluster


def running_version() -> str | None:
    """The Tekton of the cluster that runs and was installed to the end; None when there is none."""
    installed = state_directory() / "tekton"
    return installed.read_text().strip() if host.node_process() is not None and installed.is_file() else None


def running() -> Cluster | None:
    version = running_version()
    return cluster_at(version, {part.name: part for part in binaries.parts(version)}) if version else None


def cluster_at(tekton_version: str, parts: dict[str, Part]) -> Cluster:
    return Cluster(
        kind="native",
        kubeconfig=state_directory() / "kubeconfig",
        kubectl_program=parts["kube"].directory / "kubectl",
        tkn_program=parts["tkn"].directory / "tkn",
        registry=REGISTRY,
        registry_in_pods=REGISTRY,
        tekton=tekton_version,
        small_image=f"{REGISTRY}/cluster/shell:1",
    )


def down(everything: bool = False) -> None:
    """Ends the cluster and removes what it made; its logs and its registry's images stay unless ``everything``."""
    host.remove_remains()
    if everything:
        shutil.rmtree(state_directory(), ignore_errors=True)
