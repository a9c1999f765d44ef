"""Whole columns of a tensor checked at once, where every value is plainly what the column takes.

What is taken here is taken by `row_reading`, value by value, too, and to the same values; for everything else the
answer is None, and that is asked.
"""

from __future__ import annotations

from typing import Any

from model_server.row_reading import FLOAT_LIMITS, integer_range
from taskkit.model_signature import Column, Kind

_FLOAT64 = 1.7976931348623157e308


class PlainColumn:
    def __init__(self, column: Column) -> None:
        self._kind = column.kind
        self._limit = FLOAT_LIMITS.get(column.dtype.lower(), _FLOAT64)
        self._range = integer_range(column.dtype)

    def values(self, values: list[Any], kind: Kind, dtype: str) -> list[Any] | None:
        """``kind`` and ``dtype`` are those of the tensor that the values come in."""
        types = set(map(type, values))
        if self._kind == "number":
            return self._numbers(values, types, kind, dtype)
        if self._kind == "integer":
            fits = kind == "integer" and types == {int} and _within(values, self._range, integer_range(dtype))
        elif self._kind == "boolean":
            fits = kind == "boolean" and types == {bool}
        else:
            fits = self._kind == "string" and kind == "string" and types == {str}
        return values if fits else None

    def _numbers(self, values: list[Any], types: set[type], kind: Kind, dtype: str) -> list[Any] | None:
        limit = self._limit
        if kind == "number" and types <= {float, int} and types:
            limit = min(limit, FLOAT_LIMITS.get(dtype, _FLOAT64))
        elif kind != "integer" or types != {int} or not _within(values, integer_range(dtype)):
            return None
        if not _within(values, (-limit, limit)):
            return None
        return list(map(float, values)) if int in types else values


def _within(values: list[Any], *ranges: tuple[float, float]) -> bool:
    least, most = min(values), max(values)
    return all(least >= low and most <= high for low, high in ranges)
