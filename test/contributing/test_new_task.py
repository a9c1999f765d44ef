"""CONTRIBUTING, walked through: a task is begun, given logic, checked, run; and goes again without a trace."""

import re
import shutil
import tomllib

import pytest
from walk_through import NAME, PACKAGE, declare_it, give_it_logic

from catalog import scaffold
from catalog.environments import ROOT
from catalog.scaffold import WrongRequestError
from catalog.tree import Tree

CHECKS = ("lint", "ruff", "format", "contract", "versions", "changelogs", "docs", "catalog", "pins", "locks")
"""What a new task is easily wrong in; :func:`test_every_check_passes_what_is_written` asks them all."""


def about(findings):
    """Those that concern the new task; what holds for the rest of the tree, ./scripts/check says."""
    return [line for line in findings if re.search(f"{NAME}|{PACKAGE}|catalog.yaml|the check itself", line)]


def green(checkout, *checks):
    """The checks, the unit tests and the runs on the local engine, as a contributor starts them."""
    assert about(checkout.check(*checks)) == []
    without = [f"-pno:{plugin}" for plugin in ("hypothesispytest", "xdist", "anyio", "playwright")]  # slow to load
    tests = checkout.catalog("pytest", "-q", *without, f"images/{NAME}/tests")
    assert tests.code == 0, tests.out
    runs = checkout.catalog("catalog", "task-tests", f"task/{NAME}/0.1/tests")
    assert runs.code == 0, runs.out + runs.err
    return runs.out


@pytest.mark.slow
def test_a_task_is_begun_given_logic_checked_and_run_and_goes_without_a_trace(checkout):
    begun = checkout.new("task", NAME)
    assert (begun.code, begun.err) == (0, "")
    assert f"./scripts/e2e {NAME}" in begun.out
    changed = set(checkout.git("status", "--porcelain").splitlines())
    assert changed == {" M catalog.yaml", f"?? images/{NAME}/", f"?? task/{NAME}/"}
    checkout.set_up(NAME)
    assert "2 of 2 tests passed" in green(checkout, *CHECKS)

    give_it_logic(checkout)
    found = about(checkout.check("contract"))
    assert any("row-counter has --blank, the Task no such param" in line for line in found)
    declare_it(checkout)
    stale = {line.partition(":")[0] for line in about(checkout.check("docs", "catalog"))}
    assert stale == {"catalog.yaml", f"task/{NAME}/0.1/README.md"}
    for verb in ("docs", "catalog-file"):
        assert checkout.catalog("catalog", verb).code == 0
    out = green(checkout, "lint", "ruff", "contract", "docs", "catalog")
    assert "3 of 3 tests passed" in out
    assert f"{NAME}-wrong-choice" in out

    for folder in ("images", "task"):
        shutil.rmtree(checkout.root / folder / NAME)
    for verb in ("docs", "catalog-file"):
        assert checkout.catalog("catalog", verb).code == 0
    assert checkout.git("status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Row", "'Row' is no name for a task; write lower-case words with '-' between them, such as data-drift"),
        ("row_counter", "'row_counter' is no name for a task"),
        ("-row", "'-row' is no name for a task"),
        ("a" * 41, "has 41 characters; names of runs are made of it: use at most 40"),
        ("row-utils", "'row-utils' says nothing with 'utils'; name the task by what it does"),
        ("metric-gate", "'metric-gate' is taken: there is task/metric-gate; choose another name"),
        ("train-gate-build", "'train-gate-build' is taken: there is pipeline/train-gate-build"),
        ("model-server", "'model-server' is taken: there is images/model-server"),
        ("conformance", "'conformance' is taken: there is test/conformance"),
        ("tools", "'tools' is taken: 'tools' means something else to Python or ./scripts/setup; add a word"),
        ("class", "'class' means something else to Python"),
        ("json", "'json' means something else to Python"),
        ("sklearn", "'sklearn' means something else to Python"),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_the_reason(name, why):
    with pytest.raises(WrongRequestError, match=re.escape(why)):
        scaffold.refuse_name(Tree(ROOT), name)


def test_a_refusal_is_one_line_with_exit_code_2_and_leaves_nothing(checkout):
    done = checkout.new("task", "metric-gate")
    assert (done.code, done.out) == (2, "")
    assert done.err == "new: error: 'metric-gate' is taken: there is task/metric-gate; choose another name\n"
    assert checkout.git("status", "--porcelain") == ""


NAMES = ("a", "zebra-crossing", "word-" * 7 + "words")


def test_what_is_written_is_formatted_for_short_long_and_late_names(checkout):
    for name in NAMES:
        scaffold.write(checkout.tree, name)
    folders = [f"images/{name}" for name in NAMES]
    for arguments in (("ruff", "check", *folders), ("ruff", "format", "--check", *folders)):
        done = checkout.run(f".venvs/tools/bin/{arguments[0]}", *arguments[1:])
        assert done.code == 0, done.out + done.err


@pytest.mark.slow
def test_every_check_passes_what_is_written(checkout):
    assert checkout.new("task", NAME).code == 0
    assert about(checkout.check()) == []


def test_the_lock_holds_what_taskkit_needs_and_nothing_else_as_the_other_programs_have_it():
    lock = scaffold.shared_lock(Tree(ROOT))
    project = tomllib.loads((ROOT / "images/taskkit/pyproject.toml").read_text())["project"]
    needed = sorted(re.match(r"[\w.-]+", line)[0] for line in project["dependencies"])
    pins = [pin.partition("==")[0] for pin in lock.splitlines() if "==" in pin]
    assert pins == needed
    assert lock.count("--hash=sha256:") > len(needed)
    assert all(lock.splitlines()[0] in path.read_text() for path in ROOT.glob("images/*/requirements.lock"))


def test_where_a_file_cannot_be_written_nothing_is_left(tmp_path):
    shutil.copytree(ROOT / "images" / "metric-gate", tmp_path / "images" / "metric-gate")
    (tmp_path / "task").write_text("in the way")
    with pytest.raises(OSError, match="task"):
        scaffold.write(Tree(tmp_path), NAME)
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["metric-gate"]
