"""Labels and probabilities of one call, for estimators whose predict and predict_proba compute the same scores.

Only for what the classes below are themselves: a subclass may do anything. Whether the answers stay the same is for
`prepared_engine` to prove.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Both = Callable[[Any], tuple[Any, Any]]
"""The estimator's input to labels and a matrix of probabilities."""

_BY_PROBABILITIES = {
    "sklearn.ensemble._forest": ("RandomForestClassifier", "ExtraTreesClassifier"),
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting": ("HistGradientBoostingClassifier",),
    "sklearn.ensemble._bagging": ("BaggingClassifier",),
}


def predicting_both(estimator: Any) -> Both | None:
    """None where each is better asked by itself."""
    kind, module = type(estimator).__name__, type(estimator).__module__
    if getattr(estimator, "n_outputs_", 1) != 1:
        return None
    if kind in _BY_PROBABILITIES.get(module, ()):
        return _by_probabilities(estimator)
    if (module, kind) == ("sklearn.linear_model._logistic", "LogisticRegression"):
        return _by_scores(estimator)
    return None


def _by_probabilities(estimator: Any) -> Both:
    def both(rows: Any) -> tuple[Any, Any]:
        chances = estimator.predict_proba(rows)
        return estimator.classes_.take(chances.argmax(axis=1), axis=0), chances

    return both


def _by_scores(estimator: Any) -> Both:
    """As predict and predict_proba of scikit-learn's LogisticRegression do it, from one decision_function."""
    from scipy.special import expit
    from sklearn.utils.extmath import softmax

    def both(rows: Any) -> tuple[Any, Any]:
        scores = estimator.decision_function(rows)
        if scores.ndim == 1:
            best, second = (scores > 0).astype(np.intp), expit(scores)
            chances = np.stack([1 - second, second], axis=1)
        else:
            best, chances = scores.argmax(axis=1), softmax(scores, copy=True)
        return estimator.classes_.take(best, axis=0), chances

    return both
