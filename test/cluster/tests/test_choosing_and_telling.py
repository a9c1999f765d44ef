"""Which tests run on a cluster, what is printed while they do, and the pages made of what they gave."""

import re
import time
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from catalog.e2e import junit, progress, versions
from catalog.e2e.selection import chosen, places, programs, suitable
from catalog.e2e.stages import StageError
from catalog.engine.outcomes import RunOutcome, Status, TaskOutcome
from catalog.rejections import Rejection
from catalog.task_tests import Verdict
from catalog.tree import TREE


def test_without_names_everything_runs_and_what_takes_longest_comes_first():
    tests = chosen([], None, TREE)
    names = [test.name for test in tests]
    in_order = ["finally-waits-in-vain", "clone-iris", "finally-fails", "cycle"]
    assert sorted(in_order, key=names.index) == in_order
    assert len(names) == len(set(names))


def test_a_task_a_pipeline_a_folder_a_file_and_the_cases_can_be_named():
    gate = places("metric-gate", TREE)
    assert gate
    assert all("task/metric-gate/" in str(path) for path in gate)
    assert all("pipeline/" in str(path) for path in places("train-gate-build", TREE))
    assert set(places(str(gate[0]), TREE)) == {gate[0]}
    assert len(places(str(TREE.root / "test/conformance"), TREE)) == len(places("conformance", TREE)) > 70
    (one,) = chosen(["conformance"], "cycle", TREE)
    assert isinstance(one, Rejection)


def test_unknown_names_are_refused_with_those_there_are():
    with pytest.raises(StageError, match=r"no tests of 'gate'; there are: .*conformance.*metric-gate"):
        places("gate", TREE)
    with pytest.raises(StageError, match="there is no test 'x' among those"):
        chosen(["metric-gate"], "x", TREE)


def test_what_needs_a_newer_tekton_is_told_apart(tmp_path):
    names = ("cycle", "script-shells")
    for name, needs in zip(names, ("v1.12.1", ""), strict=True):
        (path,) = (TREE.root / "test/conformance").rglob(f"{name}.yaml")
        mark = f'annotations:\n    test/needs-tekton: "{needs}"' if needs else "annotations:"
        (tmp_path / path.name).write_text(path.read_text().replace("annotations:", mark, 1))
    tests = chosen([str(tmp_path)], None, TREE)
    told = {
        version: [[test.name for test in part] for part in suitable(tests, version)]
        for version in ("v1.9.0", "v1.12.1", "")
    }
    assert told["v1.9.0"] == [["script-shells"], ["cycle"]]
    assert told["v1.12.1"] == told[""] == [["script-shells", "cycle"], []]


def test_only_the_images_that_the_tests_need_are_asked_for():
    assert programs(chosen(["conformance"], None, TREE), TREE) == set()
    assert programs(chosen(["metric-gate"], None, TREE), TREE) == {"metric-gate", "sklearn-train"}
    assert "model-server" in programs(chosen(["train-gate-build"], None, TREE), TREE)


@pytest.fixture
def tests():
    return chosen(["metric-gate"], None, TREE)[:3]


def passed(test, seconds=0.1, **changes):
    outcome = RunOutcome("TaskRun", test.name, Status.SUCCEEDED, "Succeeded")
    return replace(Verdict(test, (), "", seconds, "Succeeded", outcome=outcome), **changes)


def test_verdicts_keep_the_order_of_the_tests_and_a_broken_one_stops_no_other(tests, capsys):
    def run(test, number):
        time.sleep(0.2 - number / 10)
        if number == 1:
            raise KeyError("no such thing")
        return passed(test)

    verdicts = progress.run_all(tests, run, 3)
    assert [verdict.test for verdict in verdicts] == tests
    assert [verdict.passed for verdict in verdicts] == [True, False, True]
    assert verdicts[1].unmet == ("the harness failed: KeyError: 'no such thing'",)
    lines = capsys.readouterr().out.splitlines()
    assert [re.match(r" *\d/3  (ok|FAIL) ", line) is not None for line in lines] == [True] * 3


def test_what_still_runs_is_said_when_nothing_ends(tests, capsys, monkeypatch):
    monkeypatch.setattr(progress, "_QUIET", 0.05)

    def run(test, number):
        time.sleep(0.3)
        return passed(test)

    progress.run_all(tests[:1], run, 1)
    assert f"still running: {tests[0].name} (0 s)" in capsys.readouterr().out


def test_the_end_tells_durations_reasons_and_how_to_run_one_again(tests, capsys):
    log = "\n".join(f"line {number}" for number in range(40))
    bad = passed(tests[1], 61, unmet=("expected this",), log=log, circumstances="last events:\n  Warning", exit_code=3)
    assert not progress.conclude([passed(tests[0]), bad], "./scripts/e2e {test} --tekton v1.9.0", "look {test}")
    out = capsys.readouterr().out
    table, _, rest = out.partition("\n\n")
    assert [line.split()[:2] for line in table.strip().splitlines()] == [["FAILED", "1m01s"], ["passed", "0.1s"]]
    for text in ("  expected this\n", "  last events:\n    Warning\n", "… 15 lines before\n", "  | line 39\n"):
        assert text in rest
    again = rf"again: ./scripts/e2e \S*/{tests[1].path.name} --only {tests[1].name} --tekton v1\.9\.0\n"
    assert re.search(again, rest)
    assert out.splitlines()[-1] == "1 passed, 1 failed"


def test_a_report_for_machines_holds_every_test_and_no_control_characters(tests):
    bad = passed(tests[1], unmet=("expected this",), log="a\x1b[31mb", circumstances="why")
    suite = ET.fromstring(junit.document([passed(tests[0]), bad]))
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    failure = suite.findall("testcase")[1].find("failure")
    assert failure.get("message") == "expected this"
    assert failure.text == "why\na[31mb"


def test_the_page_of_versions_tells_what_differs_from_the_newest(tests, tmp_path):
    step = TaskOutcome("t", Status.FAILED, "StepFailed", exit_code=3)
    newest = [passed(tests[0], outcome=RunOutcome("TaskRun", "t", Status.FAILED, "Failed", tasks=(step,)))]
    older = [passed(tests[0], outcome=replace(newest[0].outcome, tasks=(replace(step, reason="Failed"),)))]
    table = versions.table({"v1.0.1": older, "v1.15.0": [*newest, passed(tests[1])]})
    assert "| v1.15.0 | all 2 pass | all 0 pass |\n" in table
    assert "| v1.0.1 | all 1 pass; 1 not run, for want of a newer Tekton | all 0 pass |" in table
    page = versions.page({"v1.0.1": older, "v1.15.0": newest})
    assert "the same everywhere" in page, "how a failed step is called is said once"
    other = [passed(tests[0], outcome=replace(newest[0].outcome, tasks=(replace(step, exit_code=1),)))]
    page = versions.page({"v1.0.1": other, "v1.9.1": other, "v1.15.0": newest})
    assert f"| v1.0.1, v1.9.1 | {tests[0].name} | task t: exit code: 1 there, 3 with v1.15.0 |" in page
    assert "the same everywhere" in versions.page({"v1.0.1": newest, "v1.15.0": newest})
    failed = {"v1.0.1": [passed(tests[0], unmet=("no",))], "v1.15.0": newest}
    assert "| v1.0.1 | 0 of 1 pass | all 0 pass |" in versions.page(failed)
    assert f"\nFailed on v1.0.1: {tests[0].name}\n" in versions.page(failed)
    (tmp_path / "docs").mkdir()
    begin, end = "<!-- versions of Tekton, by ./scripts/e2e --every-version -->", "<!-- end of versions -->"
    (tmp_path / "README.md").write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    versions.write(failed, tmp_path)
    assert (tmp_path / "README.md").read_text() == f"before\n{begin}\n{versions.table(failed)}{end}\nafter\n"
    assert (tmp_path / "docs" / "tekton-versions.md").read_text() == versions.page(failed)
