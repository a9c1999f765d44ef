"""A namespace of one team on a cluster: the catalog installed, a claim that is held by a pod, runs, and what they left."""

from __future__ import annotations

import io
import json
import re
import tarfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from catalog.e2e import objects, observing
from catalog.e2e.kubectl import Kubectl, KubectlError
from catalog.releasing.bundles import bundle, entry
from catalog.tree import TREE
from taskkit.oci.publishing import push
from taskkit.oci.references import parse_registry_reference
from taskkit.oci.repository import Registries

PATIENCE = 600
"""Seconds for anything that a cluster does; a step was once seen to start 82 s late."""
_UNPACK = "import sys, tarfile; tarfile.open(fileobj=sys.stdin.buffer, mode='r|').extractall('/claim')"
_TAGS = """
import json, sys, urllib.error, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[1]).read().decode())
except urllib.error.HTTPError as error:
    assert error.code == 404, error
    print('{}')
"""
PROJECT = TREE.root / "test" / "projects" / "iris"
CLONE = TREE.root / "test" / "scenarios" / "git-clone.yaml"
ROW = {"sepal.length": 6.1, "sepal.width": 2.8, "petal.length": 4.7, "petal.width": 1.2}
"""Of iris, a Versicolor."""
BASELINE = "model-baseline-registry"
_ASK = """
import sys, urllib.request
request = urllib.request.Request(sys.argv[1], sys.argv[2].encode(), {"Content-Type": "application/json"})
print(urllib.request.urlopen(request, timeout=60).read().decode())
"""
HARDENED = {
    "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True,
    "readOnlyRootFilesystem": True, "seccompProfile": {"type": "RuntimeDefault"},
}  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """The cluster. ``registry``: as pods and this machine reach it; ``images``: of the tree's programs, by digest."""

    kubectl: Kubectl
    images: Mapping[str, str]
    registry: str
    label: str
    level: str
    keep: bool

    def push_bundle(self, task: Mapping[str, Any], name: str) -> str:
        """One Task as a Tekton bundle in the cluster's registry; gives its reference."""
        body = objects.with_images(task, self.images)
        path = f"{self.registry}/{self.label}/{name}"
        repository = Registries().repository(parse_registry_reference(f"{path}:test", "the cluster's registry"))
        pushed = push(bundle([entry(body)], {}), repository, "test", "move")
        return f"{path}@{pushed.digest}"


@dataclass
class Team:
    stage: Stage
    kubectl: Kubectl
    identity: objects.Identity = field(default_factory=objects.Identity.random)

    @classmethod
    def create(cls, stage: Stage, name: str, level: str) -> Team:
        made = cls(stage, stage.kubectl.in_namespace(f"{stage.label}-{name}"))
        namespace = objects.namespace(made.kubectl.namespace, level, stage.label)
        made.kubectl("create", "-f", "-", stdin=json.dumps(namespace).encode())
        made.kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=60s")
        return made

    def remove(self) -> None:
        self.kubectl("delete", "namespace", self.kubectl.namespace, "--wait=false")

    def apply(self, *documents: Mapping[str, Any]) -> None:
        """Creates or changes objects; the tree's images are those of the stage."""
        self.kubectl.apply(objects.with_images(list(documents), self.stage.images))

    def install_catalog(self) -> None:
        """All Tasks and Pipelines of the tree, as ``kubectl apply`` would."""
        paths = [TREE.file(kind, name) for kind in ("Task", "Pipeline") for name in TREE.names(kind)]
        self.apply(*(yaml.safe_load(path.read_text()) for path in paths if path))

    def config_map(self, name: str, data: Mapping[str, str]) -> None:
        self.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": dict(data)})

    # the claim ``source``, through the pod ``loader`` that holds it

    def hold_claim(self) -> None:
        """An empty claim, mounted at ``/claim`` of a pod that has Python."""
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "200Mi"}}}
        metadata = {"name": objects.CLAIM}
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}
        self.apply(claim, objects.loader(self.stage.images["metric-gate"], self.identity))
        self.ready("pod/loader")

    def load(self, more: Mapping[str, str] | None = None) -> None:
        """The project iris, and further files by name and text."""
        self.python(_UNPACK, stdin=packed(PROJECT, more or {}))

    def python(self, code: str, *arguments: str, stdin: bytes = b"", pod: str = "loader") -> str:
        """What a program prints in a pod, by default where the claim is mounted at ``/claim``."""
        return self.kubectl("exec", "-i", pod, "--", "python3", "-c", code, *arguments, stdin=stdin).decode()

    def ask(self, url: str, document: Any) -> Any:
        """What a server of the cluster answers to a pod's JSON."""
        return json.loads(self.python(_ASK, url, json.dumps(document)))

    def first_answer(self, url: str, document: Any) -> Any:
        """Of a Service: a node learns of a ready pod a moment after others do, and refuses connections until then."""

        def answer() -> Any:
            with suppress(KubectlError):
                return self.ask(url, document)

        return self.until(answer, f"an answer of {url}")

    def exists(self, path: str) -> bool:
        code = "import os, sys; print(os.path.exists(os.path.join('/claim', sys.argv[1])))"
        return self.python(code, path).strip() == "True"

    def tags(self, repository: str) -> set[str]:
        """Of the cluster's registry, as a pod sees them; none where there is no such repository."""
        told = self.python(_TAGS, f"http://{self.stage.registry}/v2/{repository}/tags/list")
        return set(json.loads(told).get("tags") or ())

    # runs

    def start(self, kind: str, name: str, spec: Mapping[str, Any], claim: str = objects.CLAIM) -> None:
        """A TaskRun or PipelineRun under the team's identity; the workspace named ``claim`` is the claim."""
        pod = {"podTemplate": {"securityContext": self.identity.security_context()}}
        bound = [{"name": claim, "persistentVolumeClaim": {"claimName": objects.CLAIM}}] if claim else []
        under = {"taskRunTemplate": pod} if kind == "PipelineRun" else pod
        body = {"apiVersion": "tekton.dev/v1", "kind": kind, "metadata": {"name": name}}
        self.apply({**body, "spec": {**under, **spec, "workspaces": [*bound, *spec.get("workspaces", ())]}})

    def ended(self, kind: str, name: str) -> dict[str, Any]:
        """The run when it has ended."""
        found: dict[str, Any] = {}

        def over() -> bool:
            found.update(self.kubectl.get(kind.lower(), name))
            return observing.finished(found)

        self.until(over, f"{kind} {name} to end")
        return found

    def run(self, kind: str, name: str, spec: Mapping[str, Any], claim: str = objects.CLAIM) -> dict[str, Any]:
        self.start(kind, name, spec, claim)
        return self.ended(kind, name)

    def task_run(self, pipeline_run: str, task: str) -> dict[str, Any]:
        """The TaskRun of a pipeline's task, as it is now; empty while there is none."""
        label = f"tekton.dev/pipelineRun={pipeline_run},tekton.dev/pipelineTask={task}"
        found = self.kubectl.get("taskruns", "--selector", label)
        return dict(found[0]) if found else {}

    def log(self, task_run: Mapping[str, Any]) -> str:
        """What the one step of a TaskRun printed, in its last attempt."""
        status = task_run["status"]
        return self.kubectl("logs", status["podName"], "-c", status["steps"][0]["container"]).decode()

    # waiting

    def ready(self, *things: str) -> None:
        for thing in things:
            self.kubectl("wait", "--for=condition=Ready", thing, f"--timeout={PATIENCE}s", seconds=PATIENCE + 10)

    def until(self, true: Callable[[], Any], what: str) -> Any:
        """The first value that counts as true, asked for once a second."""
        deadline = time.monotonic() + PATIENCE
        while not (value := true()):
            if time.monotonic() > deadline:
                events = self.kubectl("get", "events", "--sort-by=.lastTimestamp").decode()
                raise AssertionError(f"waited {PATIENCE} s in vain for {what}\n{events}")
            time.sleep(0.5)
        return value


def two_versions(team: Team, repository: str, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The results of two runs of the pipeline on the project iris, whose models differ; ``more`` are further params."""
    team.load()

    def build(name: str, regularization: str) -> dict[str, Any]:
        given = params(
            dataset="data/iris.csv",
            args=[f"--C={regularization}"],
            rules="accuracy: {min: 0.8}",
            image=f"{team.stage.registry}/{team.stage.label}/{repository}:{name}",
            **more,
        )
        spec = {"pipelineRef": {"name": "train-gate-build"}, "params": given}
        return results(succeeded(team.run("PipelineRun", name, spec)))

    return build("first", "1.0"), build("second", "0.5")


def packed(folder: Path, more: Mapping[str, str]) -> bytes:
    """A project as a tar file, for any user."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        files |= {name: text.encode() for name, text in more.items()}
        for name, content in sorted(files.items()):
            if "__pycache__" not in name:
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(content), 0o664
                archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def optional_baseline() -> dict[str, Any]:
    """The ConfigMap as the workspace of a run."""
    return {"name": "baseline", "configMap": {"name": BASELINE, "optional": True}}


def params(**values: Any) -> list[dict[str, Any]]:
    """By name, with ``_`` for ``-``."""
    return [{"name": name.replace("_", "-"), "value": value} for name, value in values.items()]


def results(run: Mapping[str, Any]) -> dict[str, Any]:
    return {each["name"]: each["value"] for each in run["status"].get("results") or ()}


def condition(run: Mapping[str, Any]) -> dict[str, str]:
    return dict(run["status"]["conditions"][0])


def exit_code(task_run: Mapping[str, Any]) -> int:
    """Of the one step."""
    return int(task_run["status"]["steps"][0]["terminated"]["exitCode"])


def succeeded(run: Mapping[str, Any]) -> Mapping[str, Any]:
    """The run itself, once it is known that it succeeded."""
    assert condition(run)["status"] == "True", condition(run)["message"]
    return run


def code_block(page: Path, holding: str) -> str:
    """The one YAML example of a page that holds a text."""
    found = [block for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL) if holding in block]
    assert len(found) == 1, f"{page.name} has {len(found)} examples with '{holding}'"
    return found[0]
