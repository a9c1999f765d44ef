"""What is seen: plain lines, the table, and the live display on a terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.engine import display, report
from catalog.engine.outcomes import RunOutcome, Skip, Status, TaskOutcome
from catalog.engine.planning import Plan, PlannedTask

TASKS = (
    TaskOutcome("train", Status.SUCCEEDED, "Succeeded", exit_code=0, seconds=3.21, attempts=2,
                results={"model-digest": f"sha256:{'a' * 60}beef", "empty": "", "list": ["x", "y"]}),
    TaskOutcome("gate", Status.FAILED, "StepFailed", "step gate exited with code 10", 10, seconds=62),
    TaskOutcome("build", Status.SKIPPED, Skip.STOPPING),
)  # fmt: skip
OUTCOME = RunOutcome(
    "PipelineRun", "demo", Status.FAILED, "Failed", "tasks completed: 2, failed: 1", TASKS, {"verdict": "fail"}, 65.0
)
SPEC = {"steps": [{"name": "s", "image": "x"}]}
PLAN = Plan(
    "PipelineRun", "demo", tuple(PlannedTask(t.name, t.name, t.name, SPEC) for t in TASKS), {}, {}, path=Path("f")
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def play(shown):
    shown.run_started(PLAN)
    shown.notice("no base image here")
    shown.task_started("train")
    shown.line("train", "s", "epoch 1 [0.9]")
    shown.line("train", "s", "\x1b[31mred\x1b[0m")
    shown.task_finished(TASKS[0])
    shown.task_started("gate")
    shown.line("gate", "s", "accuracy is worse")
    shown.line("gate", "s", "")
    shown.task_finished(TASKS[1])
    shown.task_finished(TASKS[2])
    shown.run_finished(OUTCOME)
    return shown.stream.getvalue()


def test_plain_lines_carry_the_task_and_end_with_the_table_and_the_reasons():
    lines = play(display.for_stream(io.StringIO())).splitlines()
    assert lines[:4] == [
        "PipelineRun demo: train, gate, build",
        "note: no base image here",
        "[train] started",
        "[train] epoch 1 [0.9]",
    ]
    assert "[train] Succeeded in 3.2s" not in lines  # the outcome has no steps, so no time is claimed
    assert lines[lines.index("") + 1 :] == [
        "task   status     reason                    time   results",
        f"train  Succeeded  2 attempts                3.2s   model-digest=sha256:{'a' * 26}…{'a' * 13}beef",
        '                                                   list=["x", "y"]',
        "gate   Failed     StepFailed, exit code 10  1m02s",
        "build  Skipped    PipelineRun was stopping",
        "gate: step gate exited with code 10",
        "gate: its last line: accuracy is worse",
        "demo: tasks completed: 2, failed: 1",
        "verdict = fail",
        "PipelineRun demo: Failed in 1m05s",
    ]


@pytest.mark.parametrize("columns", ["80", "120"])
def test_on_a_terminal_no_line_is_wider_than_it(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("TERM", "xterm-256color")
    from rich.text import Text

    shown = display.for_stream(Terminal())
    text = play(shown)
    assert "\x1b[" in text
    plain = [Text.from_ansi(line).plain for line in text.splitlines()]
    assert max(len(line) for line in plain) <= int(columns)
    [digest] = [line for line in plain if "model-digest" in line]
    assert digest.endswith("beef")  # shortened to fit, not wrapped
    assert any("[train] epoch 1 [0.9]" in line for line in plain)
    assert any("PipelineRun demo: Failed in 1m05s" in line for line in plain)


def test_closing_twice_does_no_harm():
    shown = display.for_stream(Terminal())
    shown.run_started(PLAN)
    shown.close()
    shown.close()


@given(st.text(), st.integers(8, 60))
def test_a_shortened_value_is_one_line_within_its_bounds(text, longest):
    shown = report.shortened(text, longest)
    assert len(shown) <= longest
    assert shown.isprintable()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.0s"), (59.94, "59.9s"), (60, "1m00s"), (125, "2m05s"), (3720, "1h02m")]
)
def test_durations_for_people(seconds, text):
    assert report.duration(seconds) == text
