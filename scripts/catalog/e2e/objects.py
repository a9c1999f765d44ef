"""From a test's documents to the objects that are applied to a cluster's namespace.

Nothing of the Tasks and Pipelines is changed but the names of images: the tree's become the digests that were built,
others what this cluster can pull. The run gets the identity its pods run under, and the claim with its source.
"""

from __future__ import annotations

import copy
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from catalog.engine.documents import Document, Documents
from catalog.engine.expectations import SOURCE
from catalog.engine.planning import Plan
from catalog.engine.sources import Sources
from catalog.tree import Tree, program_of

CLAIM = "source"
LOADER = "metric-gate"
"""The program whose image the loader runs: the smallest one, and it has Python."""
RUNS = ("TaskRun", "PipelineRun")
_BESIDE_RUNS = ("ConfigMap", "Secret", "PersistentVolumeClaim", "ServiceAccount")


@dataclass(frozen=True)
class Identity:
    """Who a namespace's pods run as: any user with group 0, as OpenShift gives it."""

    user: int
    group_of_volumes: int

    @staticmethod
    def random() -> Identity:
        return Identity(1_000_000_000 + secrets.randbelow(900_000_000), 1_000_000_000 + secrets.randbelow(900_000_000))

    def security_context(self) -> dict[str, Any]:
        """For a pod; the containers bring the rest of what *restricted* asks for themselves."""
        return {"runAsUser": self.user, "runAsGroup": 0, "fsGroup": self.group_of_volumes, "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"}}  # fmt: skip


def with_images(value: Any, images: Mapping[str, str], stand_ins: Mapping[str, str] | None = None) -> Any:
    """A document with each image of the tree replaced, and others that ``stand_ins`` names in full.

    Raises KeyError for a program whose image was not built.
    """
    if isinstance(value, Mapping):
        return {key: with_images(item, images, stand_ins) for key, item in value.items()}
    if isinstance(value, list):
        return [with_images(item, images, stand_ins) for item in value]
    if isinstance(value, str) and (program := program_of(value)):
        return images[program]
    return (stand_ins or {}).get(value, value) if isinstance(value, str) else value


def programs(value: Any) -> set[str]:
    """The programs whose images a document names."""
    if isinstance(value, Mapping):
        return {program for item in value.values() for program in programs(item)}
    if isinstance(value, list):
        return {program for item in value for program in programs(item)}
    program = program_of(value) if isinstance(value, str) else None
    return {program} if program else set()


def callees(run: Document, given: Documents, tree: Tree) -> list[Document]:
    """The Tasks and Pipelines that a run leads to, by name, from its own file or the tree."""
    sources = Sources(given, tree)
    found: dict[tuple[str, str], Document] = {}
    waiting = list(_references(run.body["spec"]))
    while waiting:
        kind, reference = waiting.pop()
        document = sources.resolve(kind, reference)
        if (kind, document.name) not in found:
            found[kind, document.name] = document
            waiting += _references(document.body["spec"])
    return list(found.values())


def _references(spec: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Only references by plain name; a resolver's reference is the cluster's own business."""
    for key, kind in (("taskRef", "Task"), ("pipelineRef", "Pipeline")):
        reference = spec.get(key)
        if reference and "resolver" not in reference:
            yield kind, reference
    inline = spec.get("pipelineSpec") or {}
    for section in ("tasks", "finally"):
        for task in (*(spec.get(section) or ()), *(inline.get(section) or ())):
            yield from _references(task)


def bundled(run: Document, given: Documents, tree: Tree) -> dict[str, Document]:
    """Tasks of the test's own file that a pipeline takes from a bundle, by the param that names the bundle."""
    found = {}
    for pipeline in callees(run, given, tree):
        for task in (*(pipeline.body["spec"].get("tasks") or ()), *(pipeline.body["spec"].get("finally") or ())):
            reference = task.get("taskRef") or {}
            asked = {param["name"]: param["value"] for param in reference.get("params") or ()}
            named = re.fullmatch(r"\$\(params\.([\w-]+)\)", str(asked.get("bundle", "")))
            document = given.find("Task", str(asked.get("name", "")))
            if reference.get("resolver") == "bundles" and named and document:
                found[named[1]] = document
    return found


def before_the_run(run: Document, given: Documents, tree: Tree) -> list[Mapping[str, Any]]:
    """What has to be there first: ConfigMaps and the like of the test's file, Tasks and Pipelines."""
    return [document.body for document in (*given.of_kind(*_BESIDE_RUNS), *callees(run, given, tree))]


def the_run(
    run: Document, plan: Plan, identity: Identity, *, loaded: bool, params: Mapping[str, str]
) -> dict[str, Any]:
    """The TaskRun or PipelineRun itself; ``params`` are given on top of its own."""
    body: dict[str, Any] = copy.deepcopy(dict(run.body))
    body["metadata"]["name"] = plan.name
    body["metadata"].pop("generateName", None)
    spec = body["spec"]
    template = spec.setdefault("taskRunTemplate", {}) if plan.kind == "PipelineRun" else spec
    pod = template.setdefault("podTemplate", {})
    pod["securityContext"] = identity.security_context() | (pod.get("securityContext") or {})
    if params:
        spec.setdefault("params", []).extend({"name": name, "value": value} for name, value in params.items())
    for binding in spec.get("workspaces") or ():
        if loaded and binding["name"] == SOURCE:
            binding.pop("volumeClaimTemplate", None)
            binding["persistentVolumeClaim"] = {"claimName": CLAIM}
    return body


def claim(run: Document) -> dict[str, Any]:
    """The claim that takes the test's source, asking for what the run's own template or claim asks."""
    bindings = {binding["name"]: binding for binding in run.body["spec"].get("workspaces") or ()}
    template = bindings.get(SOURCE, {}).get("volumeClaimTemplate") or {}
    spec = template.get("spec") or {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": CLAIM}, "spec": spec}


def loader(image: str, identity: Identity) -> dict[str, Any]:
    """A pod that holds the claim, through which files are put in and looked at."""
    container = {
        "name": "loader",
        "image": image,
        "command": ["python3", "-c", "import time; time.sleep(7200)"],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "claim", "mountPath": "/claim"}],
        "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}},
    }
    spec = {
        "securityContext": identity.security_context(),
        "containers": [container],
        "volumes": [{"name": "claim", "persistentVolumeClaim": {"claimName": CLAIM}}],
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "loader"}, "spec": spec}


OWNER = "app.kubernetes.io/managed-by"


def namespace(name: str, level: str, owner: str = "sklearn-catalog-e2e") -> dict[str, Any]:
    """A namespace that enforces a Pod Security level, labelled with whose it is."""
    labels = {"pod-security.kubernetes.io/enforce": level, OWNER: owner}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
