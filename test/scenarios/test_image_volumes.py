"""A model in an image of its own, mounted into a pod of the plain server. The Deployment is that of docs/cluster.md."""

import json
import re

import pytest
import yaml
from team import ROW, code_block, two_versions

from catalog.e2e.kubectl import KubectlError
from catalog.tree import TREE

PAGE = TREE.root / "docs" / "cluster.md"


@pytest.fixture(scope="module", autouse=True)
def image_volumes(stage, new_team):
    """Skips where the API server knows of none: it refuses the field, or drops it where the feature is off."""
    volume = {"name": "image", "image": {"reference": stage.images["metric-gate"]}}
    spec = {"containers": [{"name": "one", "image": stage.images["metric-gate"]}], "volumes": [volume]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "asks"}, "spec": spec}
    create = ("create", "--dry-run=server", "--validate=strict", "-o", "json", "-f", "-")
    try:
        made = json.loads(new_team("privileged").kubectl(*create, stdin=json.dumps(pod).encode()))
        assert made["spec"]["volumes"][0]["image"]["reference"]
    except (KubectlError, KeyError) as error:
        pytest.skip(f"this cluster has no image volumes (Kubernetes 1.33 or later, feature ImageVolume): {error}")


@pytest.fixture(scope="module")
def built(team):
    """Model-only images."""
    return two_versions(team, "model-alone", runtime="sklearn", base_image="")


@pytest.fixture(scope="module")
def deploy(team):
    """Deploys the page's server with an image as its volume; gives the Deployment's name."""
    names = []

    def deploy(image: str, model_digest: str, server: str = "model-server") -> str:
        deployment = yaml.safe_load(code_block(PAGE, "kind: Deployment\nmetadata:\n  name: iris-by-volume"))
        names.append(f"by-volume-{len(names)}")
        deployment["metadata"]["name"] = names[-1]
        deployment["spec"]["selector"]["matchLabels"] = {"app": names[-1]}
        template = deployment["spec"]["template"]
        template["metadata"]["labels"] = {"app": names[-1]}
        pod = template["spec"]
        pod["securityContext"] |= team.identity.security_context()
        pod["volumes"][0]["image"]["reference"] = image
        pod["containers"][0]["image"] = team.stage.images[server]
        next(each for each in pod["containers"][0]["env"] if each["name"] == "MODEL_DIGEST")["value"] = model_digest
        team.apply(deployment)
        return names[-1]

    return deploy


def answer(team, name: str) -> dict:
    """What the Deployment's pod says to a row, by the protocol that tells the model's version."""
    team.kubectl("rollout", "status", f"deployment/{name}", "--timeout=300s", seconds=310)
    (pod,) = team.kubectl.get("pods", "--selector", f"app={name}")
    matrix = {"name": "rows", "shape": [1, 4], "datatype": "FP64", "data": list(ROW.values())}
    return team.ask(f"http://{pod['status']['podIP']}:8080/v2/models/iris/infer", {"inputs": [matrix]})


@pytest.mark.parametrize("server", ["model-server", "model-server-onnx"])
def test_a_mounted_image_is_the_model_that_the_plain_server_serves(server, built, deploy, team):
    found = answer(team, deploy(built[0]["image"], built[0]["model-digest"], server))
    outputs = {each["name"]: each["data"] for each in found["outputs"]}
    assert outputs["predict"] == ["Versicolor"]
    assert built[0]["model-digest"].removeprefix("sha256:").startswith(found["model_version"])


def test_another_image_under_the_same_server_is_another_model(built, deploy, team):
    versions = [answer(team, deploy(each["image"], each["model-digest"]))["model_version"] for each in built]
    assert [each["model-digest"].removeprefix("sha256:")[:12] for each in built] == versions
    assert versions[0] != versions[1]


@pytest.mark.parametrize(
    ("volume", "said"),
    [
        ("the second model", r"/image/models/model\.json has digest sha256:\w+, but sha256:\w+ was approved; .*"),
        ("no model", r"model directory /image/models has no model\.json \(No such file or directory\); .*"),
    ],
)
def test_a_volume_with_something_else_is_refused_in_one_line(volume, said, built, deploy, team):
    image = built[1]["image"] if volume == "the second model" else team.stage.images["metric-gate"]
    name = deploy(image, built[0]["model-digest"])

    def log() -> str:
        pods = team.kubectl.get("pods", "--selector", f"app={name}")
        states = [status for pod in pods for status in pod["status"].get("containerStatuses", ())]
        ended = any("terminated" in {**status["state"], **status.get("lastState", {})} for status in states)
        return team.kubectl("logs", f"deployment/{name}").decode() if ended else ""

    (line,) = team.until(log, "the server to end").strip().splitlines()
    assert re.fullmatch(f"model-server: error: {said}", line)
