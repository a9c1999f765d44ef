"""The two pipelines in namespaces of one cluster, what they are given, and what one run of each took."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import git_server
import yaml
from git_server import GitServer
from team import (
    BASELINE,
    CLONE,
    HARDENED,
    PATIENCE,
    PROJECT,
    ROW,
    Stage,
    Team,
    optional_baseline,
    params,
    results,
    succeeded,
)  # fmt: skip
from times import RunTimes, run_times

from catalog.e2e import objects
from taskkit.oci.images import read_base
from taskkit.oci.references import parse_registry_reference
from taskkit.oci.repository import Registries

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Side:
    """One of the pipelines: a namespace, what its runs consist of, and where its images go."""

    name: str
    team: Team
    spec: Mapping[str, Any]
    repository: str


@dataclass(frozen=True)
class Ran:
    times: RunTimes
    image: str
    """By digest."""


@dataclass(frozen=True)
class ImageSize:
    """Bytes as they lie in the registry; ``above``: of layers that no base image has."""

    whole: int
    above: int


def ours(stage: Stage, team: Team, git: GitServer) -> Side:
    """The catalog as it is installed; the gate holds the accuracy against the same baseline as the recipe."""
    team.install_catalog()
    repository = f"{stage.registry}/{stage.label}/ours"
    given = params(
        repo_url=git.url,
        repo_revision="main",
        git_clone_bundle=stage.push_bundle(yaml.safe_load(CLONE.read_text()), "git-clone"),
        dataset="data/iris.csv",
        rules="accuracy: {max_drop: 0}",
        image=f"{repository}:{{short-commit}}",
    )
    spec = {"pipelineRef": {"name": "clone-train-gate-build"}, "params": given, "workspaces": [optional_baseline()]}
    return _ready(Side("ours", team, spec, repository))


def recipe(stage: Stage, team: Team, git: GitServer, images: Mapping[str, str]) -> Side:
    """``images``: those of recipe.yaml that are not the catalog's."""
    documents = [*yaml.safe_load_all((HERE / "recipe.yaml").read_text()), yaml.safe_load(CLONE.read_text())]
    team.apply(*objects.with_images(documents, stage.images, images))
    repository = f"{stage.registry}/{stage.label}/recipe"
    given = params(repo_url=git.url, repo_revision="main", image=repository, base_image=images["recipe-base"])
    return _ready(Side("recipe", team, {"pipelineRef": {"name": "recipe"}, "params": given}, repository))


def _ready(side: Side) -> Side:
    side.team.config_map(BASELINE, {"accuracy": "0.9"})
    side.team.hold_claim()
    return side


def git(team: Team) -> GitServer:
    return git_server.start(team)


def commit(git: GitServer, number: int) -> None:
    """A commit whose model is another one than that of all others: each run has something to build."""
    train = (PROJECT / "src" / "train.py").read_text()
    changed = train.replace("default=1.0,", f"default={1 + number / 100},")
    files = {path.name: path.read_text() for path in (HERE / "project").iterdir() if path.is_file()}
    git.commit(f"Regularize {number}", {**files, "src/train.py": changed})


def run(side: Side, name: str) -> Ran:
    """One run, which is deleted before this returns: nothing of it is left to be done beside the next one.

    Raises RuntimeError with the log of the task that failed.
    """
    kubectl, load, began = side.team.kubectl, os.getloadavg()[0], time.monotonic()
    side.team.start("PipelineRun", name, side.spec)
    kubectl.wait_for("jsonpath={.status.completionTime}", f"pipelinerun/{name}", PATIENCE)
    total = time.monotonic() - began
    found = kubectl.get("pipelinerun", name)
    selector = f"tekton.dev/pipelineRun={name}"
    task_runs, pods = (kubectl.get(kind, "--selector", selector) for kind in ("taskruns", "pods"))
    try:
        succeeded(found)
    except AssertionError as error:
        failed = [each for each in task_runs if each["status"]["conditions"][0]["status"] != "True"]
        raise RuntimeError("\n".join([f"{name}: {error}", *map(side.team.log, failed)])) from error
    times = run_times(found, task_runs, pods, total, load)
    image = f"{side.repository}@{results(found)['IMAGE_DIGEST'].strip()}"
    kubectl("delete", "pipelinerun", name, "--cascade=foreground", seconds=PATIENCE)
    return Ran(times, image)


def size(image: str, bases: tuple[str, ...]) -> ImageSize:
    """The registry is asked at the address that pods use."""
    known = {digest for base in bases for digest in _layers(base)}
    layers = _layers(image)
    return ImageSize(sum(layers.values()), sum(size for digest, size in layers.items() if digest not in known))


def _layers(image: str) -> dict[str, int]:
    where = parse_registry_reference(image, "image")
    repository = Registries().repository(where)
    (found,) = read_base(repository, repository.fetch(where.digest)).platforms
    return {layer.digest: layer.size for layer in found.manifest.layers}


def answer(side: Side, image: str) -> list[Any]:
    """What the image says to one row of iris: it is no use to build an image fast that does not serve."""
    tmp = {"name": "tmp", "mountPath": "/tmp"}
    container = {
        "name": "server", "image": image, "securityContext": HARDENED, "volumeMounts": [tmp],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
    }  # fmt: skip
    spec = {
        "containers": [container],
        "securityContext": side.team.identity.security_context(),
        "volumes": [{"name": "tmp", "emptyDir": {}}],
        "terminationGracePeriodSeconds": 0,
    }
    side.team.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "server"}, "spec": spec})
    side.team.ready("pod/server")
    address = side.team.kubectl.get("pod", "server")["status"]["podIP"]
    told = side.team.ask(f"http://{address}:8080/predict", ROW)
    return list(told["predictions"])
