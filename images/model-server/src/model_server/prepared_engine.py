"""The estimator of scikit-learn with everything prepared that can be: fast instances, no data frame where an array says
the same, the transformers of a pipeline asked once for predictions and probabilities.

Every preparation is proved before it is used: the prepared engine must answer as the untouched one does, on the golden
rows and on rows mixed from them and from the ranges of training, together and each row alone.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from model_server.engine import Answers, Engine
from model_server.estimator_engine import Build, EstimatorEngine
from model_server.fast_estimators import quicken
from model_server.golden_replay import replay, replay_one_by_one
from model_server.matrices import matrix
from taskkit.estimator_io import Row
from taskkit.model_signature import Column, GoldenRows, Label, Signature

MIXED_ROWS = 200
_PLAIN_FLOATS = ("float64", "float32")


def prepared_engine(plain: EstimatorEngine, estimator: Any, signature: Signature, golden: GoldenRows) -> Engine:
    """The fastest engine that proved itself; ``plain`` where none did."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = [*golden.rows, *mixed_rows(signature.columns, golden.rows)]
        try:
            expected = plain.answer(rows)
        except Exception:  # noqa: BLE001  a mix may be what the model refuses; the golden rows are not
            rows = list(golden.rows)
            expected = plain.answer(rows)
        wanted = _as_golden(rows, expected, golden.relative_tolerance)
        undo = [*quicken(estimator), *_without_names(estimator)]
        for build in (_array_of(signature), None):
            if build is None and undo:
                _take_back(undo)
                undo = quicken(estimator)  # a data frame has names again
            engine = EstimatorEngine(estimator, signature, build=build, split=True)
            if not replay(engine, wanted) and not replay_one_by_one(engine, _first(wanted, len(golden.rows))):
                return engine
        _take_back(undo)
    return plain


def mixed_rows(columns: Sequence[Column], rows: Sequence[Row]) -> list[Row]:
    """Rows whose every value was seen: in a golden row, or between the least and the greatest of training."""
    chosen = random.Random(0)  # noqa: S311  any rows will do, the same each time
    return [tuple(_value(column, [row[at] for row in rows], chosen) for at, column in enumerate(columns))
            for _ in range(MIXED_ROWS)]  # fmt: skip


def _value(column: Column, seen: Sequence[Label | None], chosen: random.Random) -> Label | None:
    least, most = column.minimum, column.maximum
    if column.kind == "number" and isinstance(least, (int, float)) and isinstance(most, (int, float)):
        return chosen.choice([chosen.uniform(least, most), chosen.choice(seen)])
    return chosen.choice(seen)


def _as_golden(rows: Sequence[Row], answers: Answers, tolerance: float) -> GoldenRows:
    chances = answers.probabilities
    return GoldenRows("rows", tuple(map(tuple, rows)), tuple(answers.predictions or ()),
                      tuple(map(tuple, chances)) if chances is not None else None, tolerance)  # fmt: skip


def _first(golden: GoldenRows, count: int) -> GoldenRows:
    chances = golden.probabilities
    return msgspec.structs.replace(golden, rows=golden.rows[:count], predictions=golden.predictions[:count],
                                   probabilities=chances[:count] if chances is not None else None)  # fmt: skip


def _array_of(signature: Signature) -> Build | None:
    """A data frame of floats of one kind is an array to nearly every estimator, and takes a hundred times as long."""
    dtypes = {column.dtype for column in signature.columns}
    if signature.container != "dataframe" or len(dtypes) != 1 or not dtypes <= set(_PLAIN_FLOATS):
        return None
    import numpy as np

    dtype = np.dtype(next(iter(dtypes)))
    return lambda rows: matrix(rows, dtype)


def _without_names(estimator: Any) -> list[Callable[[], None]]:
    """Whoever gets the rows first forgets the names of the columns: else it warns about their absence each time."""
    undo: list[Callable[[], None]] = []
    while estimator is not None:
        kept = vars(estimator).pop("feature_names_in_", None)
        if kept is not None:
            undo.append(partial(setattr, estimator, "feature_names_in_", kept))
        steps = getattr(estimator, "steps", None)
        estimator = steps[0][1] if steps else getattr(estimator, "best_estimator_", None)
        estimator = None if isinstance(estimator, str) else estimator
    return undo


def _take_back(undo: Sequence[Callable[[], None]]) -> None:
    for change in undo:
        change()
