"""Rows to answers. The rest of the server knows only this interface, so that another engine can take its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from taskkit.estimator_io import Row, estimator_input, json_values
from taskkit.model_signature import Label, Signature


class RefusedInputError(Exception):
    """The estimator does not take these rows: their values can't be converted, or it raised ValueError itself."""


class Answers(NamedTuple):
    """Plain values, one element per row; None for what was not asked for. Missing and non-finite numbers are None."""

    predictions: list[Any] | None
    probabilities: list[Any] | None


class Engine(Protocol):
    @property
    def name(self) -> str: ...

    def answer(self, rows: Sequence[Row], *, predictions: bool = True, probabilities: bool = True) -> Answers:
        """Answers for checked rows. Raises RefusedInputError."""
        ...


class EstimatorEngine:
    """The scikit-learn estimator itself, on the very container it was fitted with."""

    def __init__(self, estimator: Any, signature: Signature | None) -> None:
        import sklearn

        self.name = f"scikit-learn {sklearn.__version__}"
        self._estimator = estimator
        self._signature = signature
        self.labels = signature.outputs.labels if signature is not None else _own_labels(estimator)
        self.gives_probabilities = (
            signature.outputs.probabilities
            if signature is not None
            else self.labels is not None and hasattr(estimator, "predict_proba")
        )

    def answer(self, rows: Sequence[Row], *, predictions: bool = True, probabilities: bool = True) -> Answers:
        if self._signature is None:
            raise RuntimeError("the model has no signature, rows can't be built")
        try:
            built = estimator_input(self._signature, rows)
        except (ValueError, TypeError, OverflowError) as error:
            raise RefusedInputError(_one_line(error)) from error
        return self.answer_input(built, len(rows), predictions=predictions, probabilities=probabilities)

    def answer_input(self, built: Any, rows: int, *, predictions: bool = True, probabilities: bool = True) -> Answers:
        """Answers for an input that is already the estimator's own. Raises RefusedInputError."""
        try:
            found = Answers(
                json_values(self._estimator.predict(built)) if predictions else None,
                json_values(self._estimator.predict_proba(built))
                if probabilities and self.gives_probabilities
                else None,
            )
        except ValueError as error:
            raise RefusedInputError(_one_line(error)) from error
        for values in found:
            if values is not None and len(values) != rows:
                raise RuntimeError(f"the estimator gave {len(values)} answers for {rows} rows")
        return found


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _own_labels(estimator: Any) -> tuple[Label, ...] | None:
    """``classes_`` of a single-output classifier."""
    try:
        values = json_values(estimator.classes_)
    except (AttributeError, ValueError):  # no classifier; several outputs with classes of different numbers
        return None
    return tuple(values) if not any(isinstance(value, (tuple, list)) or value is None for value in values) else None
