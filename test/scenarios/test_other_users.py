"""git-clone under a user of its own, as the Tekton catalog's pins it, beside our tasks under another on one volume."""

import json

import git_server
import pytest
import yaml
from team import CLONE, condition, params, results, succeeded

USER = 65532


def as_the_catalogs():
    """The stand-in with the security context of git-clone v1.7.0."""
    task = yaml.safe_load(CLONE.read_text())
    task["spec"]["steps"][0]["securityContext"] = {"runAsNonRoot": True, "runAsUser": USER}
    return task


@pytest.fixture(scope="module")
def baseline(new_team):
    """A namespace that enforces *baseline*; everything but git-clone runs under the team's own user."""
    made = new_team("baseline")
    made.install_catalog()
    made.hold_claim()
    return made


@pytest.fixture(scope="module")
def git(baseline):
    made = git_server.start(baseline)
    made.commit("The project", {})
    return made


def pipeline(git, **more):
    given = params(
        repo_url=git.url, dataset="data/iris.csv", onnx="off", base_image="", image="oci-layout:image", **more
    )
    return {"pipelineRef": {"name": "clone-train-gate-build"}, "params": given}


def owners(team) -> dict[str, int]:
    """Who owns what lies at the top of the claim."""
    return json.loads(
        team.python("import json, os; print(json.dumps({e.name: e.stat().st_uid for e in os.scandir('/claim')}))")
    )


def test_a_clone_of_another_user_is_trained_gated_built_and_cleared_away_by_the_next_clone(baseline, git):
    clone = as_the_catalogs()
    bundle = baseline.stage.push_bundle(clone, "git-clone-as-the-catalogs")
    succeeded(baseline.run("PipelineRun", "first", pipeline(git, git_clone_bundle=bundle)))
    found = owners(baseline)
    assert {found["src"], found["data"]} == {USER}
    assert {found["model"], found["gate"], found["image"]} == {baseline.identity.user} != {USER}
    baseline.apply(clone)
    spec = {"taskRef": {"name": "git-clone"}, "params": params(url=git.url)}
    commit = results(succeeded(baseline.run("TaskRun", "again", spec, claim="output")))["commit"]
    assert commit == results(baseline.ended("PipelineRun", "first"))["commit"]
    assert set(owners(baseline)) == {".git", "README.md", "data", "src"}


def test_a_restricted_namespace_refuses_the_security_context_of_the_catalogs_git_clone(new_team):
    restricted = new_team("restricted")
    restricted.apply(as_the_catalogs())
    empty = [{"name": "output", "emptyDir": {}}]
    spec = {"taskRef": {"name": "git-clone"}, "params": params(url="http://nowhere"), "workspaces": empty}
    ended = restricted.run("TaskRun", "refused", spec, claim="")
    assert "violates PodSecurity" in condition(ended)["message"]
    assert "allowPrivilegeEscalation != false" in condition(ended)["message"]


def test_the_catalogs_own_git_clone_is_taken_from_its_bundle(baseline, git):
    ended = baseline.run("PipelineRun", "real", pipeline(git))
    told = condition(ended)
    fetch = baseline.task_run("real", "fetch")
    pulled = told["reason"] != "CouldntGetTask" and condition(fetch)["reason"] != "TaskRunImagePullFailed"
    if not pulled:
        pytest.skip(f"git-clone v1.7.0 can't be had from here: {told['message']}")
    assert results(succeeded(ended))["verdict"] == "no-baseline"
