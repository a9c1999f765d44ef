"""The signature of a loaded model: which of the observed fits it comes from, its columns, and what it gives."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, Literal, cast

from sklearn_train.fingerprint import fingerprint
from sklearn_train.fit_observer import FitRecord, name_of_class
from sklearn_train.observation import CATEGORIES_LIMIT, FREQUENT, Seen, SeenColumn
from taskkit.estimator_io import estimator_input, json_value
from taskkit.model_signature import Column, Container, Kind, Outputs, Signature, TaskKind

Source = Literal["fit", "input-example", "feature_names_in_"]


def matching_fit(estimator: Any, records: Sequence[FitRecord]) -> tuple[FitRecord | None, str]:
    """(the fit that an estimator comes from, '') or (None, the reason).

    It is the latest that the very same state is known of, rather one that no other thread's fit overlapped. An unknown
    state is taken for that of a fit of its class on as many columns where all of these saw the same data.
    """
    digest, name = fingerprint(estimator), name_of_class(type(estimator))
    latest = [record for overlapping in (False, True) for record in reversed(records)
              if record.overlapping == overlapping]  # fmt: skip
    exact = next((record for record in latest if digest in record.fingerprints), None)
    if exact is not None:
        return exact, ""
    alike = [record for record in latest if record.class_name == name and _fits(estimator, record.seen)]
    alike = [record for record in alike if record.saved] or alike
    if not alike:
        return None, "no fit of this estimator was seen in the script's process"
    if all(_same_data(record.seen, alike[0].seen) for record in alike):
        return alike[0], ""
    return None, (f"{len(alike)} fits of a {name.rpartition('.')[2]} were seen, on different data, and the saved one "
                  "is in a state that none of them was seen in")  # fmt: skip


def _same_data(one: Seen, other: Seen) -> bool:
    """Whether a signature would say the same of both."""
    return (one.container, one.rows, one.problem, signature_columns(one)) == (
        other.container, other.rows, other.problem, signature_columns(other)
    )  # fmt: skip


def _fits(estimator: Any, seen: Seen) -> bool:
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None and seen.container == "dataframe":
        return [str(name) for name in names] == [column.name for column in seen.columns]
    count = getattr(estimator, "n_features_in_", None)
    return count is None or not seen.columns or seen.container == "series" or count == len(seen.columns)


def signature_columns(seen: Seen) -> tuple[Column, ...]:
    return tuple(_column(column) for column in seen.columns)


def _column(seen: SeenColumn) -> Column:
    categories = seen.categories
    if categories is None and seen.counts is not None:
        few = 0 < len(seen.counts) <= CATEGORIES_LIMIT
        categories = tuple(sorted(seen.counts)) if few and min(seen.counts.values()) >= FREQUENT else None
    return Column(
        name=seen.name, dtype=seen.dtype, kind=cast("Kind", seen.kind), nullable=seen.nullable,
        minimum=seen.minimum, maximum=seen.maximum, categories=categories,
    )  # fmt: skip


def task_of(estimator: Any) -> TaskKind:
    from sklearn.base import is_classifier, is_clusterer, is_outlier_detector, is_regressor

    tests: tuple[tuple[Any, TaskKind], ...] = (
        (is_outlier_detector, "outlier_detector"), (is_classifier, "classifier"), (is_regressor, "regressor"),
        (is_clusterer, "clusterer"),
    )  # fmt: skip
    for test, kind in tests:
        try:
            if test(estimator):
                return kind
        except (AttributeError, TypeError):  # no scikit-learn tags
            continue
    return "other"


def example_rows(sample: Any, container: str) -> list[tuple[Any, ...]]:
    """Rows of an observed sample as plain JSON values; missing ones are None."""
    if container == "dataframe":
        columns = [[_cell(value) for value in sample.iloc[:, at].tolist()] for at in range(sample.shape[1])]
        return list(zip(*columns, strict=True))
    if container in ("series", "array-1d"):
        return [(_cell(value),) for value in sample.tolist()]
    rows = sample if container == "list" else sample.tolist()
    return [tuple(_cell(value) for value in row) if isinstance(row, (list, tuple)) else (_cell(row),) for row in rows]


def _cell(value: Any) -> Any:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return json_value(value)


def build_signature(
    estimator: Any, seen: Seen, rows: Sequence[Sequence[Any]], source: Source
) -> tuple[Signature | None, str]:
    """(signature, '') proved by predicting a few rows that were rebuilt from JSON values, or (None, the reason)."""
    columns = signature_columns(seen)
    bare = Signature(cast("Container", seen.container), source, columns, Outputs("other", "object", "string", 1),
                     seen.rows if source == "fit" else None)  # fmt: skip
    few = list(rows[:8])
    if not few:
        return None, "no rows were seen"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outputs = _outputs(estimator, estimator_input(bare, few), len(few))
    except Exception as error:  # noqa: BLE001 - whatever an estimator raises
        text = " ".join(str(error).split())[:300]
        return None, f"predicting rows rebuilt from JSON values failed: {type(error).__name__}: {text}"
    return Signature(bare.container, source, columns, outputs, bare.rows), ""


def _outputs(estimator: Any, rows: Any, count: int) -> Outputs:
    import numpy as np

    answer = np.asarray(estimator.predict(rows))
    if answer.ndim == 0 or len(answer) != count:
        raise ValueError(f"predict gave shape {answer.shape} for {count} rows")
    width = int(np.prod(answer.shape[1:], dtype=int)) if answer.ndim > 1 else 1
    probabilities = _gives_probabilities(estimator, rows, count)
    classes = getattr(estimator, "classes_", None)
    single = task_of(estimator) == "classifier" and width == 1 and isinstance(classes, np.ndarray) and classes.ndim == 1
    labels = tuple(json_value(value) for value in cast("Any", classes).tolist()) if single else None
    return Outputs(task_of(estimator), str(answer.dtype), _kind_of_answers(answer), width, labels, probabilities)


def _gives_probabilities(estimator: Any, rows: Any, count: int) -> bool:
    """One table of probabilities; estimators with several outputs give a list of tables, which no protocol here has."""
    import numpy as np

    if not hasattr(estimator, "predict_proba"):
        return False
    table = estimator.predict_proba(rows)
    return isinstance(table, np.ndarray) and table.ndim == 2 and len(table) == count and table.dtype.kind == "f"


def _kind_of_answers(answer: Any) -> Kind:
    kinds: dict[str, Kind] = {"f": "number", "i": "integer", "u": "integer", "b": "boolean", "M": "datetime"}
    if answer.dtype.kind in kinds:
        return kinds[answer.dtype.kind]
    types = {type(value) for value in answer.ravel().tolist()}
    if types and types <= {bool}:
        return "boolean"
    if types and types <= {int}:
        return "integer"
    return "number" if types and types <= {int, float} else "string"
