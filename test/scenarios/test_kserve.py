"""The built image under KServe itself: as the container of a predictor, and as a modelcar beside one server for all models.

The documents are those of docs/cluster.md.
"""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import kserve
import pytest
import yaml
from team import ROW, Team, code_block, two_versions

from catalog.e2e.kubectl import KubectlError
from catalog.tree import TREE
from taskkit.oci.images import Addition, append, read_base
from taskkit.oci.publishing import push
from taskkit.oci.references import parse_registry_reference
from taskkit.oci.repository import Registries
from taskkit.oci.tar_layers import InlineFile, layer

PAGE = TREE.root / "docs" / "cluster.md"
MATRIX = {"name": "rows", "shape": [1, 4], "datatype": "FP64", "data": list(ROW.values())}
QUESTION = {"inputs": [MATRIX], "outputs": [{"name": "predict"}]}
# Asks again and again, each time by a new connection, until one version of the model has answered for long; tells who did.
ASK_ON = """
import collections, json, sys, time, urllib.request
url, question, last = sys.argv[1:]
answers, until = collections.Counter(), time.monotonic() + 150
while answers[last] < 500 and time.monotonic() < until:
    request = urllib.request.Request(url, question.encode(), {"Content-Type": "application/json"})
    try:
        answers[json.load(urllib.request.urlopen(request, timeout=10))["model_version"]] += 1
    except Exception as error:
        answers[repr(error)] += 1
    time.sleep(0.02)
print(json.dumps(answers))
"""


@pytest.fixture(scope="module", autouse=True)
def controller(stage):
    """KServe's, in the cluster before any InferenceService and until all are gone."""
    if stage.kubectl.context:
        pytest.skip("KServe is only installed into a cluster of ours")
    import testcluster

    kserve.install(stage.kubectl, testcluster.running())
    yield
    if not stage.keep:
        kserve.remove(stage.kubectl)


@pytest.fixture(scope="module")
def built(team):
    return two_versions(team, "iris")


@pytest.fixture(scope="module")
def baseline(new_team) -> Team:
    return new_team("baseline")


def version(found: dict) -> str:
    """Of the model, as the server names it."""
    return found["model-digest"].removeprefix("sha256:")[:12]


def predictor(team: Team, image: str, name: str = "iris") -> dict:
    """The page's InferenceService of an image."""
    service = yaml.safe_load(code_block(PAGE, "  predictor:\n    securityContext:"))
    service["metadata"]["name"] = name
    pod = service["spec"]["predictor"]
    pod["containers"][0]["image"] = image
    pod["securityContext"] |= team.identity.security_context()
    return service


def modelcar(team: Team, image: str) -> list[dict]:
    """The page's ServingRuntime with the tree's server, and its InferenceService with an image as modelcar."""
    runtime, service = yaml.safe_load_all(code_block(PAGE, "kind: ServingRuntime"))
    runtime["spec"]["containers"][0]["image"] = team.stage.images["model-server"]
    service["spec"]["predictor"]["model"]["storageUri"] = f"oci://{image}"
    return [runtime, service]


@pytest.fixture(scope="module")
def served(team, built):
    """The InferenceService ``iris`` of the first model, ready, in a restricted namespace."""
    team.apply(predictor(team, built[0]["image"]))
    team.ready("inferenceservice/iris")
    team.first_answer("http://iris-predictor/v2/models/iris/infer", QUESTION)


def test_the_image_as_a_predictor_becomes_ready_and_answers_v1_and_v2_in_a_restricted_namespace(team, built, served):
    answer = team.ask("http://iris-predictor/v1/models/iris:predict", {"instances": [ROW]})
    assert answer["predictions"] == ["Versicolor"]
    answer = team.ask("http://iris-predictor/v2/models/iris/infer", QUESTION)
    assert answer["outputs"][0]["data"] == ["Versicolor"]
    assert answer["model_version"] == version(built[0])


def test_another_digest_is_another_version_and_no_request_fails_in_between(team, built, served):
    before, after = map(version, built)
    assert before != after
    with ThreadPoolExecutor(1) as pool:
        url = "http://iris-predictor/v2/models/iris/infer"
        asked = pool.submit(team.python, ASK_ON, url, json.dumps(QUESTION), after)
        team.apply(predictor(team, built[1]["image"]))
        answers = json.loads(asked.result())
    assert set(answers) == {before, after}
    assert answers[after] == 500


def test_an_image_whose_model_was_changed_does_not_become_ready_and_says_which_file(team, built):
    reference = parse_registry_reference(built[0]["image"], "the first image")
    repository = Registries().repository(reference)
    changed = layer([InlineFile("models/model.onnx", b"another model")])
    addition = Addition((changed,), ("another model",), {}, {}, {})
    image = append(read_base(repository, repository.fetch(reference.digest)), lambda _: addition)
    digest = push(image, repository, "changed", "move").digest
    team.apply(predictor(team, str(reference.at(digest)), "changed"))

    def said() -> list[str]:
        with suppress(KubectlError):  # a container that is started again has no log for a moment
            log = team.kubectl("logs", "deployment/changed-predictor").decode()
            return [line for line in log.splitlines() if line.startswith("model-server: ")]
        return []

    (line,) = team.until(said, "the server to say something")
    assert re.match(r"model-server: error: /models/model.onnx has sha256 \w+ .*, but model.json says ", line), line
    conditions = team.kubectl.get("inferenceservice", "changed")["status"]["conditions"]
    assert {each["type"]: each["status"] for each in conditions}["Ready"] == "False"
    team.kubectl("delete", "inferenceservice", "changed")


def test_the_image_as_a_modelcar_beside_the_server_becomes_ready_and_answers(team, built, baseline):
    baseline.apply(*modelcar(team, built[0]["image"]))
    baseline.ready("inferenceservice/iris")
    (pod,) = baseline.kubectl.get("pods", "--selector", "serving.kserve.io/inferenceservice=iris")
    states = {state["name"]: state["restartCount"] for state in pod["status"]["containerStatuses"]}
    assert states == {"kserve-container": 0, "modelcar": 0}  # the server waits, and is not started again
    host = f"iris-predictor.{baseline.kubectl.namespace}"
    answer = team.first_answer(f"http://{host}/v2/models/iris/infer", QUESTION)
    assert answer["outputs"][0]["data"] == ["Versicolor"]
    assert answer["model_version"] == version(built[0])


def test_a_restricted_namespace_refuses_what_kserve_adds_for_a_modelcar(new_team, team, built):
    restricted = new_team("restricted")
    restricted.apply(*modelcar(team, built[0]["image"]))

    def refused() -> str:
        found = restricted.kubectl.get("events", "--field-selector", "reason=FailedCreate")
        return next((event["message"] for event in found if "violates PodSecurity" in event["message"]), "")

    message = restricted.until(refused, "the pod to be refused")
    assert re.search(r'allowPrivilegeEscalation != false \(.*"modelcar-init".*"modelcar"', message), message
