"""How long a training may take is said by the run's ``timeouts``, and by nothing else; how much memory, by the run."""

import re

import pytest
import yaml
from team import CLONE, condition, exit_code, params

from catalog.engine.requests import Request, prepare
from catalog.tree import TREE

SAMPLES = {"train-gate-build": "iris", "clone-train-gate-build": "from-git"}
SLOW = "import time\ntime.sleep(600)\n"
HUNGRY = """
import time
kept = []
while True:
    kept.append(b"x" * (4 << 20))
    time.sleep(0.1)
"""


def sample(pipeline):
    return TREE.file("Pipeline", pipeline).parent / "samples" / f"{SAMPLES[pipeline]}.yaml"


@pytest.mark.parametrize("pipeline", SAMPLES)
def test_on_the_local_engine_the_training_has_no_limit_of_its_own(pipeline, tmp_path):
    credentials = {"dockerconfig": tmp_path} if pipeline.startswith("clone") else {}
    (plan,) = prepare(Request([CLONE, sample(pipeline)], workspaces=credentials, tree=TREE)).plans
    limits = {task.name: task.timeout for task in plan.tasks}
    assert limits["train"] == 0
    assert limits["gate"] == 3600
    assert plan.timeouts.pipeline > 3600


@pytest.fixture(scope="module")
def project(team):
    team.load({"src/slow.py": SLOW, "src/hungry.py": HUNGRY})
    return team


def test_on_a_cluster_the_training_has_no_limit_of_its_own(project):
    run = next(
        each for each in yaml.safe_load_all(sample("train-gate-build").read_text()) if each["kind"] != "ConfigMap"
    )
    given = [each for each in run["spec"]["params"] if each["name"] != "script"] + params(script="src/slow.py")
    timeouts = run["spec"]["timeouts"]
    reference = run["spec"]["pipelineRef"]
    project.start("PipelineRun", "long", {"pipelineRef": reference, "params": given, "timeouts": timeouts})
    train = project.until(lambda: project.task_run("long", "train"), "the TaskRun of train")
    assert train["spec"]["timeout"] in {"0s", "0"}
    assert project.kubectl.get("pipelinerun", "long")["spec"]["timeouts"]["pipeline"] == "4h0m0s"
    project.kubectl("patch", "pipelinerun", "long", "--type=merge", "-p", '{"spec": {"status": "Cancelled"}}')
    assert condition(project.ended("PipelineRun", "long"))["reason"] == "Cancelled"


def test_on_a_cluster_the_runs_limit_ends_the_training(project):
    given = params(script="src/slow.py", args=[], image="oci-layout:image")
    spec = {"pipelineRef": {"name": "train-gate-build"}, "params": given, "timeouts": {"pipeline": "20s"}}
    ended = project.run("PipelineRun", "short", spec)
    assert condition(ended)["reason"] == "PipelineRunTimeout"
    train = project.ended("TaskRun", project.task_run("short", "train")["metadata"]["name"])
    assert condition(train)["reason"] == "TaskRunCancelled"


def test_a_run_that_says_nothing_ends_after_an_hour(project):
    spec = {"pipelineRef": {"name": "train-gate-build"}, "params": params(image="oci-layout:image")}
    project.start("PipelineRun", "unsaid", {**spec, "status": "PipelineRunPending"})
    assert project.kubectl.get("pipelinerun", "unsaid")["spec"]["timeouts"]["pipeline"] == "1h0m0s"


def test_near_the_memory_limit_of_the_run_the_script_is_stopped_with_the_figures(project):
    limited = {"pipelineTaskName": "train", "computeResources": {"limits": {"memory": "300Mi"}}}
    given = params(script="src/hungry.py", args=[], image="oci-layout:image")
    spec = {"pipelineRef": {"name": "train-gate-build"}, "params": given, "taskRunSpecs": [limited]}
    assert condition(project.run("PipelineRun", "hungry", spec))["reason"] == "Failed"
    train = project.task_run("hungry", "train")
    said = project.log(train)
    if condition(train)["message"].find("OOMKilled") < 0:  # else the kernel was faster than the script's supervisor
        assert exit_code(train) == 3
        assert re.search(r"sklearn-train: error: .*memory.*300 ?MiB", said), said
