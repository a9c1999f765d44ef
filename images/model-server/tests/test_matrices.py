"""Rows of numbers to matrices and back, as numpy itself would do it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_server.matrices import matrix
from taskkit.estimator_io import row_tuples

VALUES = st.one_of(st.floats(), st.integers(-(2**70), 2**70), st.booleans(), st.none())


@given(st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[VALUES] * width), min_size=1, max_size=40)))
def test_a_matrix_is_what_numpy_makes_of_the_rows(rows):
    expected = np.array(rows, np.float64)
    found = matrix(rows, np.float64)
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected, equal_nan=True)


def test_a_number_that_no_float_holds_is_refused_as_numpy_refuses_it():
    with pytest.raises(OverflowError, match="int too large to convert to float"):
        matrix([(1.0, 2.0)] * 20 + [(10**400, 1.0)], np.float64)


@given(st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[st.floats()] * width), min_size=1, max_size=40)))
def test_tuples_are_the_rows_again(rows):
    values = np.array(rows)
    found = row_tuples(values.ravel().tolist(), values.shape[1])
    assert [type(row) for row in found] == [tuple] * len(rows)
    assert all(one == other or (math.isnan(one) and math.isnan(other))
               for row, given_row in zip(found, rows, strict=True) for one, other in zip(row, given_row, strict=True))  # fmt: skip
    assert (
        row_tuples(values.T.ravel().tolist(), len(values)) == [tuple(row) for row in values.T.tolist()]
        or np.isnan(values).any()
    )
