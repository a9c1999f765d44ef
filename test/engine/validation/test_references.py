from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.engine import references
from catalog.engine.references import Reference


@pytest.mark.parametrize(
    ("text", "path", "index"),
    [
        ("$(params.a)", ("params", "a"), None),
        ('$(params["a.b"])', ("params", "a.b"), None),
        ("$(params['a'])", ("params", "a"), None),
        ("$(params.a[*])", ("params", "a"), "*"),
        ("$(params['a.b'][2])", ("params", "a.b"), 2),
        ("$(params.o.key)", ("params", "o", "key"), None),
        ("$(tasks.x.results.y[*])", ("tasks", "x", "results", "y"), "*"),
        ("$(tasks.x.results['y.z'].key)", ("tasks", "x", "results", "y.z", "key"), None),
        ("$(tasks.x.status)", ("tasks", "x", "status"), None),
        ("$(tasks.status)", ("tasks", "status"), None),
        ("$(finally.x.results.y)", ("finally", "x", "results", "y"), None),
        ("$(results.x.path)", ("results", "x", "path"), None),
        ("$(workspaces.x.bound)", ("workspaces", "x", "bound"), None),
        ("$(context.taskRun.name)", ("context", "taskRun", "name"), None),
        ("$(steps.step-x.exitCode.path)", ("steps", "step-x", "exitCode", "path"), None),
        ("$(step.results.x.path)", ("step", "results", "x", "path"), None),
        ("$(credentials.path)", ("credentials", "path"), None),
    ],
)
def test_every_form_of_a_variable_is_understood(text, path, index):
    assert references.whole(text) == Reference(text, 0, len(text), path, index)


@pytest.mark.parametrize(
    "text", ["$(HOME)", "$(cat file)", "${params.x}", "$( params.x )", "$(params.)", "$(params.x[])", "$()", "params.x"]
)
def test_what_is_no_variable_of_tektons_is_left_alone(text):
    assert references.find(text) == []


def test_a_doubled_dollar_is_no_escape():
    (found,) = references.find("a $$(params.x) b")
    assert (found.text, found.start) == ("$(params.x)", 3)


def test_several_variables_are_found_in_their_order_with_their_places():
    text = "$(params.a)-$(VAR)-$(tasks.b.status)"
    assert [text[one.start : one.end] for one in references.find(text)] == ["$(params.a)", "$(tasks.b.status)"]


def test_a_variable_with_anything_around_it_is_not_whole():
    assert references.whole("x$(params.a)") is None
    assert references.whole("$(params.a)$(params.b)") is None


def test_malformed_variables_of_tektons_own_roots_are_told():
    found = references.malformed("$(params.a b) $(params.ok) $(results.digest-${i}.path) $(date +%s) $(params.open")
    assert [one.text for one in found] == ["$(params.a b)", "$(results.digest-${i}.path)", "$(params.open"]


def test_replacing_leaves_unknown_variables_and_does_not_look_at_values_again():
    values = {"params.a": "$(params.b)", "params.b": "B"}
    text = references.replace("$(params.a) $(params.b) $(params.c)", lambda one: values.get(one.dotted))
    assert text == "$(params.b) B $(params.c)"


_names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_-]{0,8}", fullmatch=True)
_quoted = st.from_regex(r"[a-zA-Z0-9_. -]{1,8}", fullmatch=True)


@given(
    _names, st.lists(st.tuples(st.booleans(), _names, _quoted), min_size=1, max_size=4), st.none() | st.integers(0, 99)
)
def test_whatever_is_written_by_the_grammar_reads_back(root, parts, index):
    text = "$(" + root
    text += "".join(f".{plain}" if dotted else f'["{quoted}"]' for dotted, plain, quoted in parts)
    text += ("" if index is None else f"[{index}]") + ")"
    expected = (root, *(plain if dotted else quoted for dotted, plain, quoted in parts))
    found = references.whole(text)
    assert found is not None
    assert (found.path, found.index) == (expected, index)


@given(st.text(alphabet="$()[].*'\"ab0 params", max_size=40))
def test_any_text_can_be_searched_and_found_pieces_are_where_they_are_said_to_be(text):
    for one in references.find(text):
        assert text[one.start : one.end] == one.text
    assert references.replace(text, lambda one: one.text) == text
