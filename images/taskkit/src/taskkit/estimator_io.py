"""From JSON rows to what an estimator was fitted on, and from its answers back to JSON values.

Training (golden rows), the server, and every check that replays golden rows use this one place. numpy and pandas are
imported only when called, so that programs without them can import the module.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from taskkit.model_signature import Column, GoldenRows, Label, Signature

if TYPE_CHECKING:
    import numpy as np

Row = Sequence[Label | None]


def estimator_input(signature: Signature, rows: Sequence[Row]) -> Any:
    """Rows in column order, as the container that the signature names: DataFrame, Series, array or list.

    Raises ValueError where a value does not fit its column's dtype.
    """
    columns = signature.columns
    if signature.container == "dataframe":
        import pandas as pd

        values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
        series = {at: _series(column, values[at]) for at, column in enumerate(columns)}
        frame = pd.DataFrame(series, copy=False)
        frame.columns = pd.Index([column.name for column in columns])
        return frame
    if signature.container == "series":
        return _series(columns[0], [row[0] for row in rows]).rename(columns[0].name)
    if signature.container == "list":
        return [row[0] for row in rows] if len(columns) == 1 else [list(row) for row in rows]
    return _array(signature, rows)


def _series(column: Column, values: Sequence[Label | None]) -> Any:
    import pandas as pd

    if column.kind == "datetime":
        return pd.to_datetime(pd.Series(values, dtype="str"), format="ISO8601").astype(column.dtype)
    if column.dtype == "category":
        if column.categories is not None:  # as astype does: to the estimator an unknown category is a missing value
            known = frozenset(column.categories)
            values = [value if value in known else None for value in values]
        return pd.Series(pd.Categorical(values, categories=column.categories))
    if column.dtype == "object":
        return pd.Series([math.nan if value is None else value for value in values], dtype="object")
    return pd.Series(values, dtype=column.dtype)


def _array(signature: Signature, rows: Sequence[Row]) -> np.ndarray[Any, Any]:
    import numpy as np

    dtype = np.dtype(signature.columns[0].dtype)
    flat = signature.container == "array-1d"
    values: list[Any] = [row[0] for row in rows] if flat else [list(row) for row in rows]
    if dtype.kind in "fO":
        values = [_nan(value) for value in values] if flat else [[_nan(value) for value in row] for row in values]
    return np.asarray(values, dtype=dtype).reshape((len(rows),) if flat else (len(rows), len(signature.columns)))


def _nan(value: Label | None) -> Label:
    return math.nan if value is None else value


def json_values(array: Any) -> list[Any]:
    """What predict returned, as plain values: one per row, or a tuple per row for several outputs.

    Missing and non-finite numbers become None; numpy scalars, strings and timestamps become plain ones.
    """
    import numpy as np

    values = np.asarray(array)
    flat = values.ravel().tolist()
    if not (values.dtype.kind in "biuU" or (values.dtype.kind == "f" and bool(np.isfinite(values).all()))):
        flat = [json_value(value) for value in flat]
    return flat if values.ndim == 1 else row_tuples(flat, values.reshape(len(values), -1).shape[1])


def row_tuples(flat: list[Any], width: int) -> list[tuple[Any, ...]]:
    """The values of a matrix, one row after the other, as a tuple for each row."""
    return list(zip(*[iter(flat)] * width, strict=True))


def json_value(value: Any) -> Any:
    """One plain JSON value; None for NaN, NaT and infinity."""
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if hasattr(value, "isoformat"):
        text = value.isoformat()
        return None if text == "NaT" else text
    if hasattr(value, "item"):
        return json_value(value.item())
    return str(value)


def answers(estimator: Any, rows_in: Any, *, probabilities: bool) -> tuple[list[Any], list[Any] | None]:
    """(predictions, probabilities or None) of an estimator for a built input."""
    predictions = json_values(estimator.predict(rows_in))
    return predictions, json_values(estimator.predict_proba(rows_in)) if probabilities else None


def first_difference(golden: GoldenRows, predictions: Sequence[Any], probabilities: Sequence[Any] | None) -> str:
    """Where answers differ from the golden ones: a sentence that names the row (from 0), or an empty string.

    Labels must be equal, numbers within ``relative_tolerance``.
    """
    if len(predictions) != len(golden.predictions):
        return f"{len(golden.predictions)} rows gave {len(predictions)} predictions"
    for at, (expected, found) in enumerate(zip(golden.predictions, predictions, strict=True)):
        if not _equal(expected, found, golden.relative_tolerance):
            return f"row {at}: predict gave {found!r}, golden answer is {expected!r}"
    for at, (expected, found) in enumerate(zip(golden.probabilities or (), probabilities or (), strict=False)):
        if not _equal(expected, found, golden.relative_tolerance):
            return f"row {at}: predict_proba gave {list(found)!r}, golden answer is {list(expected)!r}"
    return ""


def _equal(expected: Any, found: Any, tolerance: float) -> bool:
    if isinstance(expected, (tuple, list)):
        return (
            isinstance(found, (tuple, list))
            and len(expected) == len(found)
            and all(_equal(one, other, tolerance) for one, other in zip(expected, found, strict=True))
        )
    if isinstance(expected, float) and isinstance(found, (int, float)) and not isinstance(found, bool):
        return abs(expected - found) <= tolerance * max(1.0, abs(expected))
    return type(expected) is type(found) and bool(expected == found)
