"""What an estimator takes and what it gives: the signature in model.json."""

from __future__ import annotations

from typing import Literal

import msgspec

Container = Literal["dataframe", "series", "array-1d", "array-2d", "list"]
Kind = Literal["number", "integer", "boolean", "string", "datetime"]
TaskKind = Literal["classifier", "regressor", "clusterer", "outlier_detector", "other"]
Label = bool | int | float | str


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input column. ``name`` is as fitted; columns of arrays without names are ``x0``, ``x1``, … in order."""

    name: str
    dtype: str
    """The dtype that the estimator was fitted with, as pandas or numpy writes it, for example ``float64``."""
    kind: Kind
    """How a value travels in JSON: number (float), integer, boolean, string, or datetime (ISO 8601 string)."""
    nullable: bool
    """Whether missing values were seen in fitting; null in JSON."""
    minimum: float | int | str | None = None
    maximum: float | int | str | None = None
    """Range seen in fitting, for numbers, integers and datetimes."""
    categories: tuple[Label, ...] | None = None
    """All values seen in fitting, sorted, where they are few and each is frequent; else None."""


class Outputs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``predict`` gives, and ``predict_proba`` where there is one."""

    task: TaskKind
    dtype: str
    """dtype of what predict returns, as numpy writes it."""
    kind: Kind
    width: int
    """Values per row that predict returns: 1, or the number of outputs of a multi-output estimator."""
    labels: tuple[Label, ...] | None = None
    """``classes_`` of a single-output classifier, in order; the columns of ``predict_proba``."""
    probabilities: bool = False


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``container`` is what ``fit`` was given as X and what server and golden replay rebuild exactly."""

    container: Container
    source: Literal["fit", "input-example", "feature_names_in_"]
    columns: tuple[Column, ...]
    outputs: Outputs
    rows: int | None = None
    """Rows seen in fitting."""


class GoldenRows(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """golden.json: rows in column order with what the estimator answered; replayed wherever the model is loaded."""

    source: Literal["shuffled", "rows", "example"]
    """shuffled: each observed column shuffled by itself, and rows that were in the sample drawn again."""
    rows: tuple[tuple[Label | None, ...], ...]
    predictions: tuple[Label | tuple[Label, ...], ...]
    probabilities: tuple[tuple[float, ...], ...] | None = None
    relative_tolerance: float = 1e-6
    """Labels must be equal; numbers may differ by this times max(1, |expected|)."""
