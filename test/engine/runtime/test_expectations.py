"""The annotations of tests: read, refused where wrong, judged."""

from __future__ import annotations

import pytest

from catalog import rejections, task_tests
from catalog.engine.expectations import ExpectationError, read, unmet
from catalog.engine.outcomes import RunOutcome, Skip, Status, TaskOutcome
from catalog.tree import TREE


def outcome(**fields):
    tasks = (
        TaskOutcome("train", Status.SUCCEEDED, "Succeeded", exit_code=0, results={"commit": "abc", "list": ["a"]}),
        TaskOutcome("gate", Status.FAILED, "StepFailed", "step gate exited with code 10", 10),
        TaskOutcome("build", Status.SKIPPED, Skip.STOPPING),
    )
    given = {"status": Status.FAILED, "reason": "Failed", "tasks": tasks, "results": {"verdict": "fail"}, **fields}
    return RunOutcome("PipelineRun", "p", **given)


def judged(annotations, log="", **fields):
    return unmet(read({f"test/{key}": text for key, text in annotations.items()}), outcome(**fields), log)


def test_what_is_expected_and_happens_leaves_nothing_unmet(tmp_path):
    (tmp_path / "gate").mkdir()
    (tmp_path / "gate/report.json").touch()
    annotations = {
        "expect-status": "Failed",
        "expect-reason": "Failed",
        "expect-exit-code": "gate=10, train=0",
        "expect-message": "acc.* worse\nexited with code 10\n",
        "expect-results": "verdict: fail\ntrain.commit: '[a-c]{3}'\ntrain.list: '\\[\"a\"\\]'",
        "expect-skipped": "build",
        "expect-files": "gate/report.json\ngate/*.json",
        "expect-no-files": "model",
    }
    assert judged(annotations, "accuracy is worse", workspaces={"source": tmp_path}) == []


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ({}, "expected status Succeeded, got Failed (Failed)"),
        ({"expect-reason": "Completed"}, "expected reason Completed, got Failed"),
        ({"expect-exit-code": "3"}, "expected exit code 3, got 10"),
        ({"expect-exit-code": "train=3"}, "expected exit code 3 of task train, got 0"),
        ({"expect-exit-code": "ghost=3"}, "there is no such task"),
        ({"expect-message": "worse\nexited"}, "nothing that was printed matches 'worse'"),
        ({"expect-results": "verdict: pass"}, "expected result verdict to match 'pass', got 'fail'"),
        ({"expect-results": "verdict: fai"}, "expected result verdict to match 'fai', got 'fail'"),
        ({"expect-results": "ghost: x"}, "expected a result ghost; there are train.commit"),
        ({"expect-skipped": ""}, "expected skipped tasks none; got build"),
        ({"expect-files": "gate/report.json"}, "expected the file gate/report.json"),
    ],
)
def test_what_is_not_kept_is_told(annotations, message):
    given = {"expect-status": "Failed", **annotations} if annotations else {}
    [problem] = judged(given)
    assert message in problem


def test_a_file_that_must_not_be_there_is_told(tmp_path):
    (tmp_path / "model").mkdir()
    given = {"expect-status": "Failed", "expect-no-files": "model"}
    assert judged(given, workspaces={"source": tmp_path}) == [
        "expected no file model in the workspace source, but there is model"
    ]


def test_an_exit_code_of_success_is_zero():
    given = {"expect-exit-code": "0"}
    assert judged(given, status=Status.SUCCEEDED, tasks=()) == []
    assert judged({"expect-exit-code": "3"}, status=Status.SUCCEEDED, tasks=()) == [
        "expected exit code 3, got no failure"
    ]


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ({"test/expect-exitcode": "3"}, "test/expect-exitcode is not known; there are test/expect-exit-code"),
        ({"test/expect-status": "failed"}, "'failed' is neither Succeeded nor Failed"),
        ({"test/expect-exit-code": "three"}, "write 'three' as 3 or as task=3"),
        ({"test/expect-message": "("}, "no regular expression"),
        ({"test/expect-results": "- a"}, "write one line"),
        ({"test/expect-results": "a: {b: c}"}, "write one line"),
        ({"test/expect-results": "a: ["}, "is no YAML"),
    ],
)
def test_an_annotation_that_cannot_be_understood_is_named(annotations, message):
    with pytest.raises(ExpectationError) as caught:
        read(annotations)
    assert message in str(caught.value)


def test_other_annotations_are_none_of_our_business():
    assert read({"tekton.dev/tags": "x"}).status == "Succeeded"


def test_what_must_not_be_printed_is_found():
    assert judged({"expect-status": "Failed", "expect-no-message": "tidied up"}, log="all is well") == []
    [text] = judged({"expect-status": "Failed", "expect-no-message": "tid.*up"}, log="it was tidied up")
    assert text == "nothing that was printed should match 'tid.*up', but there is 'tidied up'"


REJECTED = """
apiVersion: tekton.dev/v1
kind: TaskRun
metadata:
  name: bad
  annotations: {{test/expect-rejected: {pattern}}}
spec:
  taskSpec: {{steps: [{{name: s, image: x, script: '{script}'}}]}}
"""


@pytest.mark.parametrize(
    ("pattern", "script", "unmet"),
    [
        ("ghost.*not declared", "echo $(params.ghost)", []),
        ("another matter", "echo $(params.ghost)", ["the complaint does not match 'another matter'"]),
        ("ghost", "exit 0", ["expected the document to be refused, but it was accepted"]),
    ],
)
def test_a_document_that_must_be_refused(tmp_path, pattern, script, unmet):
    path = tmp_path / "bad.yaml"
    path.write_text(REJECTED.format(pattern=pattern, script=script))
    [rejection], problems = rejections.collect([path])
    assert problems == []
    assert task_tests.collect([path], TREE) == ([], [])
    found = task_tests.refuse(rejection).unmet
    assert len(found) == len(unmet)
    assert all(one.startswith(wanted) for one, wanted in zip(found, unmet, strict=True))


def test_a_run_that_fails_at_its_start_is_judged_by_its_reason(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(REJECTED.format(pattern="ghost, test/expect-reason: ParameterMissing", script="exit 0"))
    [rejection], _ = rejections.collect([path])
    assert rejection.at_start
    assert rejections.judge(rejection, "ghost is missing", "ParameterMissing") == []
    assert rejections.judge(rejection, "ghost is missing", "Failed") == [
        "expected ParameterMissing, got a run that failed with the reason Failed"
    ]


def test_an_annotation_that_cannot_be_understood_is_a_problem_not_a_test(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(REJECTED.format(pattern="'(ghost'", script="exit 0"))
    found, [problem] = rejections.collect([path])
    assert found == []
    assert "annotation test/expect-rejected: '(ghost' is no regular expression" in problem
