"""Splines of all columns at once: scikit-learn's own values, or they are left to it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler

from model_server.fast_estimators import quicken
from model_server.fast_splines import fast_transform

NUMBERS = np.random.default_rng(0).normal(5, 3, (200, 4))


@settings(max_examples=60, deadline=None)
@given(
    degree=st.integers(1, 4),
    n_knots=st.integers(2, 12),
    knots=st.sampled_from(["uniform", "quantile"]),
    include_bias=st.booleans(),
    seed=st.integers(0, 1000),
    scale=st.sampled_from([1e-6, 1.0, 1e9]),
)
def test_values_are_those_of_scikit_learn_within_the_knots_on_them_and_beyond(
    degree, n_knots, knots, include_bias, seed, scale
):
    random = np.random.default_rng(seed)
    fitted_on, asked = (random.normal(size=(rows, 3)) * scale + scale for rows in (50, 80))
    asked[0], asked[1], asked[2] = fitted_on.min(axis=0), fitted_on.max(axis=0), fitted_on.max(axis=0) * 10
    splines = SplineTransformer(n_knots, degree=degree, knots=knots, include_bias=include_bias).fit(fitted_on)
    fast = fast_transform(splines)
    if fast is None:
        assert knots == "quantile" or n_knots > 8  # where sums of powers cancel too much, by close knots or many
    else:
        np.testing.assert_allclose(fast(asked), splines.transform(asked), rtol=0, atol=1e-12)


def test_single_precision_stays_single():
    splines = SplineTransformer().fit(NUMBERS.astype(np.float32))
    assert fast_transform(splines)(NUMBERS.astype(np.float32)).dtype == np.float32
    assert splines.transform(NUMBERS.astype(np.float32)).dtype == np.float32


def test_what_is_refused_stays_refused():
    splines = SplineTransformer().fit(NUMBERS)
    for ask in (splines.transform, fast_transform(splines)):
        with pytest.raises(ValueError, match="Input X contains NaN"):
            ask(np.full((1, 4), np.nan))
        with pytest.raises(ValueError, match="X has 3 features, but SplineTransformer is expecting 4"):
            ask(NUMBERS[:, :3])


@pytest.mark.parametrize(
    "options",
    [
        {"extrapolation": "linear"}, {"extrapolation": "periodic"}, {"extrapolation": "error"}, {"degree": 0},
        {"sparse_output": True}, {"n_knots": 60}, {"handle_missing": "zeros"},
    ],
    ids=str,
)  # fmt: skip
def test_other_kinds_are_left_to_scikit_learn(options):
    assert fast_transform(SplineTransformer(**options).fit(NUMBERS)) is None


def test_equal_knots_and_named_output_are_left_to_scikit_learn():
    counts = np.repeat([[0.0], [1.0]], [180, 20], axis=0)
    assert fast_transform(SplineTransformer(knots="quantile").fit(counts)) is None
    assert fast_transform(SplineTransformer().set_output(transform="pandas").fit(NUMBERS)) is None


def test_numbers_at_the_end_of_the_range_are_left_to_scikit_learn():
    fitted = SplineTransformer(3).fit(np.linspace(-1, 1, 20).reshape(-1, 1))
    for spline in fitted.bsplines_:
        spline.t = spline.t * 1.6e308
    with np.errstate(all="ignore"):
        assert fast_transform(fitted) is None


def test_splines_are_found_within_pipelines_and_column_transformers_and_given_back():
    columns = make_column_transformer((SplineTransformer(), [0, 1]), (StandardScaler(), [2]), remainder="passthrough")
    model = make_pipeline(columns, LinearRegression()).fit(NUMBERS, NUMBERS[:, 0] ** 2)
    splines, expected = columns.transformers_[0][1], model.predict(NUMBERS)
    undo = quicken(model)
    assert "transform" in vars(splines)
    np.testing.assert_allclose(model.predict(NUMBERS), expected, rtol=1e-10)
    for take_back in undo:
        take_back()
    assert "transform" not in vars(splines)
