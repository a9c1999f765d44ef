"""Rules say something or nothing of any document, however it is shaped; they never fail."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.engine.documents import Documents
from catalog.rules.judging import Settings, judge
from catalog.rules.rulebook import Profile, rules

from .conftest import PLACE, whole_file

SAMPLES = [
    body
    for rule in rules().values()
    for example in (rule.bad, rule.good)
    if example.text and rule.id not in {"yaml", "duplicate-key"}
    for body in yaml.safe_load_all(whole_file(example))
    if isinstance(body, dict)
]
ODD = st.sampled_from([None, True, 0, -1, 1.5, "", "x", "$(params.", "$(params.a[*])", "\n", [], [None], ["x"], {}, {"a": None}, {"name": 1}])  # fmt: skip


def places(value, path=()):
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in children:
        yield from places(item, (*path, key))


def with_another(body, path, value):
    if not path:
        return body
    changed = copy.deepcopy(body)
    holder = changed
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return changed


@st.composite
def damaged(draw):
    body = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(1, 3))):
        body = with_another(body, draw(st.sampled_from(list(places(body)))), draw(ODD))
    return body


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=damaged())
def test_no_document_makes_a_rule_fail(tmp_path, body):
    file = tmp_path / PLACE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(body), encoding="utf-8")
    _, found = judge([file], Documents(), Settings(Profile.HOUSE))
    lines = file.read_text(encoding="utf-8").count("\n") + 1
    assert all(one.rule in rules() and one.message and 1 <= one.position.line <= lines for one in found)


@pytest.mark.parametrize("name", ["artifacthub-repo.yml", "gone.yaml"])
def test_a_file_that_is_not_there_is_a_finding(tmp_path, name):
    _, found = judge([tmp_path / name], Documents(), Settings())
    assert [one.rule for one in found] == ["file"]


def test_an_odd_repository_file_is_no_failure(tmp_path):
    for text in ("", "[]", "a", "owners: x", "owners: [x]", "ignore: 1", "repositoryID: {}"):
        file: Path = tmp_path / "artifacthub-repo.yml"
        file.write_text(text, encoding="utf-8")
        judge([file], Documents(), Settings())
