"""Clusters to run tests on, with the images of the tree in a registry that their pods reach."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from catalog import images
from catalog.e2e import objects
from catalog.e2e.cluster_run import Stage
from catalog.e2e.kubectl import Kubectl, KubectlError
from catalog.imaging.dockerfiles import sources
from catalog.imaging.publishing import push_layout
from catalog.releasing.bundles import bundle, entry
from catalog.tree import TREE
from taskkit.oci.publishing import push
from taskkit.oci.references import parse_registry_reference
from taskkit.oci.repository import Registries

sys.path.insert(0, str(TREE.root / "test" / "cluster"))

_FLAGS = {"set-security-context": "true", "running-in-environment-with-injected-sidecars": "false"}
SMALL_IMAGE = "docker.io/library/busybox:1.37"
"""What the cases of test/conformance run in. Any image with a shell can stand in for it, so nothing is pulled."""

Say = Callable[[str], None]


class StageError(Exception):
    """There is nothing to run the tests on, or nothing to run."""


@contextmanager
def own_cluster(tekton: str, programs: Iterable[str], *, keep: bool, say: Say) -> Iterator[Stage]:
    """A cluster of ours with the images of these programs: the one that runs, which is left running, else one for this
    while.

    Raises StageError, ImageError, TaskError.
    """
    import testcluster

    wanted = tekton or testcluster.NEWEST_TEKTON
    found = testcluster.running()
    if found and found.tekton != wanted:
        raise StageError(
            f"a cluster with Tekton {found.tekton} runs, {wanted} was asked for;"
            f" ./scripts/cluster down ends it, --tekton {found.tekton} takes it"
        )
    ends = found is None and not keep
    try:
        cluster = _started(wanted, say)
        at = "left running afterwards" if not ends else "for this run"
        say(f"{cluster.kind} cluster with Tekton {cluster.tekton}, {at}")
        local = {"NO_PROXY": "*", "no_proxy": "*"}
        wanted_images = {*programs, *([] if cluster.small_image else [objects.LOADER])}
        pushed = _pushed(sorted(wanted_images), cluster.registry, cluster.registry_in_pods, say)
        yield Stage(
            kubectl=Kubectl(cluster.kubectl_program, cluster.kubeconfig, environment=local),
            images=pushed,
            push_bundle=_pusher(cluster.registry, cluster.registry_in_pods),
            tekton=cluster.tekton,
            label=_label(),
            keep=keep,
            stand_ins={SMALL_IMAGE: cluster.small_image or pushed[objects.LOADER]},
        )
    finally:
        if ends:
            testcluster.down()
            say("the cluster has ended")


def _started(tekton: str, say: Say) -> Any:
    """Once more when it doesn't start: a slow disk or an interrupted download is no failure of the tests."""
    import testcluster

    try:
        return testcluster.up(tekton, say=say)
    except testcluster.ClusterError as error:
        say(f"the cluster did not start, it is tried once more: {error}")
    try:
        return testcluster.up(tekton, say=say)
    except testcluster.ClusterError as error:
        raise StageError(str(error)) from error


@contextmanager
def the_users_cluster(context: str, registry: str, programs: Iterable[str], *, keep: bool, say: Say) -> Iterator[Stage]:
    """An existing cluster: nothing outside of namespaces that the tests make is touched. Raises StageError."""
    if not registry:
        raise StageError("--context needs --registry: a prefix to push images to, which the cluster can pull from")
    program = shutil.which("kubectl")
    if not program:
        raise StageError("--context needs kubectl on the PATH")
    kubectl = Kubectl(Path(program), _configuration(), context=context)
    level = _level(_settings(kubectl, context), say)
    pushed = _pushed(sorted({*programs, objects.LOADER}), registry, registry, say)
    yield Stage(
        kubectl=kubectl,
        images=pushed,
        push_bundle=_pusher(registry, registry),
        tekton=_version(kubectl),
        label=_label(),
        level=level,
        keep=keep,
        stand_ins={SMALL_IMAGE: pushed[objects.LOADER]},
    )


def _label() -> str:
    return f"e2e-{secrets.token_hex(3)}"


def remove_namespaces(stage: Stage) -> None:
    """What tests left that were interrupted."""
    stage.kubectl("delete", "namespace", "--selector", f"{objects.OWNER}={stage.label}", "--wait=false")


def _configuration() -> Path:
    return Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")


def _settings(kubectl: Kubectl, context: str) -> Mapping[str, str]:
    """Tekton's feature flags, which are only read. Raises StageError."""
    try:
        found = json.loads(kubectl("get", "configmap", "feature-flags", "-n", "tekton-pipelines", "-o", "json"))
    except KubectlError as error:
        raise StageError(f"Tekton's feature flags can't be read in the context '{context}': {error}") from error
    settings: dict[str, str] = found.get("data") or {}
    return settings


def _level(settings: Mapping[str, str], say: Say) -> str:
    """The Pod Security level that this Tekton's own containers can live in; said where it is not *restricted*."""
    differing = [
        f"{name} is {settings.get(name, 'not set')}" for name, wanted in _FLAGS.items() if settings.get(name) != wanted
    ]
    if differing:
        say(f"{' and '.join(differing)}: tests run in baseline namespaces, not in restricted ones")
    return "baseline" if differing else "restricted"


def _version(kubectl: Kubectl) -> str:
    """Of Tekton Pipelines; empty where it is not told."""
    try:
        form = "-o=jsonpath={.data.version}"
        told = kubectl("get", "configmap", "pipelines-info", "-n", "tekton-pipelines", form).decode().strip()
    except KubectlError:
        return ""
    return told if re.fullmatch(r"v\d+\.\d+\.\d+", told) else ""


def _pushed(programs: Sequence[str], registry: str, registry_in_pods: str, say: Say) -> dict[str, str]:
    """The programs' images by digest, as pods name them; built where that has not been done or sources are newer."""
    stale = [program for program in programs if _older_than_sources(program)]
    if stale:
        say(f"building images: {', '.join(stale)}")
        images.build(stale, "", "")
    pushed = {}
    for program in programs:
        reference = push_layout(TREE.layout(program), f"{registry}/sklearn-catalog/{program}:e2e", insecure=False)
        digest = reference.rpartition("@")[2].split()[0]
        pushed[program] = f"{registry_in_pods}/sklearn-catalog/{program}@{digest}"
    if pushed:
        say(f"images are in the registry {registry}: {', '.join(pushed)}")
    return pushed


def _pusher(registry: str, registry_in_pods: str) -> Callable[[Mapping[str, Any]], str]:
    def push_bundle(task: Mapping[str, Any]) -> str:
        name = f"sklearn-catalog/test-bundle-{task['metadata']['name']}"
        repository = Registries().repository(parse_registry_reference(f"{registry}/{name}:e2e", "--registry"))
        pushed = push(bundle([entry(task)], {}), repository, "e2e", "move")
        return f"{registry_in_pods}/{name}@{pushed.digest}"

    return push_bundle


def _older_than_sources(program: str) -> bool:
    index = TREE.layout(program) / "index.json"
    if not index.is_file():
        return True
    made = index.stat().st_mtime
    return any(path.stat().st_mtime > made for path in sources(program))
