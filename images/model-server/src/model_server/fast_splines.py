"""SplineTransformer of scikit-learn for all columns at once: it goes to scipy for each of them, three times.

Between the first and the last knot a spline of degree d is a sum of truncated powers (de Boor, A Practical Guide to
Splines, chapter VIII): of 1, x, …, x^d, and of max(0, x - k)^d for every inner knot k. So the values of all splines of
a column are one small matrix times these powers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

_POINTS = 40
"""Between two knots, where the matrices are fitted."""
_TOLERANCE = 1e-12
"""Splines have values from 0 to 1."""


@dataclass(frozen=True)
class _Columns:
    """What the splines of all columns consist of; every column has the same number of knots.

    ``first``, ``span``: a number per column. ``inner``: (columns, inner knots), ``weights``: (columns, powers,
    splines), both for values that are 0 at the first and 1 at the last knot.
    """

    first: Any
    span: Any
    inner: Any
    weights: Any
    degree: int

    def values(self, rows: Any) -> Any:
        """(rows, columns) to (rows, columns * splines); beyond the outer knots as on them."""
        powers = _powers(np.clip((rows - self.first) / self.span, 0, 1), self.inner, self.degree)
        return np.matmul(powers.transpose(1, 0, 2), self.weights).transpose(1, 0, 2).reshape(len(rows), -1)


def fast_transform(transformer: Any) -> Callable[[Any], Any] | None:
    """What may stand in for the instance's ``transform``; None where its values are not known to be the same."""
    if (
        transformer.extrapolation != "constant"
        or transformer.sparse_output
        or transformer.degree < 1
        or getattr(transformer, "handle_missing", "error") != "error"
        or getattr(transformer, "_sklearn_output_config", None)
    ):
        return None
    degree = transformer.degree
    knots = np.array([spline.t[degree : len(spline.t) - degree] for spline in transformer.bsplines_])
    if not (np.diff(knots) > 0).all():
        return None
    try:
        columns = _columns(transformer, knots)
        asked = _rows_on_and_between(knots.T)
        same = np.allclose(columns.values(asked), transformer.transform(asked), rtol=0, atol=_TOLERANCE)
    except (ArithmeticError, ValueError):  # numbers at the end of their range
        return None
    from sklearn.utils.validation import validate_data

    def transform(X: Any) -> Any:  # noqa: N803
        rows = validate_data(transformer, X, reset=False)
        return columns.values(rows).astype(rows.dtype if rows.dtype == np.float32 else np.float64, copy=False)

    return transform if same else None


def _columns(transformer: Any, knots: Any) -> _Columns:
    """``knots``: (columns, knots), each greater than the one before."""
    splines, degree = transformer.bsplines_, transformer.degree
    first, span = knots[:, 0], knots[:, -1] - knots[:, 0]
    places = (np.arange(_POINTS) + 0.5) / _POINTS
    points = (knots[:, :-1, None] + np.diff(knots)[:, :, None] * places).reshape(len(knots), -1)
    inner = (knots[:, 1:-1] - first[:, None]) / span[:, None]
    powers = _powers(((points - first[:, None]) / span[:, None]).T, inner, degree)
    kept = None if transformer.include_bias else -1
    weights = [np.linalg.lstsq(powers[:, at], spline(points[at]), rcond=None)[0][:, :kept]
               for at, spline in enumerate(splines)]  # fmt: skip
    return _Columns(first, span, inner, np.array(weights), degree)


def _powers(values: Any, inner: Any, degree: int) -> Any:
    """(rows, columns) to (rows, columns, powers)."""
    found = np.empty((*values.shape, degree + 1 + inner.shape[1]))
    found[..., 0] = 1
    for power in range(1, degree + 1):
        np.multiply(found[..., power - 1], values, out=found[..., power])
    for at in range(inner.shape[1]):
        behind = power = np.maximum(values - inner[:, at], 0)
        for _ in range(degree - 1):  # numpy's own powers take ten times as long
            power = power * behind
        found[..., degree + 1 + at] = power
    return found


def _rows_on_and_between(knots: Any) -> Any:
    """``knots``: (knots, columns)."""
    low, high = knots[:1], knots[-1:]
    between = np.random.default_rng(0).uniform(low - (high - low) / 4, high + (high - low) / 4, (1000, len(low[0])))
    return np.concatenate([knots, np.nextafter(knots, -np.inf), np.nextafter(knots, np.inf), between])
