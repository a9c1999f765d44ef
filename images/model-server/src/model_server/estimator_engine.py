"""The scikit-learn estimator itself, on the very container it was fitted with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from model_server.both_answers import predicting_both
from model_server.engine import Answers, RefusedInputError, one_line
from taskkit.estimator_io import estimator_input, json_values
from taskkit.model_signature import Label, Signature

Build = Callable[[Sequence[Any]], Any]


class EstimatorEngine:
    """Without a signature it answers arrays. ``build`` makes the estimator's input of rows, if not in the plain way.
    ``split``: the transformers of a pipeline are asked once for predictions and probabilities, and so is who computes
    both of the same scores."""

    def __init__(
        self, estimator: Any, signature: Signature | None, *, build: Build | None = None, split: bool = False
    ) -> None:
        import sklearn

        self.name = f"scikit-learn {sklearn.__version__}"
        self._signature = signature
        self._build = build or self._plain_input
        self._transformers, self._estimator = _split(estimator) if split else ((), estimator)
        self._both = predicting_both(self._estimator) if split else None
        self.labels = signature.outputs.labels if signature is not None else _own_labels(estimator)
        self.gives_probabilities = (
            signature.outputs.probabilities
            if signature is not None
            else self.labels is not None and hasattr(estimator, "predict_proba")
        )

    def answer(self, rows: Sequence[Any], *, predictions: bool = True, probabilities: bool = True) -> Answers:
        try:
            built = self._build(rows)
        except (ValueError, TypeError, OverflowError) as error:
            raise RefusedInputError(one_line(error)) from error
        probabilities = probabilities and self.gives_probabilities
        try:
            for transformer in self._transformers:
                built = transformer.transform(built)
            if probabilities and predictions and self._both is not None:
                found = Answers(*map(json_values, self._both(built)))
            else:
                found = Answers(
                    json_values(self._estimator.predict(built)) if predictions else None,
                    json_values(self._estimator.predict_proba(built)) if probabilities else None,
                )
        except ValueError as error:
            raise RefusedInputError(one_line(error)) from error
        for values in found:
            if values is not None and len(values) != len(rows):
                raise RuntimeError(f"the estimator gave {len(values)} answers for {len(rows)} rows")
        return found

    def _plain_input(self, rows: Sequence[Any]) -> Any:
        if self._signature is not None:
            return estimator_input(self._signature, rows.tolist() if hasattr(rows, "tolist") else rows)
        import numpy as np

        return np.asarray(rows)


def _split(estimator: Any) -> tuple[tuple[Any, ...], Any]:
    """Transformers, and who predicts in the end, as a pipeline's own predict would ask them one after the other."""
    kind, module = type(estimator).__name__, type(estimator).__module__
    if module.startswith("sklearn.model_selection._search") and hasattr(estimator, "best_estimator_"):
        return _split(estimator.best_estimator_)
    if module != "sklearn.pipeline" or kind != "Pipeline":
        return (), estimator
    steps = [step for _, step in estimator.steps]
    before, last = _split(steps[-1])
    return (*(step for step in steps[:-1] if step is not None and step != "passthrough"), *before), last


def _own_labels(estimator: Any) -> tuple[Label, ...] | None:
    """``classes_`` of a single-output classifier."""
    try:
        values = json_values(estimator.classes_)
    except (AttributeError, ValueError):  # no classifier; several outputs with classes of different numbers
        return None
    return tuple(values) if not any(isinstance(value, (tuple, list)) or value is None for value in values) else None
