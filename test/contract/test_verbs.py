"""The verbs check and test themselves: what they run, what they print, how they end."""

import os
import signal
import subprocess
import sys

import pytest

from catalog import check, test
from catalog.tree import TREE, Tree


def use(monkeypatch, *checks):
    monkeypatch.setattr(check, "CHECKS", checks)


def test_every_finding_of_every_check_is_shown_and_the_exit_code_says_so(monkeypatch, capsys):
    broken = check.Check("b", "what", lambda: 1 / 0)
    use(monkeypatch, check.Check("a", "what", lambda: ["x:1: one", "y:2: two"]), broken, check.Check("c", "what", list))
    assert check.main([]) == check.FAILED
    out = capsys.readouterr().out
    assert "x:1: one\n" in out
    assert "y:2: two\n" in out
    assert "the check itself failed: ZeroDivisionError" in out
    assert sum(line.startswith("ok ") for line in out.splitlines()) == 1
    assert "check: failed in" in out.splitlines()[-1]
    assert {"a", "b"} <= set(out.splitlines()[-1].replace(",", " ").replace(";", " ").split())


def test_a_check_can_be_asked_for_by_name(monkeypatch, capsys):
    use(monkeypatch, check.Check("a", "what", list), check.Check("b", "what", lambda: ["x"]))
    assert check.main(["a"]) == 0
    assert "check: all 1 passed" in capsys.readouterr().out
    assert check.main(["z"]) == 2
    assert "there is no check 'z'; there are: a, b" in capsys.readouterr().err


def test_a_tool_that_fails_gives_its_output_as_findings():
    assert check._command("false") == ["false ended with 1"]
    assert check._command("sh", "-c", "echo out; echo err >&2; exit 3") == ["out", "err"]
    assert check._command("sh", "-c", "echo all well") == ()


def test_a_name_selects_the_tests_of_the_program_and_of_the_task():
    commands = [part.command for part in test.parts(test.ROOT, ["metric-gate"], slow=False)]
    newest = Tree(test.ROOT).versions("Task", "metric-gate")[-1]
    assert [command[-1] for command in commands] == ["images/metric-gate/tests", f"task/metric-gate/{newest}/tests"]


def test_without_names_everything_runs_in_order():
    assert [part.name for part in test.parts(test.ROOT, [], slow=False)] == ["check", "pytest", "task tests"]


def test_long_variants_of_tests_run_when_they_are_asked_for():
    (plain,), (slow,) = (test.parts(test.ROOT, ["taskkit"], slow=slow) for slow in (False, True))
    assert slow.command[:-1] == (*plain.command[:-1], "-m", "")
    assert slow.command[-1] == plain.command[-1]


def test_an_unknown_name_is_refused_with_those_there_are(capsys):
    assert test.main(["metric-gat"]) == 2
    assert "nothing is called 'metric-gat'; there are: " in (err := capsys.readouterr().err)
    assert "metric-gate" in err


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (1, test.FAILED)])
def test_all_parts_run_and_one_that_fails_fails_all(monkeypatch, capsys, code, expected):
    parts = [test.Part("one", ("sh", "-c", f"exit {code}")), test.Part("two", ("sh", "-c", "exit 0"))]
    monkeypatch.setattr(test, "parts", lambda root, asked, slow: parts)
    assert test.main([]) == expected
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("test: passed: one, two (" if not code else "test: failed: one (")


def test_a_reader_that_has_seen_enough_is_no_reason_for_a_traceback():
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "catalog", "cluster", "status"], cwd=TREE.root / "scripts", stdout=writing,
        stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(writing)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")
