"""Every rule's examples are tests: the bad one is found, at its line and with its message; the good one is not."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from catalog import rules_page
from catalog.engine import schema, validation
from catalog.engine.findings import Level
from catalog.rules.rulebook import Example, Profile, Rule, families, rules

from .conftest import MARK, PLACE, Tree, whole_file

ALL = list(rules().values())
_PLACED = {"catalog", "house"}


def lay_out(tree: Tree, rule: Rule, example: Example) -> Path:
    for path, text in example.files.items():
        tree.write(path, text)
    path = example.path or (PLACE if rule.family in _PLACED else "example.yaml")
    text = whole_file(example)
    return tree.write(path, text) if text else tree.root / path


def marked(file: Path, example: Example) -> int:
    if not file.exists():
        return 1
    lines = file.read_text(encoding="utf-8").splitlines()
    if example.line:
        first = example.text.splitlines()[0]
        return next(number for number, line in enumerate(lines, 1) if line.strip() == first.strip()) + example.line - 1
    (line,) = [number for number, line in enumerate(lines, 1) if MARK in line]
    return line


def judged(tree: Tree, rule: Rule, file: Path):
    profile = Profile.HOUSE if rule.family == "house" else None
    return tree.of(rule.id, profile, *([tree.root] if file.exists() and rule.id != "artifacthub-repo" else [file]))


@pytest.mark.parametrize("rule", ALL, ids=[rule.id for rule in ALL])
def test_the_bad_example_is_found_at_its_line_with_its_message_and_a_remedy(rule, tree):
    if rule.id == "released":
        lay_out(tree, rule, rule.good)
        tree.release("v0.1.0")
    file = lay_out(tree, rule, rule.bad)
    found = judged(tree, rule, file)
    assert found, f"{rule.id} says nothing of its bad example"
    assert {one.position.line for one in found} == {marked(file, rule.bad)}, [str(one) for one in found]
    assert re.search(rule.says, found[0].message), [str(one) for one in found]
    assert all(one.level in rule.levels and one.remedy for one in found)


@pytest.mark.parametrize("rule", ALL, ids=[rule.id for rule in ALL])
def test_the_good_example_is_not_found(rule, tree):
    file = lay_out(tree, rule, rule.good)
    if rule.id == "released":
        tree.release("v0.1.0")
    assert [str(one) for one in judged(tree, rule, file)] == []


@pytest.mark.parametrize("rule", ALL, ids=[rule.id for rule in ALL])
def test_the_good_example_has_no_error_of_another_rule_of_its_family(rule, tree):
    file = lay_out(tree, rule, rule.good)
    errors = [
        one for one in tree.findings(None, file) if one.level is Level.ERROR and rules()[one.rule].family == "tekton"
    ]
    assert [str(one) for one in errors if one.rule != "unknown-reference"] == []


def _engine_rules() -> dict[str, set[str]]:
    """The ids that the engine's validation gives, with the levels it gives them where the source says so."""
    found: dict[str, set[str]] = {}
    folder = Path(validation.__file__).parent
    for file in [*folder.glob("*.py"), Path(schema.__file__), folder.parent / "documents.py"]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            texts = [one.value for one in node.args[:2] if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            if (
                name in {"error", "warning", "add", "level", "Problem", "Finding"}
                and texts
                and re.fullmatch(r"[a-z]+(-[a-z]+)*", texts[0])
            ):
                found.setdefault(texts[0], set()).add(name)
    return found


def test_every_rule_of_the_engine_is_in_the_rulebook():
    known = _engine_rules()
    assert len(known) > 40
    assert sorted(known.keys() - rules().keys()) == []


def test_the_rulebook_knows_the_levels_that_the_engine_gives():
    for name, calls in _engine_rules().items():
        levels = {str(level) for level in rules()[name].levels}
        assert calls & {"error", "warning"} <= levels, name


def test_the_rulebook_has_no_rule_that_nobody_holds():
    source = "".join(path.read_text(encoding="utf-8") for path in Path(rules_page.__file__).parent.rglob("*.py"))
    assert [name for name in rules() if f'"{name}"' not in source] == []


def test_titles_and_reasons_are_sentences():
    for rule in ALL:
        assert rule.title[-1] not in ".:", rule.id
        assert rule.why.rstrip().endswith((".", ")")), rule.id


def test_each_profile_holds_the_families_of_the_one_before_it():
    assert Profile.TEKTON.families < Profile.CATALOG.families < Profile.HOUSE.families
    assert Profile.HOUSE.families == {family.name for family in families()}


def test_the_page_is_up_to_date(capsys):
    assert rules_page.main(["--check"]) == 0, capsys.readouterr().err


def test_the_page_has_a_heading_for_each_rule():
    headings = set(re.findall(r"^### (\S+)$", rules_page.page(), re.MULTILINE))
    assert headings == set(rules())


def test_a_page_that_is_not_up_to_date_is_named_with_the_remedy(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(rules_page, "_ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    assert rules_page.main(["--check"]) == 3
    assert "docs/lint-rules.md is not what the rulebook says; run ./scripts/fix" in capsys.readouterr().err
    assert rules_page.main([]) == 0
    assert rules_page.main(["--check"]) == 0
