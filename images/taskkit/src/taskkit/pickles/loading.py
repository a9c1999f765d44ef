"""The restricted unpickler: loads an estimator by the rules of `taskkit.pickles.machine`."""

from __future__ import annotations

import importlib
import inspect
import math
import sys
import warnings
from collections import deque
from contextlib import nullcontext
from pathlib import Path
from types import MemberDescriptorType
from typing import Any, NoReturn

from taskkit.errors import TaskError
from taskkit.model_manifest import ModelManifest
from taskkit.pickles import effects, skops_archive
from taskkit.pickles.inspection import malformed, refusal
from taskkit.pickles.machine import ARRAY_WRAPPER, Machine
from taskkit.pickles.names import AllowedNames, Name, locked_names
from taskkit.pickles.project_names import with_project
from taskkit.pickles.streams import MalformedPickleError, PickleStream, open_file, pickle_stream


class _RefusedError(Exception):
    def __init__(self, what: str, at: int) -> None:
        super().__init__(what)
        self.what = what
        self.at = at


class _CallFailedError(Exception):
    """What an allowed callable raised."""


class _ArrayWrapper:
    """Stands for joblib's NumpyArrayWrapper, whose own way to read object arrays has no rules."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}


class RestrictedUnpickler(Machine):
    """Makes the object that a stream describes, by the rules. ``run`` returns it."""

    def __init__(self, stream: PickleStream, allowed: AllowedNames, nesting: int = 0) -> None:
        super().__init__(stream, allowed, nesting)
        self._names: dict[int, Name] = {}

    def resolve(self, name: Name) -> Any:
        if name == ARRAY_WRAPPER:
            value: Any = _ArrayWrapper
        else:
            try:
                value = getattr(importlib.import_module(name.module), name.name)
            except (ImportError, AttributeError) as error:
                raise _CallFailedError(f"names {name}, which is not there ({error})") from error
        self._kept[id(value)] = value
        self._names[id(value)] = name
        return value

    def name_of(self, value: Any) -> Name | None:
        return self._names.get(id(value))

    def refuse(self, what: str, at: int) -> NoReturn:
        raise _RefusedError(what, at)

    def call(self, callee: Any, arguments: tuple[Any, ...]) -> Any:
        return self._guarded(callee, callee, arguments, {})

    def instantiate(self, made: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        if not isinstance(made, type):
            self.refuse(f"makes an object of {self.name_of(made)}, which is no class", self.position() - 1)
        return self._guarded(made, made.__new__, (made, *arguments), keywords)

    def _guarded(self, named: Any, function: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        name = self.name_of(named)
        return self._run(str(name), name in self.allowed.project, function, *arguments, **keywords)

    def _run(self, shown: str, own: bool, function: Any, *arguments: Any, **keywords: Any) -> Any:
        """Calls a reconstructor; the project's own may do what they like, others reach nothing beyond memory."""
        try:
            with nullcontext() if own else effects.stopped():
                return function(*arguments, **keywords)
        except effects.EffectError as error:
            self.refuse(f"calls {shown}, which {error.what}", self.position() - 1)
        except Exception as error:
            raise _CallFailedError(f"can't be loaded: {shown} raised {type(error).__name__}: {error}") from error

    def set_state(self, instance: Any, state: Any) -> None:
        if type(instance) is _ArrayWrapper:
            instance.state = state
            return
        # By the class, not by the object: a state that was set before may hold anything under that name.
        kind = type(instance)
        method = getattr(kind, "__setstate__", None)
        own = self.made_by(instance) in self.allowed.project
        if method is not None:
            self._run(f"{kind.__module__}.{kind.__qualname__}", own, method, instance, state)
            return
        slots = None
        if type(state) is tuple and len(state) == 2:
            state, slots = state
        if state:
            vars(instance).update({sys.intern(key) if type(key) is str else key: value for key, value in state.items()})
        for key, value in (slots or {}).items():
            if type(inspect.getattr_static(kind, key, None)) is not MemberDescriptorType:
                self.refuse(f"sets the attribute {key!r}", self.position() - 1)
            setattr(instance, key, value)

    def is_array_wrapper(self, instance: Any) -> bool:
        return type(instance) is _ArrayWrapper

    def grows_by(self, container: Any, method: str) -> bool:
        kinds = {"append": (list, deque), "setitem": (dict,), "add": (set,)}[method]
        own = self.made_by(container) in self.allowed.project
        return isinstance(container, kinds) if own or method == "setitem" else type(container) in kinds

    def read_array(self, wrapper: _ArrayWrapper) -> Any:
        """As joblib.numpy_pickle.NumpyArrayWrapper.read_array does, with the rules for object arrays."""
        import numpy as np

        state = wrapper.state
        dtype, shape = state["dtype"], tuple(int(length) for length in state["shape"])
        if not isinstance(dtype, np.dtype):
            raise MalformedPickleError("has an array without a type")
        if dtype.hasobject:
            if dtype != np.dtype("O"):
                raise MalformedPickleError("has an array of records that hold objects")
            array = RestrictedUnpickler(self.stream, self.allowed, self.nesting + 1).run()
        else:
            if state.get("numpy_array_alignment_bytes") is not None:
                self.stream.skip(self.stream.read(1)[0])
            array = self._numbers(dtype, math.prod(shape))
            array = array.reshape(shape[::-1]).transpose() if state["order"] == "F" else array.reshape(shape)
        if not array.dtype.isnative:
            array = array.byteswap().view(array.dtype.newbyteorder("="))
        return array

    def _numbers(self, dtype: Any, count: int) -> Any:
        import numpy as np

        array = np.empty(count, dtype=dtype)
        step = max(1, (1 << 20) // max(1, dtype.itemsize))
        for start in range(0, count, step):
            length = min(step, count - start)
            array[start : start + length] = np.frombuffer(self.stream.read(length * dtype.itemsize), dtype=dtype)
        return array


def load(
    path: Path,
    manifest: ModelManifest,
    code_directory: Path,
    wheels_directory: Path | None = None,
    allowed: AllowedNames | None = None,
) -> Any:
    """The estimator in a pickle, joblib, cloudpickle or skops file (told by content).

    Names allowed: the generated list, and of the project what ``manifest`` lists and ``code_directory`` (or a wheel in
    ``wheels_directory``, by default ``wheels`` beside it) defines. ``code_directory`` goes to the front of ``sys.path``
    unless it is on it; what the wheels hold must be importable already. ``allowed`` replaces the generated list.

    Raises TaskError that names the file, the name and the byte where something is not allowed, or what raised.
    """
    allowed = with_project(allowed or locked_names(), manifest, code_directory, wheels_directory)
    if allowed.project and str(code_directory) not in sys.path:
        sys.path.insert(0, str(code_directory))
    with open_file(path) as source:
        if skops_archive.is_archive(source):
            return skops_archive.load(source, path, allowed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                return RestrictedUnpickler(pickle_stream(source, path.stat().st_size), allowed).run()
        except _RefusedError as error:
            raise refusal(path, error.what, f"byte {error.at}") from error
        except _CallFailedError as error:
            raise TaskError(f"{path} {error}", "it was saved with other versions or is damaged; train again") from error
        except MalformedPickleError as error:
            raise malformed(path, error) from error
