"""/predict: every wrong value is named with its row and column."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_server.refusals import Problems, Refusal
from model_server.row_reading import ColumnReader, Misfit, RowReader, value_reader
from taskkit.model_signature import Column, Outputs, Signature

ROW = {"age": 70, "income": 1.5, "city": "Oslo", "plan": None, "member": True}


def problems_of(answer):
    assert answer.status == 422, answer
    return [(one["row"], one["column"], one["problem"], one["got"]) for one in answer.document["problems"]]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"age": "70"}, (0, "age", "is not an integer", "70")),
        ({"age": 70.5}, (0, "age", "is not an integer", 70.5)),
        ({"age": True}, (0, "age", "is not an integer", True)),
        ({"age": None}, (0, "age", "is null, but training saw no missing values", None)),
        ({"age": 2**63}, (0, "age", "is out of the range of int64", "an integer of 64 bits")),
        ({"income": "much"}, (0, "income", "is not a number", "much")),
        ({"income": False}, (0, "income", "is not a number", False)),
        ({"income": [1.0]}, (0, "income", "is not a number", "a list of 1")),
        ({"income": 10**400}, (0, "income", "is too large for a float64", "an integer of 1329 bits")),
        ({"city": 5}, (0, "city", "is not a text", 5)),
        ({"city": {"name": "Oslo"}}, (0, "city", "is not a text", "an object of 1")),
        ({"member": 1}, (0, "member", "is not true or false", 1)),
        ({"member": "true"}, (0, "member", "is not true or false", "true")),
    ],
)
def test_a_value_of_the_wrong_type_is_named(client, change, problem):
    assert problems_of(client("mixed").predict({**ROW, **change})) == [problem]


def test_the_answer_says_what_is_allowed_and_what_training_saw(client):
    answer = client("mixed").predict({**ROW, "age": "old", "city": 1, "plan": 2}).document
    allowed = [problem["allowed"] for problem in answer["problems"]]
    assert allowed[0].startswith("an integer; training saw ")
    assert allowed[1:] == ["a text; training saw Bonn, Oslo, Rome", "a text or null; training saw a, b"]
    assert answer["error"] == "row 0 column 'age': is not an integer (and 2 more)"


def test_every_problem_of_every_row_is_listed_at_once(client):
    missing = {name: value for name, value in ROW.items() if name != "city"}
    answer = client("mixed").predict([ROW, {**missing, "agee": 1}, 5, [1, 2], {**ROW, "age": None}])
    assert [(row, column, problem) for row, column, problem, _ in problems_of(answer)] == [
        (1, "agee", "is not a column of the model; did you mean 'age'?"),
        (1, "city", "is missing"),
        (2, None, "is not a row"),
        (3, None, "has 2 values, the model takes 5"),
        (4, "age", "is null, but training saw no missing values"),
    ]


@pytest.mark.parametrize("body", [[], {"rows": []}, {"instances": []}])
def test_no_rows_are_refused(client, body):
    answer = client("iris").predict(body)
    assert (answer.status, answer.document) == (422, {"error": "there are no rows; send at least one"})


@pytest.mark.parametrize("body", [5, "text", None, True])
def test_a_single_value_is_no_row_of_a_model_with_several_columns(client, body):
    assert problems_of(client("iris").predict(body)) == [(0, None, "is not a row", body)]


def test_an_envelope_holds_rows_never_one_bare_row(client):
    assert len(problems_of(client("iris").predict({"rows": [1, 2, 3, 4]}))) == 4


def test_an_envelope_with_other_keys_is_read_as_a_row_and_refused(client):
    answer = client("iris").predict({"rows": [[1, 2, 3, 4]], "extra": 1})
    assert (0, "rows", "is not a column of the model", "a list of 1") in problems_of(answer)


def test_an_answer_lists_a_thousand_problems_and_no_more(client):
    answer = client("iris").predict([["x"] * 4] * 5000)
    assert len(problems_of(answer)) == 1000
    assert answer.document["error"] == "at least 1000 problems, these are the first"


def test_long_texts_are_shortened_in_answers(client):
    [(_, _, _, got)] = problems_of(client("iris").predict([1, 2, 3, "x" * 10_000]))
    assert got == "x" * 100 + "…"


@pytest.mark.parametrize(
    ("kind", "dtype", "good", "bad"),
    [
        ("integer", "uint8", [0, 255, 3.0], [-1, 256, 0.5]),
        ("integer", "Int16", [-32768, 32767], [32768]),
        ("number", "float32", [3.4e38, 1], [3.5e38, 10**39]),
        ("number", "float16", [65504], [65505]),
        (
            "datetime",
            "datetime64[ns]",
            ["2026-01-31", "2026-01-31T10:00:00.5"],
            ["31.1.2026", "0001-01-01", "2026-01-31T10:00Z", 5],
        ),
        ("datetime", "datetime64[us, UTC]", ["2026-01-31T10:00:00Z", "2026-01-31T10:00:00+02:00"], ["2026-01-31"]),
    ],
)
def test_a_dtype_takes_what_it_can_hold(kind, dtype, good, bad):
    read = value_reader(kind, dtype)
    for value in good:
        assert read(value) is not None
    for value in bad:
        with pytest.raises(Misfit):
            read(value)


COLUMNS = st.lists(
    st.builds(
        Column, st.text(min_size=1, max_size=8), st.just("float64"),
        st.sampled_from(["number", "integer", "boolean", "string"]), st.booleans(),
    ),
    min_size=1, max_size=5, unique_by=lambda column: column.name,
)  # fmt: skip
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
VALUES = {
    "number": st.integers(-100, 100) | st.floats(allow_nan=False, allow_infinity=False),
    "integer": st.integers(-(2**63), 2**63 - 1),
    "boolean": st.booleans(),
    "string": st.text(max_size=5),
}


def reader_of(columns):
    return RowReader(Signature("dataframe", "fit", tuple(columns), Outputs("other", "float64", "number", 1)))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_row_reads_the_same_as_an_object_and_as_a_list(data):
    columns = data.draw(COLUMNS)
    row = {
        column.name: data.draw(VALUES[column.kind] | st.none() if column.nullable else VALUES[column.kind])
        for column in columns
    }
    reader, problems = reader_of(columns), Problems()
    read = reader.from_object(0, dict(reversed(row.items())), problems)
    assert list(read) == list(reader.from_list(0, list(row.values()), problems))
    assert list(read) == list(row.values())
    assert not problems.found


@given(COLUMNS, ANY_JSON.filter(lambda value: isinstance(value, dict)))
@settings(max_examples=60, deadline=None)
def test_any_object_is_either_a_whole_row_or_has_a_problem_that_json_can_carry(columns, row):
    reader, problems = reader_of(columns), Problems()
    read = reader.from_object(0, row, problems)
    assert (len(read) == len(columns)) == (not problems.found)
    if problems.found:
        with pytest.raises(Refusal) as refusal:
            problems.refuse_if_any()
        assert len(json.loads(refusal.value.reply().body)["problems"]) == len(problems.found)


@given(ANY_JSON, st.sampled_from(["number", "integer", "boolean", "string", "datetime"]))
@settings(max_examples=200, deadline=None)
def test_a_value_is_read_as_its_kind_or_is_a_misfit(value, kind):
    types = {"number": float, "integer": int, "boolean": bool, "string": str, "datetime": str}
    try:
        read = ColumnReader("x", False, value_reader(kind, "float64"), "").value(value)
    except Misfit:
        return
    assert type(read) is types[kind]
    assert read == value
