"""Objects of a cluster in the terms of the local engine; one test on a cluster that answers as it is told."""

import json
from dataclasses import dataclass, field

import pytest

from catalog.e2e import cluster_run, observing
from catalog.e2e.cluster_run import Stage, run_test
from catalog.e2e.kubectl import Kubectl, KubectlError
from catalog.e2e.selection import chosen
from catalog.engine.outcomes import Status
from catalog.tree import TREE


def condition(status, reason, message=""):
    return [{"type": "Succeeded", "status": status, "reason": reason, "message": message}]


def task_run(name, task, status, steps=(), **more):
    labels = {"tekton.dev/pipelineTask": task}
    times = {"startTime": "2026-01-01T10:00:00Z", "completionTime": "2026-01-01T10:00:07Z"}
    metadata = {"name": name, "labels": labels, "creationTimestamp": "2026-01-01T10:00:00Z"}
    return {"kind": "TaskRun", "metadata": metadata, "status": {**times, **status, "steps": list(steps), **more}}


def step(name, code):
    return {"name": name, "container": f"step-{name}", "terminationReason": "Error" if code else "Completed",
            "terminated": {"exitCode": code}}  # fmt: skip


def test_a_pipeline_runs_tasks_attempts_results_and_what_was_skipped():
    gate = task_run("p-gate", "gate", {"conditions": condition("False", "StepFailed", "exited with code 10")},
                    [step("a", 0), step("b", 10)], retriesStatus=[{}, {}], results=[{"name": "verdict", "value": "fail"}])  # fmt: skip
    run = {
        "kind": "PipelineRun",
        "metadata": {"name": "p"},
        "status": {
            "conditions": condition("False", "Failed", "Tasks Completed: 1"),
            "skippedTasks": [{"name": "build", "reason": "PipelineRun was stopping"}],
            "results": [{"name": "r", "value": ["x"]}],
        },
    }
    outcome = observing.outcome(run, [gate], {})
    assert (outcome.status, outcome.reason, outcome.results) == (Status.FAILED, "Failed", {"r": ["x"]})
    failed, skipped = outcome.tasks
    assert (failed.name, failed.exit_code, failed.attempts, failed.seconds) == ("gate", 10, 3, 7.0)
    assert failed.results == {"verdict": "fail"}
    assert (skipped.name, skipped.status, skipped.reason) == ("build", Status.SKIPPED, "PipelineRun was stopping")


def test_the_task_runs_of_a_matrix_are_one_task_in_the_order_of_their_numbers():
    matrix = {"name": "fan", "matrix": {"params": [{"name": "p", "value": ["a", "b"]}]}}
    run = {"kind": "PipelineRun", "metadata": {"name": "p"},
           "status": {"conditions": condition("True", "Succeeded"), "pipelineSpec": {"tasks": [matrix]}}}  # fmt: skip
    runs = [
        task_run(f"p-fan-{number}", "fan", {"conditions": condition("True", "Succeeded")}, [step("s", 0)],
                 results=[{"name": "r", "value": str(number)}])
        for number in (10, 2, 0)
    ]  # fmt: skip
    (task,) = observing.outcome(run, runs, {}).tasks
    assert [child.name for child in task.children] == ["fan-0", "fan-1", "fan-2"]
    assert task.results == {"r": ["0", "2", "10"]}


@dataclass(frozen=True)
class Answering(Kubectl):
    """Answers by the first words of a call; an error is raised."""

    answers: dict = field(default_factory=dict)
    calls: list = field(default_factory=list)

    def __call__(self, *arguments, stdin=None, seconds=0):
        call = " ".join(arguments)
        self.calls.append((self.namespace, call, stdin))
        for start, answer in self.answers.items():
            if call.startswith(start):
                if isinstance(answer, Exception):
                    raise answer
                return answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return b'{"kind": "List", "items": []}'


@pytest.fixture
def on(tmp_path):
    def on(name, **answers):
        kubectl = Answering(tmp_path, tmp_path, answers={key.replace("_", " "): each for key, each in answers.items()})
        stage = Stage(kubectl, {"metric-gate": "r/gate"}, lambda task: "", "v1.15.0", "e2e-abc")
        (path,) = (TREE.root / "test/conformance").rglob(f"{name}.yaml")
        (test,) = chosen([str(path)], None, TREE)
        return run_test(test, stage, 7), kubectl.calls

    return on


TAKEN = {"kind": "PipelineRun", "metadata": {"name": "x"}, "status": {"conditions": condition("True", "Succeeded")}}


def test_a_document_that_is_refused_as_it_should_be_passes(on):
    verdict, calls = on("cycle", apply=KubectlError("admission webhook denied: cycle detected; task a depends on b"))
    assert (verdict.passed, verdict.status) == (True, "Rejected")
    assert calls[0][:2] == ("e2e-abc-7-cycle", "create -f -")
    assert json.loads(calls[0][2])["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert calls[-1][:2] == ("e2e-abc-7-cycle", "delete namespace e2e-abc-7-cycle --wait=false")


def test_a_document_that_is_taken_or_refused_for_something_else_fails(on):
    verdict, _ = on("cycle", get_pipelinerun_cycle=TAKEN)
    assert verdict.unmet == ("expected the document to be refused, but it was accepted",)
    verdict, _ = on("cycle", apply=KubectlError("connection refused"))
    assert "the complaint does not match" in verdict.unmet[0]
    assert "connection refused" in verdict.unmet[0]


def test_a_cluster_that_fails_in_the_middle_is_a_failed_test_with_its_circumstances(on):
    failing = task_run("x", "t", {"conditions": condition("False", "PodCreationFailed", "no room")})
    verdict, calls = on(
        "script-shells",
        apply=KubectlError("the server is gone"),
        **{"get_pipelineruns,taskruns": {"kind": "List", "items": [failing]}},
    )
    assert verdict.unmet == ("the server is gone",)
    assert verdict.circumstances == "TaskRun x: PodCreationFailed: no room"
    assert calls[-1][1].startswith("delete namespace")


def test_a_namespace_that_is_there_already_is_left_alone(on):
    verdict, calls = on("cycle", create=KubectlError('namespaces "e2e-abc-7-cycle" already exists'))
    assert "already exists" in verdict.unmet[0]
    assert len(calls) == 1


def test_no_empty_list_is_applied(tmp_path):
    kubectl = Answering(tmp_path, tmp_path)
    kubectl.apply([])
    assert kubectl.calls == []


def test_a_run_that_does_not_end_is_given_up_with_its_name(on, monkeypatch):
    monkeypatch.setattr(cluster_run, "PATIENCE", 1)
    running = {**TAKEN, "status": {}}
    timed_out = KubectlError("timed out waiting for the condition")
    verdict, _ = on("cycle", get_pipelinerun_cycle=running, **{"wait_--for=jsonpath": timed_out})
    assert verdict.unmet == (
        "pipelinerun/cycle: not jsonpath={.status.completionTime} within 1 s: timed out waiting for the condition",
    )
