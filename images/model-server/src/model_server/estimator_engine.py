"""The scikit-learn estimator itself, on the very container it was fitted with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from model_server.engine import Answers, RefusedInputError, one_line
from taskkit.estimator_io import estimator_input, json_values
from taskkit.model_signature import Label, Signature


class EstimatorEngine:
    """Loads nothing itself. Without a signature it answers arrays."""

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

    def answer(self, rows: Sequence[Any], *, predictions: bool = True, probabilities: bool = True) -> Answers:
        try:
            built = self._input(rows)
        except (ValueError, TypeError, OverflowError) as error:
            raise RefusedInputError(one_line(error)) from error
        try:
            found = Answers(
                json_values(self._estimator.predict(built)) if predictions else None,
                json_values(self._estimator.predict_proba(built))
                if probabilities and self.gives_probabilities
                else None,
            )
        except ValueError as error:
            raise RefusedInputError(one_line(error)) from error
        for values in found:
            if values is not None and len(values) != len(rows):
                raise RuntimeError(f"the estimator gave {len(values)} answers for {len(rows)} rows")
        return found

    def _input(self, rows: Sequence[Any]) -> Any:
        if self._signature is not None:
            return estimator_input(self._signature, rows)
        import numpy as np

        return np.asarray(rows)


def _own_labels(estimator: Any) -> tuple[Label, ...] | None:
    """``classes_`` of a single-output classifier."""
    try:
        values = json_values(estimator.classes_)
    except (AttributeError, ValueError):  # no classifier; several outputs with classes of different numbers
        return None
    return tuple(values) if not any(isinstance(value, (tuple, list)) or value is None for value in values) else None
