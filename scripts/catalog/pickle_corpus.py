"""What people save: fitted estimators of every kind, and the values that their parameters and fitted states hold.

Only real objects of the locked packages, made as users make them. The allowed list of taskkit.pickles is what it takes
to load these, so whoever misses a name there adds an object here.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import functools
import importlib
import inspect
import pkgutil
import re
import unittest
import warnings
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
import scipy.special
import sklearn
from sklearn.exceptions import SkipTestWarning
from sklearn.utils import Bunch, all_estimators
from sklearn.utils._test_common.instance_generator import _construct_instances
from sklearn.utils.estimator_checks import _enforce_estimator_tags_X, _enforce_estimator_tags_y


def fitted_estimators() -> Iterator[tuple[str, Any]]:
    """(name, fitted estimator) for every one of all_estimators() that fits a toy set."""
    for name, kind in all_estimators():
        instances: list[Any] = []
        with warnings.catch_warnings(), contextlib.suppress(unittest.SkipTest):  # those are among the variants
            warnings.simplefilter("ignore", SkipTestWarning)
            instances = list(_construct_instances(kind))
        for instance in instances:
            fitted = _fitted(instance)
            if fitted is not None:
                yield name, fitted
    yield from _variants()


def _fitted(estimator: Any) -> Any:
    generator = np.random.RandomState(0)
    centers = np.array([[0.0, 0, 0, 1], [4, 4, 0, 2], [0, 4, 4, 3]])
    rows = np.abs(np.vstack([center + generator.rand(20, 4) for center in centers]))
    labels = np.repeat([0, 1, 2], 20)
    texts = ["a b c", "b c d", "c d e"] * 20
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tags = estimator.__sklearn_tags__()
        inputs: list[Any] = [_enforce_estimator_tags_X(estimator, rows)]
        inputs += [rows, rows.astype(int), texts, [{"a": 1, "b": text} for text in texts], rows[:, 0], rows @ rows.T]
        target = _enforce_estimator_tags_y(estimator, labels)
        targets: list[Any] = [target, (labels > 0).astype(int), np.column_stack([target, target]), rows[:, :2], None]
        if tags.target_tags.required and not tags.target_tags.multi_output:
            targets.pop(2)
        for given in inputs:
            for wanted in targets:
                try:
                    return sklearn.clone(estimator).fit(given, wanted)
                except Exception:  # noqa: BLE001, S112 - the next kind of data may fit
                    continue
    return None


def _variants() -> Iterator[tuple[str, Any]]:
    """Fitted states that depend on parameters: losses, kernels, metrics, searches, frames."""
    from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor, HistGradientBoostingRegressor
    from sklearn.feature_selection import SelectKBest, f_regression, mutual_info_classif
    from sklearn.frozen import FrozenEstimator
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, SGDClassifier, SGDRegressor
    from sklearn.metrics import get_scorer, get_scorer_names, make_scorer, mean_absolute_error
    from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, StratifiedKFold
    from sklearn.neighbors import KDTree, KNeighborsClassifier
    from sklearn.pipeline import FeatureUnion, make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder
    from sklearn.tree import DecisionTreeRegressor

    generator = np.random.RandomState(1)
    rows, labels, numbers = generator.rand(60, 3) + 0.1, np.repeat([0, 1, 2], 20), generator.rand(60) + 0.1
    frame = pd.DataFrame(
        {
            "n": rows[:, 0],
            "i": labels,
            "s": [f"v{at % 3}" for at in range(60)],
            "c": pd.Categorical(["x", "y"] * 30),
            "m": pd.Series([1.0, None] * 30),
        }
    )
    for loss in ("log_loss", "hinge", "modified_huber", "squared_hinge", "perceptron", "squared_error", "huber"):
        yield "SGDClassifier", SGDClassifier(loss=loss).fit(rows, labels)
    for loss in ("squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive"):
        yield "SGDRegressor", SGDRegressor(loss=loss).fit(rows, numbers)
    for loss in ("squared_error", "absolute_error", "gamma", "poisson", "quantile"):
        yield "Hist", HistGradientBoostingRegressor(loss=loss, quantile=0.5, max_iter=2).fit(rows, numbers)
    for loss in ("squared_error", "absolute_error", "huber", "quantile"):
        yield "GradientBoosting", GradientBoostingRegressor(loss=loss, n_estimators=2).fit(rows, numbers)
    yield "exponential", GradientBoostingClassifier(loss="exponential", n_estimators=2).fit(rows, labels > 0)
    for criterion in ("squared_error", "friedman_mse", "absolute_error", "poisson"):
        yield "tree", DecisionTreeRegressor(criterion=criterion).fit(rows, numbers)
    for kernel in _kernels():
        yield "gaussian process", GaussianProcessRegressor(kernel, optimizer=None, alpha=10.0).fit(rows, numbers)
    for algorithm in ("ball_tree", "kd_tree", "brute"):
        for metric in ("euclidean", "manhattan", "chebyshev", "minkowski"):
            yield "neighbors", KNeighborsClassifier(algorithm=algorithm, metric=metric).fit(rows, labels)
            yield "neighbors", KNeighborsClassifier(algorithm=algorithm, metric=metric).fit(rows.astype("f4"), labels)
    yield "tree", KDTree(rows)
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    mixed = ColumnTransformer(
        [
            ("one", make_pipeline(SimpleImputer(strategy="most_frequent"), encoder), ["s", "c"]),
            ("two", StandardScaler(), make_column_selector(dtype_include="number")),
            ("three", OrdinalEncoder(), make_column_selector(pattern="s")),
            ("four", TargetEncoder(cv=3), ["s"]),
        ],
        remainder="passthrough",
        sparse_threshold=0,
    )
    mixed.set_output(transform="pandas")
    yield (
        "mixed",
        make_pipeline(mixed, FunctionTransformer(np.log1p, np.expm1), SimpleImputer(), LogisticRegression()).fit(
            frame, labels
        ),
    )
    search = {"criterion": ["squared_error"], "max_depth": range(1, 3), "min_samples_leaf": np.arange(1, 3)}
    scoring = {"a": "r2", "b": make_scorer(mean_absolute_error, greater_is_better=False)}
    yield "grid", GridSearchCV(DecisionTreeRegressor(), search, scoring=scoring, refit="a", cv=3).fit(rows, numbers)
    yield "grid", RandomizedSearchCV(DecisionTreeRegressor(), search, n_iter=2, cv=StratifiedKFold(2)).fit(rows, labels)
    yield (
        "target",
        TransformedTargetRegressor(DecisionTreeRegressor(), func=np.log1p, inverse_func=np.expm1).fit(rows, numbers),
    )
    union = FeatureUnion(
        [("a", SelectKBest(f_regression, k=1)), ("b", SelectKBest(functools.partial(mutual_info_classif), k=1))]
    )
    yield "union", make_pipeline(union, LogisticRegression()).fit(rows, labels)
    yield "frozen", FrozenEstimator(LogisticRegression().fit(rows, labels))
    yield "bunch", Bunch(a=1)
    for scorer in get_scorer_names():
        yield "scorer", get_scorer(scorer)


def _kernels() -> Iterator[Any]:
    from sklearn.gaussian_process import kernels as k

    base = k.RBF()
    yield from (
        base,
        k.Matern(),
        k.RationalQuadratic(),
        k.ExpSineSquared(),
        k.DotProduct(),
        k.PairwiseKernel(metric="rbf"),
    )
    yield from (base + k.WhiteKernel(), base * k.ConstantKernel(), base**2)


def values() -> Iterator[tuple[str, Any]]:
    """What lies in parameters and fitted states besides estimators."""
    yield from (("plain", value) for value in _plain_values())
    yield from (("numpy", value) for value in _numpy_values())
    yield from (("pandas", value) for value in _pandas_values())
    for format_ in ("csr", "csc", "coo", "bsr", "lil", "dok", "dia"):
        yield "scipy", scipy.sparse.random(4, 4, 0.5, format=format_)
        yield "scipy", scipy.sparse.random_array((4, 4), density=0.5, format=format_)
    from scipy.interpolate import BSpline, make_interp_spline

    yield "scipy", make_interp_spline(np.arange(5.0), np.arange(5.0))
    yield "scipy", BSpline(np.arange(8.0), np.arange(4.0), 3)


def _plain_values() -> Iterator[Any]:
    counts: defaultdict[str, int] = defaultdict(int, a=1)
    yield from (
        counts,
        OrderedDict(a=1),
        Counter("ab"),
        deque([1], maxlen=2),
        {1, 2},
        frozenset({1}),
        1j,
        slice(1, 2),
        range(3),
    )
    yield from (bytearray(b"a"), b"a", int, float, str, bool, object, complex, bytes, list, dict, tuple, set, frozenset)
    day = dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    yield from (day, day.date(), day.time(), dt.timedelta(1), dt.timezone(dt.timedelta(hours=1)))
    yield from (decimal.Decimal("1.5"), re.compile("a"), functools.partial(np.log1p))


def _numpy_values() -> Iterator[Any]:
    codes = [
        "?",
        "b",
        "h",
        "i",
        "l",
        "q",
        "B",
        "H",
        "I",
        "L",
        "Q",
        "e",
        "f",
        "d",
        "g",
        "F",
        "D",
        "U3",
        "S3",
        "M8[ns]",
        "m8[D]",
    ]
    for code in codes:
        array = np.zeros(3, dtype=code)
        yield from (
            array,
            np.asfortranarray(np.zeros((2, 2), dtype=code)),
            array[0],
            array.dtype,
            array.dtype.type,
            type(array.dtype),
        )
    yield from (np.array([None, "a"], dtype=object), np.zeros((0, 2)))
    records = np.zeros(2, dtype=[("a", "i4"), ("b", "f8", (2,))])
    yield from (records, records[0], records.view(np.recarray), records.view(np.recarray)[0])
    yield from (np.array(["a", None], dtype=np.dtypes.StringDType(na_object=None)), np.zeros(2, dtype=">f8"))
    yield from (np.ma.masked_array([1, 2], [False, True]), np.ma.masked, np.matrix([1]), np.ndarray)
    yield from (np.random.RandomState(0), np.random.mtrand._rand, np.random.SeedSequence(1))  # noqa: SLF001
    for bits in (np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64):
        yield from (np.random.Generator(bits(0)), bits(0), bits)
    yield from (getattr(np, name) for name in dir(np) if isinstance(getattr(np, name), np.ufunc))
    yield from (
        getattr(scipy.special, name)
        for name in dir(scipy.special)
        if isinstance(getattr(scipy.special, name), np.ufunc)
    )
    yield from (
        np.mean,
        np.median,
        np.sum,
        np.std,
        np.var,
        np.max,
        np.min,
        np.nanmean,
        np.nanmedian,
        np.nan_to_num,
        np.ravel,
    )
    yield from (np.squeeze, np.clip, np.round)


def _pandas_values() -> Iterator[Any]:
    frame = pd.DataFrame(
        {
            "f": [1.5, None],
            "i": [1, 2],
            "b": [True, False],
            "s": ["a", None],
            "o": pd.Series([1, "a"], dtype=object),
            "c": pd.Categorical(["x", None]),
            "d": pd.to_datetime(["2024-01-02", None]),
            "t": pd.to_timedelta([1, 2], "s"),
            "z": pd.to_datetime(["2024-01-02", None], utc=True),
            "p": pd.period_range("2024-01", periods=2, freq="M"),
            "v": pd.interval_range(0, 2),
            "I": pd.array([1, None], dtype="Int64"),
            "F": pd.array([1, None], dtype="Float64"),
            "B": pd.array([True, None], dtype="boolean"),
            "S": pd.array(["a", None], dtype="string"),
            "sp": pd.arrays.SparseArray([0, 1]),
            "py": pd.array(["a", None], dtype=pd.StringDtype("python")),
        }
    )
    yield frame
    for name in frame:
        yield from (frame[name], frame[name].dtype, frame[name].array, pd.Index(frame[name]))
    yield from (frame.set_index(["i", "c"]), pd.RangeIndex(3), pd.date_range("2024", periods=3), frame.columns)
    yield from (pd.Timestamp("2024-01-02"), pd.Timestamp("2024-01-02", tz="UTC"), pd.Timedelta(1, "s"), pd.NA, pd.NaT)
    yield from (
        pd.Period("2024-01"),
        pd.Interval(0, 1),
        pd.CategoricalDtype(["a"], ordered=True),
        pd.DataFrame,
        pd.Series,
    )
    for frequency in (
        "D",
        "h",
        "min",
        "s",
        "ms",
        "us",
        "ns",
        "B",
        "W",
        "ME",
        "MS",
        "QE",
        "QS",
        "YE",
        "YS",
        "BME",
        "BMS",
        "SME",
    ):
        yield pd.date_range("2024", periods=3, freq=frequency)
    for bits in ("8", "16", "32", "64"):
        yield from (pd.array([1], dtype=f"Int{bits}"), pd.array([1], dtype=f"UInt{bits}"))


_NOT_FITTED = re.compile(
    r"\b(tests?|conftest|externals|datasets|_testing|_test_common|estimator_checks|_plot|plot|_repr_html|_build_utils|"
    r"experimental|_pprint|_mocking|_array_api|callback)\b|_distributor_init|\._?estimator_html_repr"
)


def sklearn_classes() -> Iterator[type]:
    """Classes that scikit-learn itself defines and that estimators hold, whether the toy sets make them or not."""
    from sklearn.base import BaseEstimator
    from sklearn.gaussian_process.kernels import Kernel
    from sklearn.metrics._dist_metrics import DistanceMetric
    from sklearn.model_selection import BaseCrossValidator, BaseShuffleSplit

    kinds = (BaseEstimator, Kernel, DistanceMetric, BaseCrossValidator, BaseShuffleSplit)
    states = re.compile(r"sklearn\.(_loss|linear_model\._sgd_fast|linear_model\._glm)\b")
    for module in sklearn_modules():
        for kind in vars(module).values():
            if not inspect.isclass(kind) or kind.__module__ != module.__name__ or issubclass(kind, Exception):
                continue
            if issubclass(kind, kinds) or states.match(module.__name__):
                yield kind


def sklearn_functions() -> Iterator[Any]:
    """Functions that scikit-learn defines and that people pass as a value: metrics, kernels, scores of features."""
    import sklearn.feature_selection
    import sklearn.metrics
    import sklearn.metrics.pairwise

    for package in (sklearn.metrics, sklearn.metrics.pairwise):
        for name in dir(package):
            found = getattr(package, name)
            if not inspect.isfunction(found) or not found.__module__.startswith("sklearn.metrics"):
                continue
            if not re.match(r"_|check_|get_|make_|distance_metrics|kernel_metrics", name):
                yield found
    for name in (
        "chi2",
        "f_classif",
        "f_oneway",
        "f_regression",
        "mutual_info_classif",
        "mutual_info_regression",
        "r_regression",
    ):
        yield getattr(sklearn.feature_selection, name)


def sklearn_modules() -> Iterator[Any]:
    for info in pkgutil.walk_packages(sklearn.__path__, "sklearn."):
        if _NOT_FITTED.search(info.name):
            continue
        try:
            yield importlib.import_module(info.name)
        except ImportError:  # optional dependencies
            continue
