"""A release used by other teams: installed, referenced by hub and by bundle, from a mirror; and what goes wrong.

docs/install.md shows what is done here, and quotes what a user sees of an error.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from team import HARDENED, PROJECT, Team, condition, packed, params, results, succeeded

from catalog import release
from catalog.e2e import objects
from catalog.releasing.objects import CATALOG
from catalog.releasing.progress import Progress
from catalog.releasing.verifying import served
from catalog.tree import TREE

sys.path.insert(0, str(TREE.root / "test" / "release"))

from docker_registry import DockerRegistry

PAGE = TREE.root / "docs" / "install.md"
HUB_PORT = 8000
UNPACK = "import sys, tarfile; tarfile.open(fileobj=sys.stdin.buffer, mode='r|').extractall(sys.argv[1])"
GIVEN = params(dataset="data/iris.csv", rules="accuracy: {min: 0.8}", image="oci-layout:image", base_image="")
WRONG = {
    "version": {"version": "7.0.0"},
    "constraint": {"version": ">= 1.0.0, < 2.0.0"},
    "catalog": {"catalog": "sklearn-catalogue"},
    "name": {"name": "sklearn-trian"},
    "hub": {"url": "http://127.0.0.1:9"},
}


@dataclass(frozen=True)
class Published:
    """A release in the cluster's registry, and a team that has nothing but the hub's address."""

    team: Team
    out: Path
    hub: str

    def bundle(self, kind, name):
        told = yaml.safe_load((self.out / "release.json").read_text())["bundles"]
        (reference,) = (one["reference"] for one in told if (one["kind"], one["name"]) == (kind, name))
        return {"resolver": "bundles", "params": params(bundle=reference, name=name, kind=kind.lower())}

    def from_hub(self, kind, name, version, **other):
        told = {
            "type": "artifact",
            "catalog": CATALOG,
            "kind": kind.lower(),
            "name": name,
            "version": version,
            "url": self.hub,
        }
        return {"resolver": "hub", "params": params(**(told | other))}


def settings(registry, hub_url, out):
    return release.Settings(
        registry=registry, version="", hub_url=hub_url, git_clone_bundle=None, images=str(TREE.root / ".images"),
        insecure=(), out=out, dry_run=False, rebuild=False, skip_checks=True, replace=True,
    )  # fmt: skip


def publish(stage, name, hub_url, folder):
    """To the cluster's registry; the mirror of a release whose registry is switched off again."""
    target = f"{stage.registry}/{stage.label}/{name}"
    if name == "released":
        release.publish(settings(target, hub_url, folder), TREE, Progress())
        return
    (folder / "registry").mkdir(parents=True)
    origin = DockerRegistry(folder / "registry").start()
    try:
        source = f"{origin.host}/origin"
        release.publish(settings(source, "", folder / "origin"), TREE, Progress())
        asked = ["mirror", "--from", source, "--to", target, "--out", str(folder), "--hub-url", hub_url]
        assert release.main([*asked, "--skip-git-clone"]) == 0
    finally:
        origin.stop()


def serve_hub(team, folder):
    """Any web server will do: Python's, in a pod of the team, behind a Service."""
    image = team.stage.images["metric-gate"]
    command = ["python3", "-m", "http.server", str(HUB_PORT), "--directory", "/hub"]
    pod = objects.loader(image, team.identity)
    pod["metadata"] = {"name": "hub", "labels": {"app": "hub"}}
    pod["spec"]["volumes"] = [{"name": "hub", "emptyDir": {}}]
    (container,) = pod["spec"]["containers"]
    container |= {
        "name": "hub",
        "command": command,
        "securityContext": HARDENED,
        "volumeMounts": [{"name": "hub", "mountPath": "/hub"}],
    }
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "hub"},
        "spec": {"selector": {"app": "hub"}, "ports": [{"port": HUB_PORT}]},
    }  # fmt: skip
    team.apply(pod, service)
    team.ready("pod/hub")
    team.python(UNPACK, "/hub", stdin=packed(folder, {}), pod="hub")


@pytest.fixture(scope="module", params=["released", "mirrored"])
def published(request, stage, new_team, tmp_path_factory):
    team, out = new_team(), tmp_path_factory.mktemp(request.param)
    hub = f"http://hub.{team.kubectl.namespace}.svc.cluster.local:{HUB_PORT}"
    publish(stage, request.param, hub, out)
    serve_hub(team, out / "hub")
    team.hold_claim()
    return Published(team, out, hub)


@pytest.fixture(scope="module")
def installed(published, stage, tkn):
    """What ``tkn hub install`` prints; it is told of the hub by an environment variable."""
    kubectl = published.team.kubectl
    where = ["-n", kubectl.namespace, *(["--context", kubectl.context] if kubectl.context else [])]
    command = [tkn, "hub", "install", "task", "sklearn-train", "--from", CATALOG, *where]
    with served(published.out / "hub") as hub:
        told = {"KUBECONFIG": str(kubectl.kubeconfig), "ARTIFACT_HUB_API_SERVER": hub.url, **kubectl.environment}
        done = subprocess.run(command, env={**os.environ, **told}, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def somebody_elses(published):
    """A pipeline that is not ours, with Tasks by bundle digest and by a constraint on the hub."""
    source = {"workspaces": [{"name": "source", "workspace": "source"}]}
    learn = {
        "name": "learn",
        "taskRef": published.bundle("Task", "sklearn-train"),
        "params": params(dataset="data/iris.csv"),
    }
    judge = {
        "name": "judge", "runAfter": ["learn"], "params": params(rules="accuracy: {min: 0.8}"),
        "taskRef": published.from_hub("Task", "metric-gate", ">= 0.1.0, < 1.0.0"),
    }  # fmt: skip
    given = params(approval="$(tasks.judge.results.approval)", image="oci-layout:image", base_image="")
    pack = {"name": "pack", "taskRef": published.bundle("Task", "model-serve-build"), "params": given}
    return {
        "workspaces": [{"name": "source"}],
        "tasks": [task | source for task in (learn, judge, pack)],
        "results": [{"name": "image", "value": "$(tasks.pack.results.image)"}],
    }


@pytest.fixture(scope="module")
def ended(published, installed):
    """All runs, which ran beside each other, each in a folder of its own on the claim."""
    team, ours = published.team, "train-gate-build"
    runs = {
        "installed": ("TaskRun", {"taskRef": {"name": "sklearn-train"}, "params": params(dataset="data/iris.csv")}),
        "foreign": ("PipelineRun", {"pipelineSpec": somebody_elses(published)}),
        "by-hub": ("PipelineRun", {"pipelineRef": published.from_hub("Pipeline", ours, "0.1"), "params": GIVEN}),
        "by-bundle": ("PipelineRun", {"pipelineRef": published.bundle("Pipeline", ours), "params": GIVEN}),
    }
    for wrong, told in WRONG.items() if "released" in str(published.out) else ():
        asked = {"kind": "Task", "name": "sklearn-train", "version": "0.1"} | told
        runs[f"wrong-{wrong}"] = ("TaskRun", {"taskRef": published.from_hub(**asked)})
    for name, (kind, spec) in runs.items():
        claim = {"claimName": objects.CLAIM}
        bound = [{"name": "source", "persistentVolumeClaim": claim, "subPath": name}]
        team.python(UNPACK, f"/claim/{name}", stdin=packed(PROJECT, {}))
        team.start(kind, name, spec | {"workspaces": bound}, claim="")
    return {name: team.ended(kind, name) for name, (kind, _) in runs.items()}


def test_an_installed_task_runs(installed, ended):
    assert "Task sklearn-train(0.1) installed" in installed
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", results(succeeded(ended["installed"]))["model-digest"])


def test_somebody_elses_pipeline_takes_tasks_by_bundle_digest_and_by_constraint(ended):
    assert re.search(r"@sha256:[0-9a-f]{64}$", results(succeeded(ended["foreign"]))["image"])


@pytest.mark.parametrize("variant", ["by-hub", "by-bundle"])
def test_our_pipeline_runs_in_both_variants(ended, variant):
    found = results(succeeded(ended[variant]))
    assert found["verdict"] == "pass"
    assert re.search(r"@sha256:[0-9a-f]{64}$", found["image"])


@pytest.mark.parametrize("published", ["released"], indirect=True)
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("version", "no version found for constraint 7.0.0"),
        ("constraint", "no version found for constraint >= 1.0.0, < 2.0.0"),
        ("catalog", "tekton-task/sklearn-catalogue/sklearn-train' not found on hub"),
        ("name", f"tekton-task/{CATALOG}/sklearn-trian' not found on hub"),
        ("hub", "connection refused"),
    ],
)
def test_a_wrong_reference_fails_with_a_message_that_the_page_quotes(ended, wrong, says):
    found = condition(ended[f"wrong-{wrong}"])
    assert (found["status"], found["reason"]) == ("False", "TaskRunResolutionFailed")
    assert says in found["message"]
    assert says in PAGE.read_text()
