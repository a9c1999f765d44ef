"""A short digest of an estimator's state: the same for what a script fitted and what was loaded from its file.

It looks at a bounded part only, so it says that two estimators are surely different or very probably the same.
"""

from __future__ import annotations

import hashlib
import sys
from itertools import islice
from typing import Any

_OBJECTS = 5_000
_ITEMS = 500
_BYTES = 1 << 14
_NODES = 64
_PLAIN = (type(None), bool, int, float, complex, str, bytes)
# Written by scikit-learn into the state it pickles.
_SKIPPED = {"_sklearn_version"}


def fingerprint(estimator: Any) -> str:
    """Hex digest."""
    walk = _Walk()
    walk.add(estimator)
    return walk.sha.hexdigest()


class _Walk:
    def __init__(self) -> None:
        self.sha = hashlib.sha256()
        self._left = _OBJECTS
        self._open: set[int] = set()

    def _put(self, text: str) -> None:
        self.sha.update(text.encode("utf-8", "surrogatepass") + b"\0")

    def add(self, value: Any) -> None:
        self._left -= 1
        if self._left < 0 or id(value) in self._open:
            return
        kind = type(value)
        self._put(f"{kind.__module__}.{kind.__qualname__}")
        if isinstance(value, _PLAIN):
            self._put(repr(value)[:_BYTES])
        elif isinstance(value, type) or hasattr(value, "__code__"):
            self._put(f"{value.__module__}.{value.__qualname__}")
        else:
            self._open.add(id(value))
            self._add_parts(value)
            self._open.discard(id(value))

    def _add_parts(self, value: Any) -> None:
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic)):
            self._add_array(value)
        elif isinstance(value, dict):
            self._put(str(len(value)))
            for key, item in islice(value.items(), _ITEMS):
                if not (isinstance(key, str) and key in _SKIPPED):
                    self.add(key)
                    self.add(item)
        elif isinstance(value, (list, tuple)):
            self._put(str(len(value)))
            for item in value[:_ITEMS]:
                self.add(item)
        elif hasattr(value, "__len__") and hasattr(value, "shape"):  # frames and sparse matrices
            self._put(str(value.shape))
        elif hasattr(value, "__dict__"):
            self.add(vars(value))
        elif isinstance(getattr(value, "node_count", None), int):  # a tree, which has no __dict__
            self._put(str(value.node_count))
            self._add_array(value.threshold[:_NODES])
            self._add_array(value.value[:_NODES])

    def _add_array(self, value: Any) -> None:
        self._put(f"{value.dtype} {value.shape}")
        if value.dtype.hasobject:
            for item in value.ravel()[:_ITEMS].tolist():
                self.add(item)
        else:
            flat = value.ravel(order="K")
            count = max(1, _BYTES // max(1, value.dtype.itemsize))
            self.sha.update(flat[:count].tobytes())
            self.sha.update(flat[-count:].tobytes())
