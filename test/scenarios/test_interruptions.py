"""Pods that go away while they train: gracefully, as when a node is drained, or by force."""

import json

import pytest
from team import condition, exit_code, params, results

# Says that it is there, and goes on when it may; SIGTERM does not hurry it.
WAITING = """
import pathlib, runpy, signal, time, uuid
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(f"here-{uuid.uuid4()}").touch()
until = time.monotonic() + 300
while not pathlib.Path("go").exists() and time.monotonic() < until:
    time.sleep(0.05)
runpy.run_path("src/train.py", run_name="__main__")
"""
WAYS = {"graceful": ["--wait=false"], "forced": ["--force", "--grace-period=0"]}
# While a finalizer is on it, a deleted pod stays to be seen. Without one, whether Tekton sees how the pod ended or finds it
# gone, and makes it anew, depends on how busy the cluster is.
SEEN = '{"metadata": {"finalizers": ["sklearn-catalog.dev/seen"]}}'
UNSEEN = '{"metadata": {"finalizers": null}}'


def pipeline(retries: int) -> dict:
    """Trains, then lets the gate check every file of what was made."""
    source = [{"name": "source", "workspace": "source"}]
    train = {
        "name": "train",
        "retries": retries,
        "taskRef": {"name": "sklearn-train"},
        "params": params(script="src/waiting.py", dataset="data/iris.csv", onnx="off"),
        "workspaces": source,
    }
    gate = {"name": "gate", "runAfter": ["train"], "taskRef": {"name": "metric-gate"}, "workspaces": source}
    return {"pipelineSpec": {"workspaces": [{"name": "source"}], "tasks": [train, gate]}}


def waiting(team) -> int:
    """How many scripts have begun so far."""
    return len(json.loads(team.python("import glob, json; print(json.dumps(glob.glob('/claim/here-*')))")))


@pytest.fixture(scope="module")
def interrupted(new_team):
    """The PipelineRuns whose training lost its pod, each with its team and the pod that went; they ran beside each other."""
    teams = {way: new_team() for way in WAYS}
    for team in teams.values():
        team.install_catalog()
        team.hold_claim()
        team.load({"src/waiting.py": WAITING})
    for way, team in teams.items():
        team.start("PipelineRun", way, pipeline(retries=1 if way == "graceful" else 0))
    pods = {}
    try:
        for way, team in teams.items():
            team.until(lambda team=team: waiting(team) == 1, f"the script of {way}")
            name = team.task_run(way, "train")["status"]["podName"]
            pods[way] = team.kubectl.get("pod", name)
            if way == "graceful":
                team.kubectl("patch", "pod", name, "--type=merge", "-p", SEEN)
            team.kubectl("delete", "pod", name, *WAYS[way])
        for way, team in teams.items():
            team.until(lambda team=team: waiting(team) == 2, f"the next script of {way}")
            team.python("open('/claim/go', 'w')")
        yield {way: (team.ended("PipelineRun", way), team, pods[way]) for way, team in teams.items()}
    finally:
        if pod := pods.get("graceful"):
            teams["graceful"].kubectl("patch", "pod", pod["metadata"]["name"], "--type=merge", "-p", UNSEEN)


def test_a_pod_that_is_deleted_gracefully_uses_up_a_retry_and_the_run_succeeds(interrupted):
    ended, team, pod = interrupted["graceful"]
    assert condition(ended)["status"] == "True", condition(ended)
    train = team.task_run("graceful", "train")
    (first,) = train["status"]["retriesStatus"]
    assert first["podName"] == pod["metadata"]["name"] != train["status"]["podName"]
    assert first["steps"][0]["terminated"]["exitCode"] != 0
    assert exit_code(train) == 0


def test_a_pod_that_is_deleted_by_force_is_made_anew_without_a_retry_and_the_result_is_whole(interrupted):
    ended, team, pod = interrupted["forced"]
    assert condition(ended)["status"] == "True", condition(ended)
    train = team.task_run("forced", "train")
    assert not train["status"].get("retriesStatus")
    assert team.kubectl.get("pod", train["status"]["podName"])["metadata"]["uid"] != pod["metadata"]["uid"]
    assert waiting(team) == 2


@pytest.mark.parametrize("way", WAYS)
def test_the_gate_finds_every_file_as_the_last_training_left_it_and_nothing_half_done(way, interrupted):
    _, team, _ = interrupted[way]
    train, gate = team.task_run(way, "train"), team.task_run(way, "gate")
    assert results(gate)["approval"].startswith("sha256:")
    report = json.loads(team.python("print(open('/claim/gate/report.json').read())"))
    assert results(train)["model-digest"] in json.dumps(report)
    left = json.loads(team.python("import json, os; print(json.dumps(sorted(os.listdir('/claim'))))"))
    assert [name for name in left if name.startswith(".")] == []
