"""The whole way: a commit in a git repository, its image, a Deployment of it, a prediction; then a commit that is worse."""

import json
import re
import subprocess

import git_server
import pytest
import yaml
from team import (
    BASELINE,
    CLONE,
    HARDENED,
    PROJECT,
    ROW,
    code_block,
    condition,
    exit_code,
    optional_baseline,
    params,
    results,
    succeeded,
)  # fmt: skip

from catalog.tree import TREE

PAGE = TREE.root / "docs" / "cluster.md"


@pytest.fixture(scope="module")
def git(team):
    return git_server.start(team)


@pytest.fixture(scope="module")
def repository(team):
    """Where images go: of this run alone."""
    return f"{team.stage.label}/iris"


@pytest.fixture(scope="module")
def run(team, git, repository):
    """Runs the pipeline for what the repository's branch ``main`` points to."""
    team.config_map(BASELINE, {"accuracy": "0.9\n"})
    clone = team.stage.push_bundle(yaml.safe_load(CLONE.read_text()), "git-clone")

    def run(name):
        given = params(
            repo_url=git.url,
            repo_revision="main",
            git_clone_bundle=clone,
            dataset="data/iris.csv",
            rules="accuracy: {min: 0.85, max_drop: 0.01}",
            image=f"{team.stage.registry}/{repository}:{{short-commit}}",
        )
        spec = {"pipelineRef": {"name": "clone-train-gate-build"}, "params": given, "workspaces": [optional_baseline()]}
        return team.run("PipelineRun", name, spec)

    return run


@pytest.fixture(scope="module")
def first(git, run):
    """The commit that is good enough, and what became of it."""
    commit = git.commit("The project", {"only-at-first.txt": "one"})
    return commit, run("first")


@pytest.fixture(scope="module")
def worse(team, git, repository, run, first):
    """A commit with a script that learns less, on the volume of the first; the tags before and after."""
    train = (PROJECT / "src" / "train.py").read_text()
    before = team.tags(repository)
    commit = git.commit("Regularize", {"src/train.py": train.replace("default=1.0", "default=0.001")})
    return commit, run("worse"), before, team.tags(repository)


def test_the_image_of_a_commit_has_its_short_name_as_tag(first, team, repository):
    commit, ended = first
    found = results(succeeded(ended))
    assert (found["verdict"], found["commit"]) == ("pass", commit)
    (tag,) = team.tags(repository)
    assert len(tag) >= 7
    assert commit.startswith(tag)
    assert found["image"] == f"{team.stage.registry}/{repository}:{tag}@{found['IMAGE_DIGEST']}"


def test_a_deployment_of_the_image_by_digest_becomes_ready_and_answers_through_its_service(first, team):
    image = results(succeeded(first[1]))["image"]
    documents = list(yaml.safe_load_all(code_block(PAGE, "kind: Service\n")))
    deployment = next(each for each in documents if each["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    pod["containers"][0]["image"] = image
    pod["securityContext"] |= team.identity.security_context()
    team.apply(*documents)
    name, port = deployment["metadata"]["name"], documents[-1]["spec"]["ports"][0]["port"]
    team.kubectl("rollout", "status", f"deployment/{name}", "--timeout=300s", seconds=310)
    answer = team.first_answer(f"http://{name}:{port}/predict", ROW)
    assert answer["predictions"] == ["Versicolor"]


def test_the_image_tells_from_which_commit_it_comes(first, team):
    commit, ended = first
    found = results(succeeded(ended))
    container = {"name": "explain", "image": found["image"], "args": ["--explain"], "securityContext": HARDENED}
    spec = {
        "containers": [container],
        "restartPolicy": "Never",
        "securityContext": team.identity.security_context(),
    }
    team.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "explain"}, "spec": spec})
    team.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/explain", "--timeout=300s", seconds=310)
    told = team.kubectl("logs", "explain").decode()
    assert commit in told
    assert found["model-digest"].removeprefix("sha256:") in told


def test_a_worse_commit_is_stopped_by_the_gate_and_nothing_is_pushed(worse, team):
    commit, ended, before, after = worse
    assert condition(ended)["status"] == "False"
    assert results(ended)["commit"] == commit
    gate = team.task_run("worse", "gate")
    assert exit_code(gate) == 10
    assert re.search(r"the gate said no: accuracy: 0\.7\d+ is less than 0\.85", team.log(gate))
    assert not team.task_run("worse", "build")
    assert before == after != set()


def test_cloning_again_leaves_nothing_of_the_volumes_last_use(worse, team):
    commit, ended, *_ = worse
    assert commit == results(ended)["commit"]
    assert not team.exists("only-at-first.txt")
    assert "default=0.001" in team.python("print(open('/claim/src/train.py').read())")
    report = json.loads(team.python("print(open('/claim/gate/report.json').read())"))
    assert report["verdict"] == "fail"
    assert report["model_digest" if "model_digest" in report else "model-digest"] == results(ended)["model-digest"]


def test_all_results_of_a_task_together_stay_below_a_kilobyte(first, team):
    for task in ("train", "gate", "build"):
        found = team.task_run("first", task)["status"]["results"]
        sizes = {each["name"]: len(json.dumps(each["value"])) for each in found}
        assert sum(sizes.values()) < 1024, f"{task}: {sizes}"


@pytest.mark.parametrize("kind", ["taskrun", "pipelinerun"])
def test_logs_through_tkn_are_plain_lines(kind, tkn, first, team):
    name = "first" if kind == "pipelinerun" else team.task_run("first", "train")["metadata"]["name"]
    kubectl = team.kubectl
    where = ["--kubeconfig", str(kubectl.kubeconfig), *(["--context", kubectl.context] if kubectl.context else [])]
    command = [tkn, kind, "logs", name, *where, "--namespace", kubectl.namespace, "--no-color"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", told)
    lines = told.splitlines()
    assert max(map(len, lines)) < 300
    prefix = "[train : train]" if kind == "pipelinerun" else "[train]"
    said = [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]
    assert f" commit {first[0]} (clean)" in said
    assert any(re.match(r" metrics: accuracy 0\.9\d+", line) for line in said)
