"""YAML is read as kubectl reads it: YAML 1.1 as Go's library understands it."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from catalog.engine import yamlreader


def read(text: str):
    (node,), faults = yamlreader.nodes(text)
    value, more = yamlreader.plain(node)
    return value, [*faults, *more]


@pytest.mark.parametrize(
    ("written", "by_value"),
    [
        ("010", "8"),
        ("0o17", "15"),
        ("0x1F", "31"),
        ("0b101", "5"),
        ("09", "9"),
        ("1e3", "1000"),
        ("1_000", "1000"),
        ("1.10", "1.1"),
        ("1.0", "1"),
        (".5", "0.5"),
        ("1e30", "1e+30"),
        ("1.5e-7", "1.5e-7"),
        ("0.00001", "0.00001"),
        ("+7", "7"),
        ("-0x10", "-16"),
        ("18446744073709551615", "18446744073709551615"),
        ("no", "false"),
        ("y", "true"),
        ("On", "true"),
        ("~", "null"),
    ],
)
def test_plain_scalars_become_text_by_value(written, by_value):
    assert yamlreader.json_text(yamlreader.scalar(written)) == by_value


@pytest.mark.parametrize(
    "text", ["1:30", "2020-01-01", "1.2.3", "v1", "_1", "1__x", ".inf", ".", "-", "0o8", "nO", "="]
)
def test_what_only_looks_like_a_number_date_or_truth_stays_text(text):
    assert yamlreader.scalar(text) == text


def test_quotes_and_explicit_tags_keep_a_scalar_as_text():
    assert read("""{a: "no", b: '010', c: !!str 010, d: !!int "7"}""")[0] == {"a": "no", "b": "010", "c": "010", "d": 7}


def test_keys_are_always_text():
    assert read("{1: a, on: b, 0x10: c}")[0] == {"1": "a", "true": "b", "16": "c"}


def test_a_doubled_key_is_told_with_its_line_and_the_last_one_counts():
    value, faults = read("a: 1\nb: 2\na: 3\n")
    assert value == {"a": 3, "b": 2}
    assert [(fault.key, fault.line, fault.fatal) for fault in faults] == [("a", 3, False)]


def test_anchors_and_merges_are_filled_in_and_own_keys_win():
    assert read("base: &b {k: 1, l: 2}\nmore:\n  <<: *b\n  l: 3\n")[0]["more"] == {"k": 1, "l": 3}


def test_an_anchor_that_contains_itself_is_refused():
    assert "contains itself" in read("a: &a [*a]")[1][0].message


def test_aliases_that_blow_up_are_refused_quickly():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    faults = read("\n".join(lines))[1]
    assert "more than 200000 values" in faults[0].message


def test_broken_yaml_is_told_with_its_line():
    nodes, (fault,) = yamlreader.nodes("a: 1\nb: [1\nc: 2\n")
    assert nodes == []
    assert fault.fatal
    assert fault.line in {3, 4}


def test_empty_documents_are_left_out():
    assert len(yamlreader.nodes("---\n---\na: 1\n---\n# nothing\n")[0]) == 1


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**64 - 1))
def test_the_text_of_a_number_reads_back_as_the_same_number(number):
    assert float(yamlreader.json_text(number)) == float(number)


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(min_size=1), _values, min_size=1, max_size=4))
def test_what_is_written_in_quotes_reads_back(value):
    text = json.dumps(value)
    try:
        yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:  # not every JSON text is YAML for libyaml (lone surrogates, control characters)
        return
    assert read(text) == (value, [])


@given(_values)
def test_json_text_is_json(value):
    assert isinstance(value, str) or json.loads(yamlreader.json_text(value)) == value
