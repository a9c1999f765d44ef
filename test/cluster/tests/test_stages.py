"""Which cluster the tests run on, and what is left of it."""

import pytest
import testcluster
from testcluster.cluster import Cluster

from catalog.e2e import stages
from catalog.e2e.stages import StageError


@pytest.fixture
def said():
    return []


@pytest.fixture
def clusters(monkeypatch, tmp_path):
    """What is done to clusters; ``runs`` is the one that is there before."""

    class Clusters:
        runs = None
        refusals = 0
        calls = ()

    def cluster(version):
        return Cluster("native", tmp_path / "kubeconfig", tmp_path / "kubectl", None, "r:1", "p:1", version, "p:1/sh:1")

    def up(version, say):
        Clusters.calls += (f"up {version}",)
        if Clusters.refusals:
            Clusters.refusals -= 1
            raise testcluster.ClusterError("the disk is full")
        return cluster(version)

    monkeypatch.setattr(testcluster, "up", up)
    monkeypatch.setattr(testcluster, "running", lambda: cluster(Clusters.runs) if Clusters.runs else None)
    monkeypatch.setattr(testcluster, "down", lambda: setattr(Clusters, "calls", (*Clusters.calls, "down")))
    monkeypatch.setattr(
        stages, "_pushed", lambda programs, registry, in_pods, say: {one: f"{in_pods}/{one}" for one in programs}
    )
    return Clusters


def use(said, tekton="", keep=False):
    with stages.own_cluster(tekton, ["metric-gate"], keep=keep, say=said.append) as stage:
        return stage


def test_a_cluster_is_made_for_the_tests_and_ends_with_them(clusters, said):
    stage = use(said)
    assert clusters.calls == (f"up {testcluster.NEWEST_TEKTON}", "down")
    assert stage.stand_ins == {"docker.io/library/busybox:1.37": "p:1/sh:1"}
    assert stage.with_images({"image": "ghcr.io/sklearn-catalog/metric-gate:0.1.0", "name": "metric-gate"}) == {
        "image": "p:1/metric-gate", "name": "metric-gate",
    }  # fmt: skip
    assert said[-1] == "the cluster has ended"


def test_a_cluster_ends_when_the_tests_fail(clusters, said):
    with pytest.raises(ZeroDivisionError), stages.own_cluster("", [], keep=False, say=said.append):
        raise ZeroDivisionError
    assert clusters.calls[-1] == "down"


def test_a_cluster_that_ran_before_or_that_is_to_be_kept_is_left_running(clusters, said):
    clusters.runs = "v1.9.0"
    use(said, "v1.9.0")
    clusters.runs = None
    use(said, keep=True)
    assert "down" not in clusters.calls
    assert [line for line in said if "left running afterwards" in line] == said


def test_a_running_cluster_with_another_tekton_is_not_taken_away(clusters, said):
    clusters.runs = "v1.9.0"
    with pytest.raises(StageError, match=r"with Tekton v1\.9\.0 runs, v1\.15\.0 was asked for; ./scripts/cluster down"):
        use(said, "v1.15.0")
    assert clusters.calls == ()


def test_a_start_is_tried_once_more_and_that_is_said(clusters, said):
    clusters.refusals = 1
    use(said)
    assert said[0] == "the cluster did not start, it is tried once more: the disk is full"
    clusters.refusals = 2
    with pytest.raises(StageError, match="the disk is full"):
        use(said)
    assert clusters.calls[-1] == "down"


def test_an_existing_clusters_settings_decide_the_level_of_its_namespaces(said):
    suitable = {"set-security-context": "true", "running-in-environment-with-injected-sidecars": "false"}
    assert stages._level(suitable, said.append) == "restricted"
    assert said == []
    assert stages._level({**suitable, "set-security-context": "false"}, said.append) == "baseline"
    assert said == ["set-security-context is false: tests run in baseline namespaces, not in restricted ones"]


def test_an_existing_cluster_needs_a_registry(said):
    with (
        pytest.raises(StageError, match="--context needs --registry: a prefix to push images to"),
        stages.the_users_cluster("x", "", [], keep=False, say=said.append),
    ):
        pass
