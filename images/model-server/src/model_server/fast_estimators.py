"""Estimators of scikit-learn made to answer single rows fast, without another answer.

What costs is not the arithmetic but the machinery around each call: forests start a pool of threads for a hundred
small trees, histogram boosting goes through OpenMP for every one, splines through scipy for every column. Only whole
instances are changed, never a class, and only what the classes below are themselves: a subclass may do anything.
Whether the answers stay the same is for `prepared_engine` to prove.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from model_server.fast_splines import fast_transform
from model_server.tree_ensemble import TreeSession, boosting_table

FORESTS = ("RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor")
_CHECKED_ROWS = 1000
_MISSING = 0.3
BOOSTINGS = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")


def quicken(estimator: Any) -> list[Callable[[], None]]:
    """Changes what can be changed within an estimator; gives functions that take the changes back."""
    undo: list[Callable[[], None]] = []
    for part in parts(estimator):
        kind, module = type(part).__name__, type(part).__module__
        if module == "sklearn.ensemble._forest" and kind in FORESTS and part.n_outputs_ == 1:
            undo += _quicken_forest(part)
        elif module == "sklearn.ensemble._hist_gradient_boosting.gradient_boosting" and kind in BOOSTINGS:
            undo += _quicken_boosting(part)
        elif module == "sklearn.preprocessing._polynomial" and kind == "SplineTransformer":
            undo += _quicken_splines(part)
    return undo


def parts(estimator: Any) -> Iterator[Any]:
    """What is asked one after the other: the steps of pipelines and column transformers, the best one of a search."""
    kind, module = type(estimator).__name__, type(estimator).__module__
    if module == "sklearn.pipeline" and kind == "Pipeline":
        for _, step in estimator.steps:
            yield from parts(step)
    elif module == "sklearn.compose._column_transformer" and kind == "ColumnTransformer":
        for _, transformer, _ in estimator.transformers_:
            yield from parts(transformer)
    elif module.startswith("sklearn.model_selection._search") and hasattr(estimator, "best_estimator_"):
        yield from parts(estimator.best_estimator_)
    else:
        yield estimator


def _quicken_forest(forest: Any) -> list[Callable[[], None]]:
    trees = [one.tree_ for one in forest.estimators_]
    count = len(trees)

    def average(X: Any) -> Any:  # noqa: N803
        rows = forest._validate_X_predict(X)  # noqa: SLF001  what its own predict does first
        total = trees[0].predict(rows)
        for tree in trees[1:]:
            total += tree.predict(rows)
        return total / count

    if hasattr(forest, "classes_"):

        def predict(X: Any) -> Any:  # noqa: N803
            return forest.classes_.take(np.argmax(average(X), axis=1), axis=0)

        forest.predict_proba = average
    else:

        def predict(X: Any) -> Any:  # noqa: N803
            return average(X)[:, 0]

    forest.predict = predict
    return [partial(_remove, forest, "predict", "predict_proba")]


def _quicken_boosting(boosting: Any) -> list[Callable[[], None]]:
    if getattr(boosting, "_preprocessor", None) is not None:
        return []
    table = boosting_table(boosting._predictors)  # noqa: SLF001
    if table is None:
        return []
    targets = boosting.n_trees_per_iteration_
    session = TreeSession(table, columns=boosting.n_features_in_, targets=targets)
    baseline = boosting._baseline_prediction  # noqa: SLF001

    def raw(X: Any, n_threads: int | None = None) -> Any:  # noqa: ARG001, N803
        rows = boosting._preprocess_X(X, reset=False)  # noqa: SLF001
        return session.sums(rows) + baseline

    rows = threshold_rows(boosting._predictors, boosting.n_features_in_)  # noqa: SLF001
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rows without names
        if not np.allclose(raw(rows), boosting._raw_predict(rows), rtol=1e-12, atol=1e-12):  # noqa: SLF001
            return []
    boosting._raw_predict = raw  # noqa: SLF001
    return [partial(_remove, boosting, "_raw_predict")]


def _quicken_splines(transformer: Any) -> list[Callable[[], None]]:
    fast = fast_transform(transformer)
    if fast is None:
        return []
    transformer.transform = fast
    return [partial(_remove, transformer, "transform")]


def threshold_rows(predictors: Sequence[Sequence[Any]], columns: int) -> Any:
    """Rows on the thresholds of the trees, just below, just above, and with missing values: where a tree that is
    written otherwise gives itself away."""
    nodes = np.concatenate([tree.nodes[tree.nodes["is_leaf"] == 0] for trees in predictors for tree in trees])
    random = np.random.default_rng(0)
    if not len(nodes):
        return random.normal(size=(8, columns))
    features, thresholds = nodes["feature_idx"], nodes["num_threshold"]
    rows = random.normal(size=(_CHECKED_ROWS, columns))
    for feature in np.unique(features):
        known = thresholds[features == feature]
        values = random.choice(known, _CHECKED_ROWS)
        side = random.integers(0, 4, _CHECKED_ROWS)
        rows[:, feature] = np.select(
            [side == 0, side == 1, side == 2], [np.nextafter(values, -np.inf), np.nextafter(values, np.inf), values],
            np.where(random.random(_CHECKED_ROWS) < _MISSING, np.nan, values + random.normal(size=_CHECKED_ROWS)),
        )  # fmt: skip
    return rows


def _remove(estimator: Any, *names: str) -> None:
    for name in names:
        vars(estimator).pop(name, None)
