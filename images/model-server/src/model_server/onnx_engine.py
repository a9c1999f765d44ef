"""model.onnx by ONNX Runtime: neither scikit-learn nor pandas is imported, and a row takes microseconds.

`sklearn-train` puts model.onnx there only where it proved that it answers as the estimator does. Its inputs are one
matrix of all columns, or one tensor (rows, 1) per column, by name; its outputs the predictions, then the probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from model_server.engine import Answers, RefusedInputError, one_line
from model_server.matrices import matrix
from taskkit.estimator_io import row_tuples
from taskkit.model_signature import Outputs, Signature

_DTYPES: dict[str, Any] = {
    "tensor(double)": np.float64, "tensor(float)": np.float32, "tensor(int64)": np.int64,
    "tensor(string)": np.object_, "tensor(bool)": np.bool_,
}  # fmt: skip


class UnfitModelError(Exception):
    """model.onnx does not have the inputs and outputs that the signature needs."""


class OnnxEngine:
    """Raises UnfitModelError, and whatever ONNX Runtime raises for a file that it can't load."""

    def __init__(self, path: Path, signature: Signature) -> None:
        self.name = f"ONNX Runtime {onnxruntime.__version__}"
        self.labels = signature.outputs.labels
        self.gives_probabilities = signature.outputs.probabilities
        session = _session(path)
        self._feed = _feed(session, signature)
        # What its Python wrapper checks of each call, a fifth of the time for a row, holds by construction here.
        self._run = session._sess.run  # noqa: SLF001
        outputs = [output.name for output in session.get_outputs()]
        if len(outputs) < 1 + self.gives_probabilities:
            raise UnfitModelError(f"model.onnx has the outputs {', '.join(outputs)}, probabilities are missing")
        self._both, self._first, self._second = outputs[:2], outputs[:1], outputs[1:2]
        self._plain = _plain_predictions(signature.outputs)

    def answer(self, rows: Sequence[Any], *, predictions: bool = True, probabilities: bool = True) -> Answers:
        probabilities = probabilities and self.gives_probabilities
        try:
            feed = self._feed(rows)
        except (ValueError, TypeError, OverflowError) as error:
            raise RefusedInputError(one_line(error)) from error
        try:
            if not probabilities:
                found, chances = self._run(self._first, feed, None)[0], None
            elif predictions:
                found, chances = self._run(self._both, feed, None)
            else:
                found, chances = None, self._run(self._second, feed, None)[0]
        except Exception as error:
            # Its own exceptions derive from Exception only. What it does not take was refused by scikit-learn too,
            # for example a category that training did not see where the encoder says that this is an error.
            raise RefusedInputError(one_line(error)) from error
        return Answers(
            self._plain(found) if predictions and found is not None else None,
            row_tuples(chances.ravel().tolist(), chances.shape[1]) if chances is not None else None,
        )


def _session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # requests are the parallelism
    options.log_severity_level = 4  # errors come as exceptions
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


Feed = Callable[[Sequence[Any]], dict[str, Any]]


def _feed(session: Any, signature: Signature) -> Feed:
    """A function that gives the inputs of the session for rows."""
    inputs = [(one.name, _DTYPES.get(one.type)) for one in session.get_inputs()]
    names = [column.name for column in signature.columns]
    if any(dtype is None for _, dtype in inputs):
        raise UnfitModelError("model.onnx has inputs of a type that no column has")
    if len(inputs) == 1 and (len(names) > 1 or inputs[0][0] not in names):
        return _matrix_feed(inputs[0][0], inputs[0][1])
    if sorted(name for name, _ in inputs) != sorted(set(names)) or len(inputs) != len(names):
        raise UnfitModelError("the inputs of model.onnx are not the columns of the signature")
    return _columns_feed([(name, names.index(name), dtype) for name, dtype in inputs])


def _matrix_feed(name: str, dtype: Any) -> Feed:
    if dtype is np.float32:

        def single(rows: Sequence[Any]) -> dict[str, Any]:
            return {name: _as_single(matrix(rows, np.float64))}

        return single

    def plain(rows: Sequence[Any]) -> dict[str, Any]:
        return {name: matrix(rows, dtype)}

    return plain


def _columns_feed(columns: Sequence[tuple[str, int, Any]]) -> Feed:
    def feed(rows: Sequence[Any]) -> dict[str, Any]:
        count = len(rows)
        given: dict[str, Any] = {}
        if count == 1:
            [row] = rows
            for name, at, dtype in columns:
                value = np.empty((1, 1), dtype)
                value[0, 0] = row[at] if row[at] is not None else np.nan
                given[name] = value
        else:
            values = list(zip(*rows, strict=True))
            for name, at, dtype in columns:
                given[name] = np.array(values[at], dtype).reshape(count, 1)
        for name, _, dtype in columns:
            if dtype is np.float32:
                _require_finite(given[name])
        return given

    return feed


def _as_single(values: Any) -> Any:
    """float32, as scikit-learn's own cast; like there, what does not fit is refused and not made infinite."""
    with np.errstate(over="ignore"):
        cast = values.astype(np.float32)
    _require_finite(cast)
    return cast


def _require_finite(values: Any) -> None:
    if np.isinf(values).any():  # JSON has no infinity: it came from the cast
        raise ValueError("Input contains a value too large for dtype('float32').")


def _plain_predictions(outputs: Outputs) -> Callable[[Any], list[Any]]:
    """ONNX knows less than numpy: labels that are booleans or floats come as integers, single values as a column."""
    if outputs.width > 1:
        return lambda found: [tuple(row) for row in found.reshape(len(found), -1).tolist()]
    if outputs.labels is not None and outputs.kind in {"boolean", "number"}:
        known = {label: label for label in outputs.labels}  # 1 == True == 1.0 find each other
        return lambda found: [known[label] for label in found.reshape(-1).tolist()]
    return lambda found: found.reshape(-1).tolist()
