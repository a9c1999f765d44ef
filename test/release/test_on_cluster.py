"""A release used by other teams on real Tekton: installed, referenced in three ways, from a mirror; and what goes wrong.

Needs a running cluster of ./scripts/cluster and the images in .images, and takes minutes, so it has to be asked for:
``CATALOG_ON_CLUSTER=1 .venvs/tools/bin/python -m pytest test/release/test_on_cluster.py``
"""

import io
import os
import re
import subprocess
import sys
import tarfile
import threading
import time
import uuid
from dataclasses import dataclass
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from catalog import release
from catalog.e2e import objects
from catalog.e2e.kubectl import Kubectl
from catalog.environments import ROOT
from catalog.releasing.progress import Progress
from catalog.releasing.serving import HubHandler
from catalog.tree import TREE

pytestmark = pytest.mark.skipif("CATALOG_ON_CLUSTER" not in os.environ, reason="asked for with CATALOG_ON_CLUSTER=1")
sys.path.insert(0, str(ROOT / "test" / "cluster"))
_UNPACK = "import sys, tarfile; tarfile.open(fileobj=sys.stdin.buffer, mode='r|').extractall('/claim')"
_PATIENCE = 600


@dataclass
class Published:
    """What the cluster can reach: images and bundles below ``prefix``, the hub at ``hub``."""

    prefix: str
    hub: str
    out: Path

    def bundle(self, kind: str, name: str) -> str:
        told = yaml.safe_load((self.out / "release.json").read_text())["bundles"]
        return next(one["reference"] for one in told if (one["kind"], one["name"]) == (kind, name))

    def image(self, program: str) -> str:
        told = yaml.safe_load((self.out / "release.json").read_text())["images"]
        return next(one["reference"] for one in told if one["program"] == program)


@pytest.fixture(scope="module")
def cluster():
    import testcluster

    running = testcluster.running()
    if running is None:
        pytest.skip("no cluster runs; ./scripts/cluster up starts one")
    if running.registry != running.registry_in_pods:
        pytest.skip("pods reach the registry under another name than this machine does")
    return running


@pytest.fixture(scope="module")
def serve():
    """Serves a folder where pods reach it: on the host's end of the cluster's cable."""
    from testcluster.paths import HOST_ADDRESS

    servers = []

    def serve(folder: Path) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        server = ThreadingHTTPServer((HOST_ADDRESS, 0), partial(HubHandler, directory=str(folder), quiet=True))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://{HOST_ADDRESS}:{server.server_address[1]}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def settings(prefix, hub, out):
    return release.Settings(
        registry=prefix, version="", hub_url=hub, git_clone_bundle=None, images=str(TREE.root / ".images"), insecure=(),
        out=out, dry_run=False, rebuild=False, skip_checks=True, replace=True,
    )  # fmt: skip


@pytest.fixture(scope="module", params=["released", "mirrored"])
def published(request, cluster, serve, tmp_path_factory, start_registry):
    """A release in the cluster's registry; or in a registry that is off again once it was mirrored there."""
    out = tmp_path_factory.mktemp("published")
    prefix, hub = f"{cluster.registry}/{request.param}-{uuid.uuid4().hex[:8]}", serve(out / "hub")
    if request.param == "released":
        release.publish(settings(prefix, hub, out), TREE, Progress())
        return Published(prefix, hub, out)
    origin = start_registry()
    release.publish(settings(f"{origin.host}/origin", "", out / "origin"), TREE, Progress())
    mirror = ["mirror", "--from", f"{origin.host}/origin", "--to", prefix, "--out", str(out), "--hub-url", hub]
    assert release.main([*mirror, "--skip-git-clone"]) == 0
    origin.stop()
    return Published(prefix, hub, out)


class Team:
    """A namespace that enforces *restricted*, with a project in the claim ``source``."""

    def __init__(self, cluster):
        self.cluster, self.identity = cluster, objects.Identity.random()
        name = f"release-{uuid.uuid4().hex[:8]}"
        self.kubectl = Kubectl(cluster.kubectl_program, cluster.kubeconfig, name)
        self.kubectl.apply([objects.namespace(name, "restricted")])
        self._until(lambda: self.kubectl("get", "serviceaccount", "default", "--ignore-not-found"), 60)

    def load(self, image: str) -> None:
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "100Mi"}}}
        meta = {"name": objects.CLAIM}
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}
        self.kubectl.apply([claim, objects.loader(image, self.identity)])
        self.kubectl("wait", "--for=condition=Ready", "pod/loader", "--timeout=300s", seconds=310)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for path in ("src/train.py", "data/iris.csv"):
                archive.add(ROOT / "test/projects/iris" / path, path)
        self.kubectl("exec", "-i", "loader", "--", "python3", "-c", _UNPACK, stdin=packed.getvalue())

    def run(self, kind: str, spec: dict) -> dict:
        """The condition of a run that ended, with its results."""
        pod = {"securityContext": self.identity.security_context()}
        where = {"taskRunTemplate": {"podTemplate": pod}} if kind == "PipelineRun" else {"podTemplate": pod}
        claim = {"name": "source", "persistentVolumeClaim": {"claimName": objects.CLAIM}}
        name = f"run-{uuid.uuid4().hex[:8]}"
        body = {
            "apiVersion": "tekton.dev/v1", "kind": kind, "metadata": {"name": name},
            "spec": {**where, "workspaces": [claim], **spec},
        }  # fmt: skip
        self.kubectl.apply([body])

        def ended():
            conditions = (self.kubectl.get(kind.lower(), name).get("status") or {}).get("conditions") or [{}]
            return conditions[0] if conditions[0].get("status") in {"True", "False"} else None

        condition = self._until(ended, _PATIENCE)
        status = self.kubectl.get(kind.lower(), name)["status"]
        return condition | {"results": {one["name"]: one["value"] for one in status.get("results") or []}}

    def _until(self, what, seconds):
        until = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < until, "it does not end"
            time.sleep(1)
        return found

    def end(self):
        self.kubectl("delete", "namespace", self.kubectl.namespace, "--wait=false")


@pytest.fixture
def team(cluster):
    made = Team(cluster)
    yield made
    made.end()


@pytest.fixture
def loaded(team, published):
    team.load(published.image("metric-gate"))
    return team


def params(**values):
    return [{"name": name.replace("_", "-"), "value": value} for name, value in values.items()]


def bundle(published, kind, name):
    reference = published.bundle(kind, name)
    return {"resolver": "bundles", "params": params(bundle=reference, name=name, kind=kind.lower())}


def from_hub(published, kind, name, version, catalog="sklearn-catalog"):
    told = params(type="artifact", catalog=catalog, kind=kind.lower(), name=name, version=version, url=published.hub)
    return {"resolver": "hub", "params": told}


def succeeded(condition):
    assert condition["status"] == "True", condition
    return condition["results"]


def test_an_installed_task_runs(loaded, published, cluster):
    home = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "ARTIFACT_HUB_API_SERVER": published.hub}
    command = [cluster.tkn_program, "hub", "install", "task", "sklearn-train", "--from", "sklearn-catalog"]
    done = subprocess.run(
        [*command, "-n", loaded.kubectl.namespace], env=home, capture_output=True, text=True, check=False
    )
    assert "Task sklearn-train(0.1) installed" in done.stdout, done.stdout + done.stderr
    spec = {"taskRef": {"name": "sklearn-train"}, "params": params(dataset="data/iris.csv")}
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", succeeded(loaded.run("TaskRun", spec))["model-digest"])


def test_somebody_elses_pipeline_takes_tasks_by_bundle_digest_and_by_constraint(loaded, published):
    source = {"workspaces": [{"name": "source", "workspace": "source"}]}
    tasks = [
        {"name": "learn", "taskRef": bundle(published, "Task", "sklearn-train"), "params": params(dataset="data/iris.csv")},
        {"name": "judge", "runAfter": ["learn"], "params": params(rules="accuracy: {min: 0.8}"),
         "taskRef": from_hub(published, "Task", "metric-gate", ">= 0.1.0, < 1.0.0")},
        {"name": "pack", "taskRef": bundle(published, "Task", "model-serve-build"),
         "params": params(approval="$(tasks.judge.results.approval)", image="oci-layout:image", base_image="")},
    ]  # fmt: skip
    results = [{"name": "image", "value": "$(tasks.pack.results.image)"}]
    pipeline = {"workspaces": [{"name": "source"}], "tasks": [task | source for task in tasks], "results": results}
    assert "@sha256:" in succeeded(loaded.run("PipelineRun", {"pipelineSpec": pipeline}))["image"]


@pytest.mark.parametrize("variant", ["hub", "bundle"])
def test_our_pipeline_runs_in_both_variants(loaded, published, variant):
    name = "train-gate-build"
    reference = (
        from_hub(published, "Pipeline", name, "0.1") if variant == "hub" else bundle(published, "Pipeline", name)
    )
    given = params(dataset="data/iris.csv", rules="accuracy: {min: 0.8}", image="oci-layout:image")
    results = succeeded(loaded.run("PipelineRun", {"pipelineRef": reference, "params": given}))
    assert results["verdict"] in {"pass", "no-baseline"}
    assert "@sha256:" in results["image"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"version": "7.0.0"}, r"no version found|7\.0\.0"),
        ({"version": "0.1", "catalog": "sklearn-catalogue"}, r"sklearn-catalogue"),
        ({"version": "0.1", "name": "sklearn-trian"}, r"sklearn-trian"),
    ],
    ids=["version", "catalog", "name"],
)  # fmt: skip
def test_a_wrong_reference_fails_with_a_message_that_names_it(team, published, wrong, says):
    reference = from_hub(published, "Task", **({"name": "sklearn-train"} | wrong))
    condition = team.run("TaskRun", {"taskRef": reference})
    print(condition["reason"], condition["message"])
    assert condition["status"] == "False"
    assert re.search(says, condition["message"]), condition


def test_a_hub_that_does_not_answer_is_named(team, published):
    nowhere = Published(published.prefix, "http://10.213.0.2:9", published.out)
    condition = team.run("TaskRun", {"taskRef": from_hub(nowhere, "Task", "sklearn-train", "0.1")})
    print(condition["reason"], condition["message"])
    assert condition["status"] == "False"
    assert "10.213.0.2:9" in condition["message"]
