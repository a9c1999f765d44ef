"""Tekton's variables: what is replaced, what stays, and how often one looks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.engine.expansion import expand, expand_env
from catalog.engine.substitution import IndexOutOfBoundsError, Replacements, allows

VALUES = Replacements(
    {
        "params.version": "1.0",
        "params.a.b": "dotted",
        "params.files": ["one", "two words", ""],
        "params.none": [],
        "params.where": {"host": "localhost", "port": "5000"},
        "results.out.path": "/r/out",
        "context.taskRun.name": "run-1",
    }
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v$(params.version)!", "v1.0!"),
        ("$(params[\"version\"]) $(params['version'])", "1.0 1.0"),
        ("$(params.a.b)", "dotted"),
        ('$(params["a.b"])', "dotted"),
        ("$(params.files[1])", "two words"),
        ("$(params.where.port)", "5000"),
        ("$$(params.version)", "$1.0"),
        ("$(params.ghost) $(foo.bar) $( params.version ) ${params.version} $(VAR)", None),
        ("x $(params.files[*]) y", None),
        ("$($(params.version))", "$(1.0)"),
        ("$(results.out.path)", "/r/out"),
    ],
)
def test_what_a_text_becomes(text, expected):
    assert VALUES.text(text) == (text if expected is None else expected)


def test_an_element_that_is_a_whole_array_becomes_its_elements():
    assert VALUES.items(["a", "$(params.files[*])", "b"]) == ["a", "one", "two words", "", "b"]
    assert VALUES.items(["$(params.none[*])"]) == []


def test_an_array_inside_a_longer_element_stays_literal():
    assert VALUES.items(["--x=$(params.files[*])"]) == ["--x=$(params.files[*])"]


def test_a_params_value_takes_over_the_type_of_what_it_refers_to():
    assert VALUES.value("$(params.files[*])") == ["one", "two words", ""]
    assert VALUES.value("$(params.where[*])") == {"host": "localhost", "port": "5000"}
    assert VALUES.value(["$(params.version)", "$(params.files[*])"]) == ["1.0", "one", "two words", ""]
    assert VALUES.value({"k": "$(params.version)"}) == {"k": "1.0"}


def test_an_index_beyond_the_array_is_an_error_that_names_it():
    with pytest.raises(IndexOutOfBoundsError, match=r"\$\(params.files\[7\]\) asks for element 7 of an array of 3"):
        VALUES.text("$(params.files[7])")


def test_an_array_as_input_of_when_is_json():
    [expression] = VALUES.when([{"input": "$(params.files[*])", "operator": "in", "values": ["$(params.files[*])"]}])
    assert expression["input"] == '["one", "two words", ""]'
    assert expression["values"] == ["one", "two words", ""]


def test_when_compares_the_texts_newline_and_all():
    assert allows([{"input": "yes", "operator": "in", "values": ["yes"]}])
    assert not allows([{"input": "yes\n", "operator": "in", "values": ["yes"]}])
    assert allows([{"input": "x", "operator": "notin", "values": []}])
    assert not allows([{"input": "", "operator": "in", "values": []}])


@given(st.text(), st.text())
def test_a_value_is_never_looked_at_again(before, value):
    values = Replacements({"params.x": value, "params.y": "never"})
    assert values.text("$(params.x)") == value
    assert before in values.text(f"{before}") or "$(params." in before


@given(st.text(alphabet="ab$()x.[*]'\" params0"))
def test_texts_without_known_names_stay_as_they_are(text):
    assert Replacements({}).text(text) == text
    assert Replacements({}).items([text]) == [text]


@given(st.lists(st.text()))
def test_an_array_arrives_whole_whatever_its_elements_are(elements):
    assert Replacements({"params.a": elements}).items(["$(params.a[*])"]) == elements


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(HOME)/x", "/root/x"),
        ("$$(HOME)", "$(HOME)"),
        ("$$$(HOME)", "$/root"),
        ("$(UNKNOWN) $HOME ${HOME} $", "$(UNKNOWN) $HOME ${HOME} $"),
        ("100$$", "100$"),
        ("$(HOME", "$(HOME"),
        ("$()", "$()"),
    ],
)
def test_what_kubernetes_expands(text, expected):
    assert expand(text, {"HOME": "/root"}) == expected


def test_variables_know_only_those_before_them():
    env = expand_env([("A", "$(B)"), ("B", "1"), ("C", "$(B)$(A)$(D)")], {"D": "4"})
    assert env == {"D": "4", "A": "$(B)", "B": "1", "C": "1$(B)4"}


@given(st.text(alphabet="ab$()"))
def test_doubling_every_dollar_escapes_any_text(text):
    assert expand(text.replace("$", "$$"), {"a": "!", "b": "!"}) == text
