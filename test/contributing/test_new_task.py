"""CONTRIBUTING, walked through: a task is begun, given logic, checked, run; and goes again without a trace."""

import re
import shutil
import tomllib

import pytest

from catalog import scaffold
from catalog.environments import ROOT
from catalog.scaffold import WrongRequestError
from catalog.tree import Tree

NAME, PACKAGE = "row-counter", "row_counter"
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


def give_it_logic(checkout):
    """A choice whether blank lines count, with its test."""
    package = f"images/{NAME}/src/{PACKAGE}"
    checkout.change(f"{package}/line_count.py", "def count_lines(path: Path) -> int:", "def count_lines(path: Path, blank: bool) -> int:")  # fmt: skip
    checkout.change(
        f"{package}/line_count.py",
        'len(path.read_text(encoding="utf-8").splitlines())',
        'sum(blank or bool(line.strip()) for line in path.read_text(encoding="utf-8").splitlines())',
    )
    checkout.change(
        f"{package}/command.py",
        '    options=(Option("file", "The text file, a path in the workspace.", required=True),),\n',
        '    options=(\n        Option("file", "The text file, a path in the workspace.", required=True),\n'
        '        Option("blank", "Whether blank lines `count` or not: `skip`.", "count", choices=("count", "skip")),\n'
        "    ),\n",
    )
    checkout.change(f"{package}/command.py", "count_lines(path)", 'count_lines(path, arguments["blank"] == "count")')
    with (checkout.root / "images" / NAME / "tests" / "test_command.py").open("a") as tests:
        tests.write(
            "\n\ndef test_blank_lines_can_be_skipped(run):\n"
            '    assert run("--file=data", "--blank=skip", data="a\\n \\nb\\n") == (0, "2", "")\n'
        )


def declare_it(checkout):
    """The param, and a run that must fail for its sake."""
    manifest = f"task/{NAME}/0.1/{NAME}.yaml"
    checkout.change(
        manifest,
        "      type: string\n  results:",
        "      type: string\n    - name: blank\n      description: |\n        Whether blank lines `count` or not: `skip`.\n"
        '      type: string\n      default: "count"\n  results:',
    )
    checkout.change(manifest, "        - --result\n", "        - --blank=$(params.blank)\n        - --result\n")
    folder = checkout.root / "task" / NAME / "0.1" / "tests" / "must-fail"
    run = (folder / "file-missing.yaml").read_text()
    for old, new in (
        ("file-missing", "wrong-choice"),
        ('exit-code: "3"', 'exit-code: "2"'),
        ("file data/missing.csv can't be read", "--blank is 'perhaps'; it takes one of: count, skip"),
        ("      value: data/missing.csv\n", "      value: data/iris.csv\n    - name: blank\n      value: perhaps\n"),
    ):
        assert old in run
        run = run.replace(old, new)
    (folder / "wrong-choice.yaml").write_text(run)


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
