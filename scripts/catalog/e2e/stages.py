"""Clusters to run tests on, with the images of the tree in a registry that their pods reach."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from catalog import images
from catalog.e2e.cluster_run import Stage
from catalog.e2e.kubectl import Kubectl, KubectlError
from catalog.imaging.publishing import push_layout
from catalog.releasing.bundles import bundle, entry
from catalog.tree import TREE
from taskkit.oci.publishing import push
from taskkit.oci.references import parse_registry_reference
from taskkit.oci.repository import Registries

sys.path.insert(0, str(TREE.root / "test" / "cluster"))

_FLAGS = {"set-security-context": "true", "running-in-environment-with-injected-sidecars": "false"}


class StageError(Exception):
    """There is nothing to run the tests on, or nothing to run."""


def own_cluster(tekton: str, keep: bool) -> tuple[Stage, Callable[[], None]]:
    """A cluster of ours with the images of the tree, and what ends it. Raises StageError, ImageError, TaskError."""
    import testcluster

    try:
        cluster = testcluster.up(tekton or testcluster.NEWEST_TEKTON)
    except testcluster.ClusterError as error:
        raise StageError(str(error)) from error
    kubectl = Kubectl(cluster.kubectl_program, cluster.kubeconfig)
    built = _pushed(cluster.registry, cluster.registry_in_pods)
    return Stage(kubectl, built, _pusher(cluster.registry, cluster.registry_in_pods), keep=keep), testcluster.down


def the_users_cluster(context: str, registry: str, keep: bool) -> tuple[Stage, Callable[[], None]]:
    """An existing cluster: nothing outside of namespaces that the tests make is touched. Raises StageError."""
    if not registry:
        raise StageError("--context needs --registry: a prefix to push images to, which the cluster can pull from")
    program = shutil.which("kubectl")
    if not program:
        raise StageError("--context needs kubectl on the PATH")
    configuration = Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")
    kubectl = Kubectl(Path(program), configuration, context=context)
    pushed = _pushed(registry, registry)
    return Stage(kubectl, pushed, _pusher(registry, registry), _level(kubectl), keep), lambda: None


def _level(kubectl: Kubectl) -> str:
    """The Pod Security level that this Tekton's own containers can live in; said where it is not *restricted*."""
    try:
        data = json.loads(kubectl("get", "configmap", "feature-flags", "-n", "tekton-pipelines", "-o", "json"))["data"]
    except (KubectlError, KeyError) as error:
        raise StageError(f"this cluster's Tekton can't be asked for its feature flags: {error}") from error
    differing = [
        f"{name} is {data.get(name, 'not set')}" for name, wanted in _FLAGS.items() if data.get(name) != wanted
    ]
    if not differing:
        return "restricted"
    print(f"{' and '.join(differing)}: tests run in baseline namespaces, not restricted ones", flush=True)
    return "baseline"


def _pushed(registry: str, registry_in_pods: str) -> dict[str, str]:
    """Every program's image by digest, as pods name it; built where that has not been done or sources are newer."""
    stale = [program for program in images.programs() if _older_than_sources(program)]
    if stale:
        images.build(stale, "", "")
    pushed = {}
    for program in images.programs():
        reference = push_layout(TREE.layout(program), f"{registry}/sklearn-catalog/{program}:e2e", insecure=False)
        digest = reference.rpartition("@")[2].split()[0]
        pushed[program] = f"{registry_in_pods}/sklearn-catalog/{program}@{digest}"
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
    folders = [TREE.root / "images" / name for name in ("base", "taskkit", program)]
    sources = (path for folder in folders for path in folder.rglob("*") if "tests" not in path.parts)
    return any(path.stat().st_mtime > made for path in sources if path.is_file() and path.suffix != ".pyc")
