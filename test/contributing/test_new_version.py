"""A new version: a copy in a commit of its own, then the places where the version stands."""

import pytest
import yaml

from catalog import next_version, test
from catalog.checks import changelogs
from catalog.environments import ROOT
from catalog.scaffold import WrongRequestError
from catalog.tree import Tree

NAME = "metric-gate"
OLD = Tree(ROOT).versions("Task", NAME)[-1]
NEW = next_version._after(OLD)


def test_the_copy_is_committed_by_itself_and_the_change_is_left_to_see(checkout):
    (checkout.root / "README.md").write_text("staged by somebody who is in the middle of something")
    checkout.git("add", "README.md")
    done = checkout.new("version", NAME, NEW)
    assert (done.code, done.err) == (0, "")
    assert checkout.git("log", "-1", "--format=%s") == f"{NAME} {NEW} begins as a copy of {OLD}\n"
    committed = checkout.git("show", "--name-only", "--format=").split()
    assert committed
    for path in committed:
        before = path.replace(f"/{NEW}/", f"/{OLD}/")
        assert checkout.git("show", f"HEAD:{path}") == checkout.git("show", f"HEAD:{before}")
        assert path.startswith(f"task/{NAME}/{NEW}/")
    assert checkout.git("diff", "--cached", "--name-only").split() == ["README.md"]

    changed = checkout.git("diff", "--name-only", "--", "task", "images").split()
    assert set(changed) == {
        f"images/{NAME}/pyproject.toml", f"images/{NAME}/src/metric_gate/__init__.py", f"task/{NAME}/CHANGELOG.md",
        f"task/{NAME}/{NEW}/README.md", f"task/{NAME}/{NEW}/{NAME}.yaml",
    }  # fmt: skip
    added = [line for line in checkout.git("diff", "-U0", f"task/{NAME}/{NEW}/{NAME}.yaml").splitlines()
             if line.startswith("+ ")]  # fmt: skip
    assert [line.partition(": ")[2] or line.strip("+ ") for line in added] == [
        f'"{NEW}"', f"- No difference to {OLD} yet.", f"ghcr.io/sklearn-catalog/{NAME}:{NEW}.0",
    ]  # fmt: skip
    findings = checkout.check("lint", "contract", "pipelines", "versions", "changelogs", "docs", "catalog")
    assert findings == []


def test_only_the_newest_version_is_tested_for_the_program_has_moved_on(checkout):
    assert checkout.new("version", NAME, NEW, "--no-commit").code == 0
    (runs,) = test.places(checkout.root, NAME).runs
    assert runs == checkout.root / "task" / NAME / NEW / "tests"


def test_without_a_commit_git_is_left_alone(checkout):
    before = checkout.git("rev-parse", "HEAD")
    done = checkout.new("version", "train-gate-build", NEW, "--no-commit")
    assert done.code == 0
    assert f"commit pipeline/train-gate-build/{NEW} as it is in {OLD} first, for the review" in done.out
    assert checkout.git("rev-parse", "HEAD") == before
    assert checkout.check("versions", "changelogs", "catalog") == []


def test_what_is_not_committed_is_not_copied(checkout):
    checkout.change(f"task/{NAME}/{OLD}/{NAME}.yaml", "cpu: 50m", "cpu: 60m")
    done = checkout.new("version", NAME, NEW)
    path = f"task/{NAME}/{OLD}/{NAME}.yaml"
    assert (done.code, done.err) == (2, f"new: error: {path} is not committed; commit or undo it before it is copied\n")
    assert not (checkout.root / "task" / NAME / NEW).exists()


def test_where_the_commit_is_refused_nothing_is_left(checkout):
    hook = checkout.root / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'not on a Friday' >&2\nexit 1\n")
    hook.chmod(0o755)
    done = checkout.new("version", NAME, NEW)
    assert done.code == 3
    assert done.err == "new: error: git commit: not on a Friday; nothing was made; --no-commit leaves git alone\n"
    assert checkout.git("status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("name", "version", "why"),
    [
        ("metric-gat", "0.2", "there is no task or pipeline 'metric-gat'; there are: metric-gate, "),
        (NAME, OLD, f"metric-gate has version {OLD} already; the next is {NEW}, not {OLD}"),
        (NAME, "0.0", f"the next is {NEW}, not 0.0"),
        (NAME, "0.2.0", "'0.2.0' is no version; write two numbers, such as "),
        (NAME, "v2", "'v2' is no version"),
        (NAME, "9.10", "tkn sorts versions as text, 9.10 before 9.2; raise the number before it instead"),
    ],
)
def test_a_version_that_cannot_be_is_refused_with_the_reason(name, version, why):
    with pytest.raises(WrongRequestError, match=why):
        next_version.plan(Tree(ROOT), name, version)


@pytest.mark.parametrize(("version", "after"), [("0.1", "0.2"), ("0.9", "1.0"), ("1.0", "1.1"), ("1.9", "2.0")])
def test_the_version_after_another_is_one_that_sorts_as_text(version, after):
    assert next_version._after(version) == after


def _changelog(tmp_path, text, *versions):
    for version in versions:
        (tmp_path / "task" / "x" / version).mkdir(parents=True)
        (tmp_path / "task" / "x" / version / "x.yaml").write_text("")
    if text is not None:
        (tmp_path / "task" / "x" / "CHANGELOG.md").write_text(text)
    return [(one.position.line, one.message) for one in changelogs.findings(tmp_path)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# Changes\n\n## 0.2\n\n* new\n\n## 0.1\n\n* first\n", []),
        (None, [(1, "its entries are for nothing; there are the versions 0.2, 0.1")]),
        ("## 0.1\n\n* first\n", [(1, "its entries are for 0.1; there are the versions 0.2, 0.1")]),
        ("## 0.1\n* first\n## 0.2\n* new\n", [(1, "its entries are for 0.1, 0.2; there are the versions 0.2, 0.1")]),
        ("## 0.2\n\n## 0.1\n* first\n", [(1, "the entry of 0.2 is empty")]),
        ("## 0.2\n* new\n## 0.1\n", [(3, "the entry of 0.1 is empty")]),
    ],
)
def test_a_changelog_has_an_entry_for_every_version_the_newest_on_top(tmp_path, text, found):
    assert _changelog(tmp_path, text, "0.1", "0.2") == found


@pytest.mark.parametrize("text", ["", "# Changes of x\n", "# Changes of x\n\n## 0.1\n\n* first\n"])
def test_an_entry_goes_on_top_and_what_was_there_stays(tmp_path, text):
    now = changelogs.with_entry(text, "x", "0.2", "new")
    assert now.startswith("# Changes of x\n\n## 0.2\n\n* new\n")
    assert now.endswith(text[text.find("## ") :] if "## " in text else "* new\n")
    assert _changelog(tmp_path, now, "0.2", *(["0.1"] if "## " in text else [])) == []


def test_what_artifact_hub_shows_of_a_version_is_what_the_changelog_says(checkout):
    log, manifest = f"task/{NAME}/CHANGELOG.md", f"task/{NAME}/{OLD}/{NAME}.yaml"
    told = checkout.root.joinpath(log).read_text()
    (first, *_) = changelogs.points(told, OLD)
    checkout.change(log, f"* {first}", '* Decides faster:\n  half the time.\n* "Never" is an answer: too.')
    (found,) = changelogs.findings(checkout.root)
    assert found.message == f"artifacthub.io/changes is not what CHANGELOG.md says of {OLD}"
    assert found.position.file == manifest
    assert "artifacthub.io/changes" in (checkout.root / manifest).read_text().splitlines()[found.position.line - 1]
    points = changelogs.points((checkout.root / log).read_text(), OLD)
    assert points == ["Decides faster: half the time.", '"Never" is an answer: too.']
    text = changelogs.annotated((checkout.root / manifest).read_text(), points)
    (checkout.root / manifest).write_text(text)
    assert changelogs.findings(checkout.root) == []
    assert yaml.safe_load(yaml.safe_load(text)["metadata"]["annotations"]["artifacthub.io/changes"]) == points
