"""Tensors that are plainly what the model takes, put into rows at once: no null, no other datatype, nothing to convert.

What is taken here is taken by `tensor_protocol`, value by value, too, and to the same rows; for everything else the
answer is None, and that is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from taskkit.estimator_io import Row
from taskkit.model_signature import Column

_PLAIN = {("number", "float64"): ("FP64", float), ("integer", "int64"): ("INT64", int),
          ("boolean", "bool"): ("BOOL", bool), ("string", "str"): ("BYTES", str),
          ("string", "object"): ("BYTES", str)}  # fmt: skip
PLAIN_CONTENT = {"str", "np", "pd"}
"""Values of the parameter ``content_type``, as MLServer's clients send them, that mean the data as it stands."""
_MANY_VALUES = 256
_INT64 = 2**63


class PlainTensors:
    """Prepared from the columns of a model. ``inputs`` are tensors with name, shape, datatype, data, parameters."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._width = len(columns)
        self._names = frozenset(column.name for column in columns)
        self._kinds = {column.name: (at, *_PLAIN[column.kind, column.dtype]) for at, column in enumerate(columns)
                       if (column.kind, column.dtype) in _PLAIN}  # fmt: skip
        self._doubles = all(kind[1] == "FP64" for kind in self._kinds.values()) and len(self._kinds) == self._width

    def rows(self, inputs: Sequence[Any]) -> Sequence[Row] | None:
        if len(inputs) == 1 and inputs[0].name not in self._names:
            return self._matrix(inputs[0]) if self._doubles else None
        return self._columns(inputs) if len(inputs) == self._width == len(self._kinds) else None

    def _matrix(self, tensor: Any) -> Sequence[Row] | None:
        """All columns in one tensor, doubles only."""
        width, data = self._width, tensor.data
        count = len(data) // width
        if (
            tensor.datatype != "FP64" or tensor.shape != [count, width] or not count or len(data) != count * width
            or set(map(type, data)) != {float} or not _as_it_stands(tensor)
        ):  # fmt: skip
            return None
        if len(data) < _MANY_VALUES:
            return [data[at : at + width] for at in range(0, len(data), width)]
        import numpy as np

        rows: Sequence[Row] = np.array(data, np.float64).reshape(-1, width)  # type: ignore[assignment]
        return rows

    def _columns(self, inputs: Sequence[Any]) -> Sequence[Row] | None:
        """A tensor for each column."""
        count = len(inputs[0].data)
        shapes: tuple[list[int], ...] = ([count], [count, 1])
        found: list[Any] = [None] * self._width
        for tensor in inputs:
            kind = self._kinds.get(tensor.name)
            if kind is None or not count:
                return None
            at, datatype, wanted = kind
            data = tensor.data
            if (
                tensor.datatype != datatype or tensor.shape not in shapes
                or len(data) != count or found[at] is not None or not _as_it_stands(tensor)
                or (type(data[0]) is not wanted if count == 1 else set(map(type, data)) != {wanted})
                or (wanted is int and not (min(data) >= -_INT64 and max(data) < _INT64))
            ):  # fmt: skip
                return None
            found[at] = data
        return list(zip(*found, strict=True))


def _as_it_stands(tensor: Any) -> bool:
    parameters = tensor.parameters
    if not parameters:
        return True
    content = parameters.get("content_type")
    return len(parameters) == 1 and isinstance(content, str) and content in PLAIN_CONTENT
