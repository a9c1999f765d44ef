"""Parts of the data, one after the other, as partial_fit is given them."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from sklearn_train.observation import look

NUMBERS = np.random.RandomState(0).rand(200, 3)
NUMBERS_OR_NONE = st.one_of(st.none(), st.floats(allow_infinity=False, width=32), st.integers(-(1 << 60), 1 << 60))


@given(st.lists(st.tuples(NUMBERS_OR_NONE, st.integers(-(1 << 62), 1 << 62)), min_size=4, max_size=40),
       st.integers(1, 7), st.sampled_from(["frame", "floats", "integers", "sparse"]))  # fmt: skip
def test_parts_show_what_the_whole_shows(rows, size, container):
    frame = pd.DataFrame(rows, columns=["a", "n"]).astype({"a": "float64"})
    whole = {"frame": frame, "floats": frame.to_numpy(), "integers": frame[["n"]].to_numpy(),
             "sparse": csr_matrix(frame[["n"]].to_numpy())}[container]  # fmt: skip
    parts = [whole[at : at + size] for at in range(0, len(rows), size)]
    seen = look(parts[0])
    for part in parts[1:]:
        seen = seen.widened(part)
    expected = look(whole)
    assert (seen.container, seen.rows) == (expected.container, expected.rows)
    assert seen.columns == expected.columns


def test_parts_that_do_not_go_together_are_a_problem_and_not_the_last_part():
    numbers = look(NUMBERS)
    assert numbers.widened(NUMBERS[:, :2]).problem == "it was fitted on parts of different columns or containers"
    assert numbers.widened(NUMBERS[:, :2]).widened(NUMBERS).problem, "once unknown, always unknown"
    whole = look(np.array([[1, 2, 3]])).widened(NUMBERS)
    assert (whole.columns[0].kind, whole.columns[0].dtype, whole.columns[2].maximum) == ("number", "float64", 3)
    mixed = look(pd.DataFrame({"a": [1.0]})).widened(pd.DataFrame({"a": ["x"]}))
    assert mixed.problem == "column 'a' holds values of type float64 and str, which have no form in JSON"


def test_parts_keep_the_larger_sample_and_no_more_texts_than_can_be_categories():
    first = look(pd.DataFrame({"t": ["x", "y"]}))
    seen = first.widened(pd.DataFrame({"t": ["y"] * 5}))
    assert (len(seen.sample), seen.columns[0].counts) == (5, {"x": 1, "y": 6})
    assert len(seen.widened(pd.DataFrame({"t": ["z"]})).sample) == 5
    for at in range(10):
        seen = seen.widened(pd.DataFrame({"t": [f"text {at} {each}" for each in range(30)]}))
    assert (seen.rows, seen.columns[0].counts) == (307, None)
    assert len(look(NUMBERS[:1]).widened(NUMBERS).sample) == len(NUMBERS)
    one, other = (look(pd.DataFrame({"c": pd.Categorical([value])})) for value in "ab")
    assert one.merged(other).columns[0].categories == ("a", "b")
