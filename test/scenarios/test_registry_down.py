"""The registry goes away before or while the image is pushed: the build says so after a few attempts, and can be repeated."""

import re

import pytest
from team import HARDENED, Team, condition, exit_code, params, results, succeeded

# Passes every byte on, until a client sends a certain text: then everything breaks off in the middle of it, for good.
DOOR = r"""
import os, re, socket, socketserver, sys, threading

host, _, port = sys.argv[1].partition(":")
last = re.compile(sys.argv[2].encode()) if sys.argv[2] else None


class Door(socketserver.BaseRequestHandler):
    def handle(self):
        with socket.create_connection((host, int(port))) as registry:
            threading.Thread(target=self.back, args=[registry], daemon=True).start()
            seen = b""
            while data := self.request.recv(4096):
                seen = (seen + data)[-8192:]
                if last and last.search(seen):
                    registry.sendall(data[: len(data) // 2])
                    os._exit(0)
                registry.sendall(data)

    def back(self, registry):
        while data := registry.recv(65536):
            self.request.sendall(data)
        self.request.shutdown(socket.SHUT_WR)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


Server(("", 5000), Door).serve_forever()
"""
MOMENTS = {
    "amid-a-layer": r"PUT /v2/\S+/blobs/uploads/",
    "before-the-manifest": r"PUT /v2/\S+/manifests/",
}


def door(team: Team, name: str, until: str) -> None:
    """A way to the cluster's registry by the name of a service, which ends where told."""
    container = {
        "name": "door",
        "image": team.stage.images["metric-gate"],
        "command": ["python3", "-c", DOOR, team.stage.registry, until],
        "readinessProbe": {"tcpSocket": {"port": 5000}, "periodSeconds": 1},
        "securityContext": HARDENED,
    }
    spec = {
        "securityContext": team.identity.security_context(),
        "containers": [container],
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
    }
    team.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec})
    team.ready(f"pod/{name}")


def service(team: Team, name: str) -> None:
    spec = {"selector": {"app": name}, "ports": [{"port": 5000}]}
    team.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})


@pytest.fixture(scope="module")
def approval(team):
    """Of a model that waits to be built."""
    team.load()
    source = [{"name": "source", "workspace": "source"}]
    train = params(dataset="data/iris.csv", onnx="off", golden="none")
    tasks = [
        {"name": "train", "taskRef": {"name": "sklearn-train"}, "params": train, "workspaces": source},
        {"name": "gate", "runAfter": ["train"], "taskRef": {"name": "metric-gate"}, "workspaces": source},
    ]
    told = [{"name": "approval", "value": "$(tasks.gate.results.approval)"}]
    spec = {"pipelineSpec": {"workspaces": [{"name": "source"}], "tasks": tasks, "results": told}}
    return results(succeeded(team.run("PipelineRun", "approve", spec)))["approval"]


def build(team: Team, approval: str, registry: str) -> dict:
    """The spec of a build that pushes to the repository of the door's name."""
    image = f"{registry}:5000/{team.stage.label}/{registry}:v1"
    given = params(approval=approval, image=image, base_image="", insecure_registries=[f"{registry}:5000"])
    return {"taskRef": {"name": "model-serve-build"}, "params": given}


@pytest.fixture(scope="module")
def builds(team, approval):
    """What came of builds while the registry went, or was gone from the start; they ran beside each other."""
    for name in (*MOMENTS, "gone"):
        service(team, name)
    for name, until in MOMENTS.items():
        door(team, name, until)
    for name in (*MOMENTS, "gone"):
        team.start("TaskRun", name, build(team, approval, name))
    return {name: team.ended("TaskRun", name) for name in (*MOMENTS, "gone")}


@pytest.mark.parametrize("moment", [*MOMENTS, "gone"])
def test_the_build_gives_up_and_names_the_registry_that_does_not_answer(moment, builds, team):
    ended = builds[moment]
    assert condition(ended)["status"] == "False"
    assert exit_code(ended) == 3
    last = team.log(ended).splitlines()[-1]
    assert re.match(rf"model-serve-build: error: .*{moment}:5000.*(refused|not be reached|no answer)", last), last
    assert results(ended)["image"] == results(ended)["IMAGE_DIGEST"] == ""


@pytest.mark.parametrize("moment", [*MOMENTS, "gone"])
def test_nothing_of_it_is_to_be_seen_under_the_tag(moment, builds, team):
    assert team.tags(f"{team.stage.label}/{moment}") == set()


@pytest.mark.parametrize("moment", [*MOMENTS, "gone"])
def test_the_same_build_succeeds_when_the_registry_is_back(moment, builds, team, approval):
    assert condition(builds[moment])["status"] == "False"
    team.kubectl("delete", "pod", moment, "--ignore-not-found")
    door(team, moment, until="")
    again = team.run("TaskRun", f"{moment}-again", build(team, approval, moment))
    assert results(succeeded(again))["image"].startswith(f"{moment}:5000/")
    assert team.tags(f"{team.stage.label}/{moment}") == {"v1"}
    if moment == "before-the-manifest":
        assert re.search(r"[1-9] blobs? (was|were) there already", team.log(again))
