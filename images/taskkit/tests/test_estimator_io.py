import math
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskkit.estimator_io import estimator_input, first_difference, json_values
from taskkit.model_signature import Column, GoldenRows, Outputs, Signature

OUTPUTS = Outputs("classifier", "int64", "integer", 1)


def signature(container, *columns):
    return Signature(container, "fit", columns, OUTPUTS)


def test_a_frame_is_rebuilt_with_its_dtypes_and_missing_values():
    wanted = pd.DataFrame(
        {
            "n": [1.5, np.nan],
            "i": [1, 2],
            "b": [True, False],
            "s": pd.Series(["a", None], dtype="str"),
            "o": pd.Series(["a", np.nan], dtype="object"),
            "c": pd.Categorical(["x", None], categories=["x", "y"]),
            "d": pd.to_datetime(pd.Series(["2024-01-02T03:04:05", None])),
        }
    )
    columns = (
        Column("n", "float64", "number", nullable=True),
        Column("i", "int64", "integer", nullable=False),
        Column("b", "bool", "boolean", nullable=False),
        Column("s", "str", "string", nullable=True),
        Column("o", "object", "string", nullable=True),
        Column("c", "category", "string", nullable=True, categories=("x", "y")),
        Column("d", str(wanted["d"].dtype), "datetime", nullable=True),
    )
    rows = [(1.5, 1, True, "a", "a", "x", "2024-01-02T03:04:05"), (None, 2, False, None, None, None, None)]
    pd.testing.assert_frame_equal(estimator_input(signature("dataframe", *columns), rows), wanted)


def test_a_frame_may_hold_a_column_name_twice_and_no_rows():
    twice = signature("dataframe", *[Column("x", "float64", "number", nullable=False)] * 2)
    assert estimator_input(twice, [(1.0, 2.0)]).to_numpy().tolist() == [[1.0, 2.0]]
    assert estimator_input(twice, []).shape == (0, 2)


def test_texts_become_a_series_of_as_many_rows():
    series = estimator_input(
        signature("series", Column("text", "str", "string", nullable=False)), [("a",), ("b",), ("c",)]
    )
    assert isinstance(series, pd.Series)
    assert (series.name, series.tolist()) == ("text", ["a", "b", "c"])


def test_arrays_keep_their_shape_and_dtype():
    numbers = [Column(f"x{at}", "float32", "number", nullable=True) for at in range(2)]
    matrix = estimator_input(signature("array-2d", *numbers), [(1, None)])
    assert (matrix.dtype, matrix.shape, math.isnan(matrix[0, 1])) == (np.float32, (1, 2), True)
    assert estimator_input(signature("array-1d", numbers[0]), [(1,), (2,)]).shape == (2,)


def test_a_list_stays_a_list():
    column = Column("x0", "object", "string", nullable=False)
    assert estimator_input(signature("list", column), [("a",), ("b",)]) == ["a", "b"]


def test_answers_become_plain_json_values():
    assert json_values(np.array([1, 2])) == [1, 2]
    assert json_values(np.array(["a"], dtype=object)) == ["a"]
    assert json_values(np.array([[1.5, np.nan]])) == [(1.5, None)]
    assert json_values(np.array(["2024-01-02"], dtype="datetime64[s]")) == ["2024-01-02T00:00:00"]


finite = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(st.lists(finite, min_size=1))
def test_answers_equal_themselves(numbers):
    golden = GoldenRows("rows", tuple((n,) for n in numbers), tuple(numbers))
    assert first_difference(golden, numbers, None) == ""


@given(finite, st.sampled_from([1.1, 0.9]))
def test_a_number_off_by_more_than_the_tolerance_is_named_by_its_row(number, factor):
    golden = GoldenRows("rows", ((1.0,), (2.0,)), (0.0, abs(number) + 1.0))
    assert first_difference(golden, [0.0, (abs(number) + 1.0) * factor], None).startswith("row 1: predict gave")


@pytest.mark.parametrize(("expected", "found"), [("a", "b"), (1, True), (1, "1"), ((1.0, 2.0), (1.0,))])
def test_labels_must_be_equal_in_value_and_type(expected, found):
    assert "row 0: predict gave" in first_difference(GoldenRows("rows", ((1,),), (expected,)), [found], None)


def test_probabilities_are_compared_too_and_a_lost_row_is_seen():
    golden = GoldenRows("rows", ((1,),), ("a",), ((0.25, 0.75),))
    assert "row 0: predict_proba gave" in first_difference(golden, ["a"], [(0.3, 0.7)])
    assert first_difference(golden, [], []) == "1 rows gave 0 predictions"


def test_an_unknown_category_is_a_missing_value_as_pandas_casts_it():
    column = Column("c", "category", "string", nullable=False, categories=("x", "y"))
    signature = Signature("dataframe", "fit", (column,), Outputs("other", "float64", "number", 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = estimator_input(signature, [("y",), ("z",)])
    assert frame["c"].astype("object").tolist()[0] == "y"
    assert frame["c"].isna().tolist() == [False, True]
    assert frame["c"].cat.categories.tolist() == ["x", "y"]
