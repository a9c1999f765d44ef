"""Pickles walked without importing, calling or allocating anything that they ask for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from struct import unpack
from typing import Any, ClassVar

from taskkit.errors import TaskError
from taskkit.model_manifest import ModelManifest
from taskkit.pickles import skops_archive
from taskkit.pickles.machine import ARRAY_WRAPPER, Machine
from taskkit.pickles.names import AllowedNames, Name, locked_names
from taskkit.pickles.project_names import with_project
from taskkit.pickles.streams import MalformedPickleError, PickleStream, open_file, pickle_stream

_DTYPE = Name("numpy", "dtype")
_GIVES_BYTES = (Name("_codecs", "encode"), Name("builtins", "bytearray"), Name("builtins", "bytes"))
_GROWING = {
    "append": {Name("collections", "deque")},
    "setitem": {
        *(Name("collections", name) for name in ("Counter", "OrderedDict", "defaultdict")),
        Name("builtins", "dict"),
        Name("sklearn.utils._bunch", "Bunch"),
    },
    "add": set[Name](),
}
"""What grows by opcodes besides lists, dictionaries and sets themselves."""
_HELD = 1 << 16
"""Longer byte strings are skipped, not held."""


@dataclass(frozen=True)
class Problem:
    """Something against the rules. ``what`` is a clause: 'names os.system'."""

    what: str
    where: str


@dataclass(frozen=True)
class Inspection:
    """Every name in the file with its place (a byte, or an entry of an archive), in order, and what is not allowed."""

    names: tuple[tuple[Name, str], ...]
    problems: tuple[Problem, ...]


class _Made:
    """An object that the file would make. Takes items, entries and states like one."""

    __slots__ = ("arguments", "by", "state")

    def __init__(self, by: Name | None, arguments: tuple[Any, ...] = ()) -> None:
        self.by = by
        self.arguments = arguments
        self.state: Any = None

    def append(self, _: Any) -> None: ...
    def extend(self, _: Any) -> None: ...
    def __setitem__(self, _: Any, __: Any) -> None: ...


class _Inspector(Machine):
    dispatch: ClassVar[dict[int, Callable[..., None]]] = dict(Machine.dispatch)

    def __init__(self, stream: PickleStream, allowed: AllowedNames, nesting: int = 0) -> None:
        super().__init__(stream, allowed, nesting)
        self.seen: list[tuple[Name, str]] = []
        self.problems: list[Problem] = []

    def saw(self, name: Name, at: int) -> None:
        self.seen.append((name, f"byte {at}"))

    def refuse(self, what: str, at: int) -> None:
        self.problems.append(Problem(what, f"byte {at}"))

    def resolve(self, name: Name) -> Name:
        return name

    def name_of(self, value: Any) -> Name | None:
        return value if type(value) is Name else None

    def call(self, callee: Any, arguments: tuple[Any, ...]) -> Any:
        if self.name_of(callee) in _GIVES_BYTES:
            return b""
        return self.instantiate(callee, arguments, {})

    def instantiate(self, made: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> _Made:  # noqa: ARG002
        by = self.name_of(made)
        return _Made(by, arguments if by == _DTYPE else ())

    def set_state(self, instance: Any, state: Any) -> None:
        if isinstance(instance, _Made) and instance.by in (_DTYPE, ARRAY_WRAPPER):
            instance.state = state

    def is_array_wrapper(self, instance: Any) -> bool:
        return isinstance(instance, _Made) and instance.by == ARRAY_WRAPPER

    def grows_by(self, container: Any, method: str) -> bool:
        kind, made_by = {"append": list, "setitem": dict, "add": set}[method], self.made_by(container)
        return type(container) is kind or made_by in _GROWING[method] or made_by in self.allowed.project

    def read_array(self, wrapper: _Made) -> Any:
        state = wrapper.state
        if type(state) is not dict:
            raise MalformedPickleError("has an array without a description")
        size, objects = _item(state.get("dtype"))
        if objects:
            nested = _Inspector(self.stream, self.allowed, self.nesting + 1)
            nested.seen, nested.problems = self.seen, self.problems
            return nested.run()
        if state.get("numpy_array_alignment_bytes") is not None:
            self.stream.skip(self.stream.read(1)[0])
        self.stream.skip(size * _count(state.get("shape")))
        return _Made(None)

    def load_binbytes(self) -> None:
        self._bytes(unpack("<I", self.read(4))[0])

    def load_binbytes8(self) -> None:
        self._bytes(unpack("<Q", self.read(8))[0])

    def load_bytearray8(self) -> None:
        self._bytes(unpack("<Q", self.read(8))[0])

    def _bytes(self, size: int) -> None:
        if size <= _HELD:
            self.append(bytes(self.read(size)))
            return
        while size:
            size -= len(self.read(min(size, 1 << 20)))
        self.append(b"")


for _opcode, _method in (
    (b"B", _Inspector.load_binbytes),
    (b"\x8e", _Inspector.load_binbytes8),
    (b"\x96", _Inspector.load_bytearray8),
):
    _Inspector.dispatch[_opcode[0]] = _method


def _count(shape: Any) -> int:
    if type(shape) is not tuple:
        raise MalformedPickleError("has an array whose shape is no tuple")
    count = 1
    for length in shape:
        if type(length) is not int or length < 0:
            raise MalformedPickleError("has an array whose shape is not made of numbers")
        count *= length
    return count


def _item(dtype: Any) -> tuple[int, bool]:
    """(bytes per item, whether it holds objects) of an inert ``numpy.dtype(...)``."""
    code = dtype.arguments[0] if isinstance(dtype, _Made) and dtype.by == _DTYPE and dtype.arguments else None
    match = re.fullmatch(r"([biufcSUVOmM?])(\d+)", code) if type(code) is str else None
    if match is None:
        raise MalformedPickleError(f"has an array of the unknown type {code!r}")
    if match[1] == "O":
        return 8, True
    if match[1] == "V" and _holds_objects(dtype.state):
        raise MalformedPickleError("has an array of records that hold objects")
    return int(match[2]) * (4 if match[1] == "U" else 1), False


def _holds_objects(state: Any) -> bool:
    if isinstance(state, _Made):
        return (
            state.by != _DTYPE
            or not state.arguments
            or str(state.arguments[0]).startswith("O")
            or _holds_objects(state.state)
        )
    if isinstance(state, dict):
        return any(_holds_objects(value) for value in state.values())
    return isinstance(state, (tuple, list)) and any(_holds_objects(value) for value in state)


def inspect(path: Path, allowed: AllowedNames | None = None) -> Inspection:
    """Walks a pickle, joblib, cloudpickle or skops file. Raises TaskError where it is none, or can't be read."""
    allowed = locked_names() if allowed is None else allowed
    with open_file(path) as source:
        if skops_archive.is_archive(source):
            names, problems = skops_archive.inspect(source, str(path), allowed)
            return Inspection(names, tuple(Problem(*problem) for problem in problems))
        inspector = _Inspector(pickle_stream(source, path.stat().st_size), allowed)
        try:
            inspector.run()
        except MalformedPickleError as error:
            if not inspector.problems:  # what was against the rules came first and may be why the rest makes no sense
                raise malformed(path, error) from error
    return Inspection(tuple(inspector.seen), tuple(inspector.problems))


def check(
    path: Path, manifest: ModelManifest, code_directory: Path, wheels_directory: Path | None = None
) -> Inspection:
    """Inspects a model file; its project's names are allowed, too. Raises TaskError for the first thing not allowed."""
    found = inspect(path, with_project(locked_names(), manifest, code_directory, wheels_directory))
    if found.problems:
        first = found.problems[0]
        raise refusal(path, first.what, first.where)
    return found


def refusal(path: Path, what: str, where: str) -> TaskError:
    """The error for something that is not allowed, with the remedy that fits."""
    if "cloudpickle" in what or "__main__" in what:
        remedy = (
            "classes and functions must lie in a module of the project, not in the script; move them and train again"
        )
    elif "dotted name" in what:
        remedy = "move nested classes to the top of their module and train again"
    elif "scipy.stats" in what:
        remedy = (
            "distributions run code from their state when they are loaded; save the search's best_estimator_ instead"
        )
    else:
        remedy = "no estimator needs it; save only the fitted estimator, and train again"
    return TaskError(f"{path} {what} at {where}, which is not allowed in a model", remedy)


def malformed(path: Path, error: MalformedPickleError) -> TaskError:
    return TaskError(f"{path} {error}", "it is damaged or no saved model; train again")
