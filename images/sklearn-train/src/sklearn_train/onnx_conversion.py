"""Converts an estimator to ONNX and proves that it answers the same: on observed rows and beside its thresholds.

Inputs of model.onnx: one matrix ``X`` where all columns are numbers, else one input per column by its name, of shape
(rows, 1). Outputs: what predict gives, then, for classifiers that have them, the probabilities as a matrix.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_train.boundary_rows import Row, boundary_rows
from sklearn_train.golden import shuffled_rows
from taskkit.estimator_io import estimator_input, json_values
from taskkit.model_manifest import Onnx
from taskkit.model_signature import Signature

RELATIVE_TOLERANCE = 1e-5
"""A number may differ by this times max(1, |expected|)."""
_BOUNDARIES = 128
_NUMERIC = {"number", "integer", "boolean"}


class UnequalError(Exception):
    """The converted model answers differently. The message says how."""


@dataclass(frozen=True)
class _Expected:
    """What scikit-learn answers. ``strict``: rows whose label must be identical, all others lie within the tolerance of
    a border between two labels."""

    labels: Any
    """Plain values per row for classifiers and the like, None for regressors."""
    numbers: Any
    """Matrix of numbers, None without."""
    strict: Any


def convert(estimator: Any, signature: Signature, rows: Sequence[Row]) -> tuple[bytes, Onnx]:
    """(the converted model, how it was proved), or (b'', why not). ``rows`` are observed ones."""
    if reason := _unfit(signature, rows):
        return b"", Onnx("skipped", reason)
    checked = [*rows, *shuffled_rows(signature.columns, rows)]
    checked += boundary_rows(signature.columns, rows, lambda some: _table(estimator, signature, some), _BOUNDARIES)
    expected = _ask(estimator, signature, checked)
    reasons = []
    for name, inputs in _input_plans(signature, estimator):
        try:
            content, feed = inputs()
            difference = _difference(expected, content, feed(checked))
        except UnequalError as error:
            reasons.append(f"in {name} precision {error}")
        except Exception as error:  # noqa: BLE001 - converters and the runtime raise what they like
            reasons.append(_one_line(error))
        else:
            return content, Onnx("proved", "", len(checked), difference, RELATIVE_TOLERANCE)
    return b"", Onnx("skipped", "; ".join(dict.fromkeys(reasons)), len(checked), None, RELATIVE_TOLERANCE)


def _unfit(signature: Signature, rows: Sequence[Row]) -> str:
    for column in signature.columns:
        if column.kind == "datetime":
            return f"column '{column.name}' is a datetime, which ONNX does not have"
        if column.kind == "string" and column.nullable:
            return f"column '{column.name}' holds texts with missing ones, which ONNX can't tell from empty texts"
    return "" if rows else "no rows were seen to prove it on"


def _one_line(error: Exception) -> str:
    """An error that reads the same in every run: no addresses, no line breaks."""
    text = re.sub(
        r"\s*\bat 0x[0-9a-f]+|(?<![:/\w])/[\w./-]+/|\[ONNXRuntimeError\] : \d+ : \w+ : ",
        "",
        " ".join(str(error).split()),
    )
    return f"{type(error).__name__}: {text if len(text) <= 160 else text[:157] + '...'}"


def _ask(estimator: Any, signature: Signature, rows: Sequence[Row]) -> _Expected:
    """What scikit-learn answers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        built = estimator_input(signature, rows)
        predicted = np.asarray(estimator.predict(built)).reshape(len(rows), -1)
        numbers = np.asarray(estimator.predict_proba(built)) if signature.outputs.probabilities else None
        if signature.outputs.task == "regressor":
            return _Expected(None, predicted.astype(float), np.ones(len(rows), dtype=bool))
        tables = [numbers] if numbers is not None else _scores(estimator, built)
    strict = np.all([np.ones(len(rows), dtype=bool), *(_clear(table) for table in tables)], axis=0)
    return _Expected(json_values(predicted), numbers, strict)


def _scores(estimator: Any, built: Any) -> list[Any]:
    """Tables of scores, a line per row and a column per label, one table for each output."""
    if hasattr(estimator, "predict_proba"):
        return list(estimator.predict_proba(built))
    if not hasattr(estimator, "decision_function"):
        return []
    scores = np.asarray(estimator.decision_function(built), dtype=float)
    return [np.stack([scores, np.zeros_like(scores)], axis=1) if scores.ndim == 1 else scores]


def _clear(table: Any) -> Any:
    """Rows whose best label is ahead of the next by more than the tolerance."""
    if table.shape[1] < 2:
        return np.ones(len(table), dtype=bool)
    best = np.sort(table, axis=1)
    return best[:, -1] - best[:, -2] > RELATIVE_TOLERANCE * np.maximum(1.0, np.abs(best[:, -1]))


def _table(estimator: Any, signature: Signature, rows: Sequence[Row]) -> Any:
    """One line of comparable values per row, asked for many times: the probabilities alone where there are some."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        built = estimator_input(signature, rows)
        if signature.outputs.probabilities:
            return np.asarray(estimator.predict_proba(built))
        predicted = np.asarray(estimator.predict(built)).reshape(len(rows), -1)
    return predicted.astype(float) if signature.outputs.task == "regressor" else predicted.astype(str)


Feed = Callable[[Sequence[Row]], dict[str, Any]]
Plan = Callable[[], tuple[bytes, Feed]]


def _input_plans(signature: Signature, estimator: Any) -> list[tuple[str, Plan]]:
    """Ways to convert, the most exact first: doubles, floats; as one matrix, by columns."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    columns = signature.columns
    numeric = all(column.kind in _NUMERIC for column in columns)
    plans: list[tuple[str, Plan]] = []
    precisions = [("double", DoubleTensorType, np.float64), ("single", FloatTensorType, np.float32)]
    for name, kind, dtype in reversed(precisions) if _compares_floats(estimator) else precisions:

        def as_matrix(kind: Any = kind, dtype: Any = dtype) -> tuple[bytes, Feed]:
            content = _converted(estimator, [("X", kind([None, len(columns)]))])
            return content, lambda rows: {"X": np.asarray([[_nan(v) for v in row] for row in rows], dtype=dtype)}

        def by_columns(kind: Any = kind, dtype: Any = dtype) -> tuple[bytes, Feed]:
            content = _converted(estimator, [(c.name, _column_type(c.kind, kind)) for c in columns])
            return content, lambda rows: {c.name: _column_values(c.kind, [row[at] for row in rows], dtype)
                                          for at, c in enumerate(columns)}  # fmt: skip

        if numeric:
            plans.append((name, as_matrix))
        if signature.container == "dataframe" or not numeric:
            plans.append((name, by_columns))
    return plans


def _compares_floats(estimator: Any) -> bool:
    """Whether scikit-learn itself rounds the inputs to single precision, so that doubles are the less exact way."""
    from sklearn.ensemble._forest import BaseForest
    from sklearn.tree import BaseDecisionTree

    return isinstance(estimator, BaseForest | BaseDecisionTree)


def _nan(value: Any) -> Any:
    return np.nan if value is None else value


def _column_type(kind: str, number: Any) -> Any:
    from skl2onnx.common.data_types import BooleanTensorType, Int64TensorType, StringTensorType

    types = {"number": number, "integer": Int64TensorType, "boolean": BooleanTensorType, "string": StringTensorType}
    return types[kind]([None, 1])


def _column_values(kind: str, values: list[Any], dtype: Any) -> Any:
    dtypes = {"number": dtype, "integer": np.int64, "boolean": np.bool_, "string": np.object_}
    return np.asarray([_nan(value) for value in values], dtype=dtypes[kind]).reshape(-1, 1)


def _converted(estimator: Any, inputs: list[tuple[str, Any]]) -> bytes:
    import skl2onnx
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    from sklearn.svm import LinearSVC

    # The default locale en_US is seldom installed in images; C is everywhere, and what it lower-cases is proved.
    texts: dict[Any, Any] = {kind: {"locale": "C"} for kind in (CountVectorizer, TfidfVectorizer)}
    plain: dict[Any, Any] = {id(estimator): {"zipmap": False}} if hasattr(estimator, "classes_") else {}
    last = _last_step(estimator)
    if isinstance(last, LinearSVC):  # its converter knows no maps, and turns scores into chances unless told
        plain = {id(last): {"raw_scores": True}}
    # Version 3 of the machine learning operators is the newest that every converter of skl2onnx knows.
    opsets = {"": skl2onnx.get_latest_tested_opset_version(), "ai.onnx.ml": 3}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Without a name the graph would get a random one, and each run another file.
        model = skl2onnx.convert_sklearn(estimator, "model", inputs, options=texts | plain, target_opset=opsets)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _last_step(estimator: Any) -> Any:
    steps = getattr(estimator, "steps", None)
    return _last_step(steps[-1][1]) if steps else estimator


def _difference(expected: _Expected, content: bytes, feed: dict[str, Any]) -> float | None:
    """The largest relative difference of a number, None without numbers. Raises UnequalError."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    outputs = session.run(None, feed)
    if expected.labels is not None:
        found = json_values(np.asarray(outputs[0]).reshape(len(expected.labels), -1))
        wrong = [at for at, (one, other) in enumerate(zip(expected.labels, found, strict=True))
                 if expected.strict[at] and not _same_label(one, other)]  # fmt: skip
        if wrong:
            raise UnequalError(f"{len(wrong)} of {len(found)} rows get another label, for example "
                               f"{found[wrong[0]][0]!r} instead of {expected.labels[wrong[0]][0]!r}")  # fmt: skip
    if expected.numbers is None:
        return None
    numbers = np.asarray(outputs[0] if expected.labels is None else outputs[1], dtype=float)
    numbers = numbers.reshape(expected.numbers.shape)
    relative = np.abs(numbers - expected.numbers) / np.maximum(1.0, np.abs(expected.numbers))
    largest = float(np.max(relative, initial=0.0))
    if not largest <= RELATIVE_TOLERANCE:
        raise UnequalError(f"a number differs by {largest:.2g}, more than {RELATIVE_TOLERANCE:g}")
    return largest


def _same_label(one: Any, other: Any) -> bool:
    """ONNX has no booleans as labels: it gives 0 and 1."""
    return bool(one == other)
