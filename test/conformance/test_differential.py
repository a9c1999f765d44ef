"""The comparison of one run on two engines."""

from __future__ import annotations

from dataclasses import replace

from catalog.differential import Compared, messages, table
from catalog.engine.outcomes import RunOutcome, Skip, Status, TaskOutcome

GATE = TaskOutcome("gate", Status.FAILED, "StepFailed", "step gate exited with code 10", 10, seconds=0.1)
BUILD = TaskOutcome("build", Status.SKIPPED, Skip.STOPPING)
HERE = RunOutcome("PipelineRun", "p", Status.FAILED, "Failed", "here", (GATE, BUILD), {"verdict": "fail"}, 0.2)


def differences(**changed):
    return Compared("p", HERE, replace(HERE, message="there", seconds=20.0, **changed)).differences


def test_messages_and_times_are_no_differences():
    gate = replace(GATE, message='"step-gate" exited with code 10', seconds=9.0)
    assert differences(tasks=(BUILD, gate)) == ()


def test_each_difference_is_named():
    gate = replace(GATE, exit_code=1, attempts=2, results={"r": "x"})
    extra = TaskOutcome("extra", Status.SUCCEEDED, "Succeeded")
    assert differences(reason="Completed", results={}, tasks=(gate, extra)) == (
        "reason: Failed here, Completed on the cluster",
        'results: {"verdict": "fail"} here, {} on the cluster',
        "task gate: exit code: 10 here, 1 on the cluster",
        "task gate: attempts: 1 here, 2 on the cluster",
        'task gate: results: {} here, {"r": "x"} on the cluster',
        "task build: only here",
        "task extra: only on the cluster",
    )


def test_digests_and_paths_are_masked_and_what_never_ran_need_not_be_known():
    here = replace(
        HERE,
        results={"d": "sha256:" + "a" * 64, "e": "x:" + "c" * 64, "p": "/tmp/x/y"},
        tasks=(replace(BUILD, status=Status.NOT_RUN),),
    )
    there = replace(HERE, results={"d": "sha256:" + "b" * 64, "e": "x:" + "d" * 64, "p": "/tekton/results/y"}, tasks=())
    assert Compared("p", here, there).differences == ()


def test_the_table_has_a_line_for_each_test():
    worse = Compared("worse", HERE, replace(HERE, status=Status.SUCCEEDED))
    text = table([Compared("same", HERE, HERE), worse])
    assert "| same | Failed | Failed | gate: StepFailed 10, build: PipelineRun was stopping |" in text
    assert "| status: Failed here, Succeeded on the cluster |" in text


def test_what_was_said_stands_side_by_side_and_is_not_compared():
    gate = replace(GATE, message='"step-gate" exited | with code 10')
    text = messages([Compared("p", HERE, replace(HERE, message="there", tasks=(gate, BUILD)))])
    assert '| p | gate | step gate exited with code 10 | "step-gate" exited \\| with code 10 |' in text
    assert "| p | (the run) | here | there |" in text
