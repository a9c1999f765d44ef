"""What counts as data in a pickle: values whose use while loading runs no method that the file could choose.

An estimator's attributes come from the file, so anything that looks one up on it (``state.pop(…)``, ``numpy.array(…)``,
a hash) would call what the file put there. Such objects may be held, never used, until everything is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from taskkit.pickles.names import AllowedNames, Name

_SCALARS = (type(None), bool, int, float, complex, str, bytes, bytearray)
_CONTAINERS = (list, tuple, set, frozenset)
PLAIN = (*_SCALARS, *_CONTAINERS, dict)

_PACKAGES = frozenset(
    {"_codecs", "builtins", "collections", "datetime", "decimal", "numpy", "pandas", "pyarrow", "re", "scipy"}
)
_EXTENSION_MODULES = frozenset(
    {
        "sklearn._loss._loss",
        "sklearn.ensemble._hist_gradient_boosting.predictor",
        "sklearn.linear_model._sgd_fast",
        "sklearn.metrics._dist_metrics",
        "sklearn.neighbors._ball_tree",
        "sklearn.neighbors._kd_tree",
        "sklearn.tree._tree",
    }
)
"""Of scikit-learn: arrays and numbers behind compiled code."""

_HASHED = frozenset(
    {
        *(Name("datetime", name) for name in ("date", "datetime", "time", "timedelta", "timezone")),
        *(Name("builtins", name) for name in ("bytes", "complex", "frozenset", "range")),
        *(Name("pandas", name) for name in ("Interval", "Period")),
        Name("_codecs", "encode"),
        Name("decimal", "Decimal"),
        Name("numpy", "dtype"),
        Name("numpy._core.multiarray", "scalar"),
        Name("pandas._libs.tslibs.nattype", "_nat_unpickle"),
        Name("pandas._libs.tslibs.timedeltas", "_timedelta_unpickle"),
        Name("pandas._libs.tslibs.timestamps", "_unpickle_timestamp"),
        Name("re", "_compile"),
    }
)
"""What makes scalars whose hash and equality depend on nothing but their own numbers and text."""


@dataclass(frozen=True)
class Known:
    """What a pickle machine knows of the values on its stack.

    ``name_of``: the name that a value stands for; ``made_by``: the name that an object of the file was made by.
    """

    name_of: Callable[[Any], Name | None]
    made_by: Callable[[Any], Name | None]
    allowed: AllowedNames


def is_data_kind(name: Name) -> bool:
    """Whether objects of a class (or of what a reconstructor makes) are data."""
    return name.module.partition(".")[0] in _PACKAGES or name.module in _EXTENSION_MODULES


def is_data(values: Iterable[Any], known: Known) -> bool:
    """Plain values, names, and objects of numpy, pandas and the like, however deep."""
    waiting, seen = list(values), set()
    while waiting:
        value = waiting.pop()
        kind = type(value)
        if kind in _SCALARS:
            continue
        if kind in _CONTAINERS or kind is dict:
            if id(value) not in seen:
                seen.add(id(value))
                waiting.extend(value if kind is not dict else (*value.keys(), *value.values()))
            continue
        if known.name_of(value) is None:
            maker = known.made_by(value)
            if maker is None or maker in known.allowed.project or not is_data_kind(maker):
                return False
    return True


def is_key(value: Any, known: Known) -> bool:
    """What may be hashed while loading; of the project's own classes everything."""
    if type(value) in (tuple, frozenset):
        return all(is_key(part, known) for part in value)
    if type(value) in _SCALARS or known.name_of(value) is not None:
        return True
    maker = known.made_by(value)
    return maker is not None and (maker in _HASHED or maker in known.allowed.project)
