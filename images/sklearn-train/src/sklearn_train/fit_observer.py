"""Watches the outermost ``fit`` of estimators in the process of the user's script, and writes at its end what it saw.

Outermost is meant in each thread: nothing says whether a fit that begins while another thread is fitting is a part of
that one (a forest's trees) or stands beside it (a pool of models), so it is kept, and marked.

Every class below scikit-learn's BaseEstimator gets its own fit methods wrapped when it is made. What the script can
notice of it is kept at nothing: the wrapper takes its frame out of tracebacks, warnings skip it, signatures and sources
are the original's, classes that cloudpickle writes by value are written with their original methods, no random state is
touched, and whatever goes wrong in here is written down instead of raised.

Imports the standard library only; what X is made of is already imported when there is an X.
"""

from __future__ import annotations

import atexit
import functools
import os
import pickle
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from types import FunctionType, ModuleType
from typing import Any, cast

METHODS = ("fit", "fit_transform", "fit_predict", "partial_fit")
# warnings.warn skips frames whose file name says that they belong to Python's import system, so that `stacklevel`
# counts as if the wrapper were not there (CPython, Lib/warnings.py, _is_internal_frame).
_UNSEEN_FILE = "<importlib._bootstrap, sklearn_train.fit_observer>"
# Beyond this many fits of one kind only those on more rows than before are looked at: a loop over thousands of small
# fits must stay as fast as it is. Not so the parts of a partial_fit, of which none can stand for the others.
_MANY_FITS = 200
_SAMPLES_KEPT = 8
_RECORDS_KEPT = 500
_STATES_KEPT = 20


@dataclass
class FitRecord:
    """The estimator of an outermost fit of a thread, or the ``best_estimator_`` of a search, and what it was fitted on.

    ``seen`` is an ``observation.Seen``. ``overlapping``: the fit began while another thread was fitting.
    ``fingerprints``: of the state after the fit, of each that was taken to be saved, of the one at the end of the
    process. ``saved``: its state was taken, to be pickled or copied. ``parts``: how often partial_fit was called.
    """

    class_name: str
    seen: Any
    overlapping: bool = False
    fingerprints: list[str] = field(default_factory=list)
    saved: bool = False
    parts: int = 0

    def note_state(self, estimator: Any) -> None:
        from sklearn_train.fingerprint import fingerprint

        digest = fingerprint(estimator)
        if digest not in self.fingerprints:
            self.fingerprints = [*self.fingerprints[-_STATES_KEPT + 1 :], digest]


@dataclass(frozen=True)
class _Kept:
    """``estimator``: a weak reference, so that the script's memory is what it would be; ``place``: its ``id``."""

    record: FitRecord
    estimator: weakref.ref[Any]
    place: int


class FitObserver:
    def __init__(self, target: str) -> None:
        self._target = target
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._thread = threading.local()
        self._fitting = 0
        """Threads that are in a fit."""
        self._kept: list[_Kept] = []
        self._places: dict[int, _Kept] = {}
        """The latest of ``_kept`` by the place of its estimator, which another object may have by now."""
        self._counts: dict[tuple[Any, ...], tuple[int, int]] = {}
        self._problem = ""

    def begin(self, estimator: Any, arguments: Sequence[Any], named: dict[str, Any], method: str) -> FitRecord | None:
        """None where there is nothing to observe: an inner fit, another process, a kind that was seen often."""
        if self._looks_away():
            return None
        self._thread.fitting = True
        with self._lock:
            overlapping = self._fitting > 0
            self._fitting += 1
        try:
            from sklearn_train.observation import look, quick_look

            given = arguments[0] if arguments else named.get("X", next(iter(named.values()), None))
            class_name = name_of_class(type(estimator))
            if method == "partial_fit":
                if (former := self._of(estimator)) is None:
                    return FitRecord(class_name, look(given), overlapping, parts=1)
                seen = former.record.seen.widened(given)
                return FitRecord(class_name, seen, overlapping, parts=former.record.parts + 1)
            kind, rows = quick_look(given)
            with self._lock:
                count, most = self._counts.get((class_name, kind), (0, -1))
                self._counts[class_name, kind] = count + 1, max(most, rows)
            if count < _MANY_FITS or rows > most:
                return FitRecord(class_name, look(given), overlapping)
        except Exception as error:  # noqa: BLE001 - the script must not notice
            self._note(error)
        return FitRecord("", None)

    def end(self, estimator: Any, record: FitRecord | None, *, failed: bool) -> None:
        """After the method: keeps the record, with the state that the estimator was left in."""
        if record is None:
            return
        self._thread.fitting = False
        with self._lock:
            self._fitting -= 1
        if failed or record.seen is None:
            return
        try:
            self._keep(estimator, record)
            best = getattr(estimator, "best_estimator_", None)
            if best is not None:
                self._keep(best, FitRecord(name_of_class(type(best)), record.seen, record.overlapping))
        except Exception as error:  # noqa: BLE001
            self._note(error)

    def state_taken(self, estimator: Any) -> None:
        """Before a state is pickled: often the last time that an object that was changed after its fit is met."""
        kept = self._of(estimator)
        if kept is None or self._looks_away():
            return
        try:
            kept.record.saved = True
            kept.record.note_state(estimator)
        except Exception as error:  # noqa: BLE001
            self._note(error)

    def _looks_away(self) -> bool:
        """Within a fit of this thread, and in a process that was forked."""
        return getattr(self._thread, "fitting", False) or os.getpid() != self._process

    def _of(self, estimator: Any) -> _Kept | None:
        kept = self._places.get(id(estimator))
        return kept if kept is not None and kept.estimator() is estimator else None

    def _keep(self, estimator: Any, record: FitRecord) -> None:
        """Keeps the record in place of the estimator's former one."""
        if record.parts <= _MANY_FITS:  # later, the state is noted when it is pickled, or at the end
            record.note_state(estimator)
        new = _Kept(record, weakref.ref(estimator), id(estimator))
        with self._lock:
            former = self._of(estimator)
            self._kept = [*(kept for kept in self._kept if kept is not former), new]
            for old in self._kept[:-_RECORDS_KEPT]:
                if self._places.get(old.place) is old:
                    del self._places[old.place]
            del self._kept[:-_RECORDS_KEPT]
            self._places[new.place] = new
            # Overlapping ones apart, since a search may fit hundreds of parts in its threads.
            alike = (kept.record.seen for kept in self._kept if kept.record.overlapping == record.overlapping)
            sampled = {id(seen): seen for seen in alike if seen.sample is not None}
            for seen in list(sampled.values())[:-_SAMPLES_KEPT]:
                seen.sample = None

    def _note(self, error: Exception) -> None:
        self._problem = f"observing failed: {type(error).__name__}: {error}"

    def write(self) -> None:
        """At the end of the process: all records, and which modules came from where."""
        if os.getpid() != self._process:
            return
        self._note_last_states()
        modules = {name: str(file) for name, module in list(sys.modules.items())
                   if (file := getattr(module, "__file__", None))}  # fmt: skip
        document = {"fits": [kept.record for kept in self._kept], "problem": self._problem, "modules": modules,
                    "path": [entry for entry in sys.path if isinstance(entry, str)]}  # fmt: skip
        try:
            with open(f"{self._target}.new", "wb") as stream:
                pickle.dump(document, stream)
            os.replace(f"{self._target}.new", self._target)
        except Exception as error:  # noqa: BLE001
            print(f"sklearn-train: warning: what was fitted could not be written down ({error})", file=sys.stderr)

    def _note_last_states(self) -> None:
        """Of what is alive still, for forms of saving that take no state from ``__getstate__``."""
        for kept in self._kept:
            estimator = kept.estimator()
            if estimator is not None:
                try:
                    kept.record.note_state(estimator)
                except Exception as error:  # noqa: BLE001
                    self._note(error)


def name_of_class(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def start(target: str) -> None:
    """Observes this process from now on; writes to the file ``target`` at its end."""
    observer = FitObserver(target)
    atexit.register(observer.write)
    actions: dict[str, Callable[[ModuleType], None]] = {
        "sklearn.base": functools.partial(_watch_estimators, observer=observer),
        "cloudpickle.cloudpickle": _pickle_original_methods,
        "joblib.externals.cloudpickle.cloudpickle": _pickle_original_methods,
    }
    sys.meta_path.insert(0, _AfterImport(actions))


class _AfterImport:
    """A finder that finds nothing itself, but acts on a few modules right after they were run."""

    def __init__(self, actions: dict[str, Callable[[ModuleType], None]]) -> None:
        self._actions = actions

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        action = self._actions.pop(name, None)
        if action is None:
            return None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(name, path, target)):
                self._act_after(spec, action)
                return spec
        return None

    @staticmethod
    def _act_after(spec: ModuleSpec, action: Callable[[ModuleType], None]) -> None:
        loader: Any = spec.loader
        run = loader.exec_module

        def run_and_act(module: ModuleType) -> None:
            del loader.exec_module
            run(module)
            action(module)

        loader.exec_module = run_and_act


def _watch_estimators(module: ModuleType, observer: FitObserver) -> None:
    base: Any = getattr(module, "BaseEstimator", None)
    if base is None:
        return
    original = base.__init_subclass__.__func__

    def init_subclass(cls: type, **named: Any) -> None:
        original(cls, **named)
        _wrap_methods(cls, observer)

    functools.update_wrapper(init_subclass, original)
    base.__init_subclass__ = classmethod(init_subclass)  # type: ignore[arg-type]
    getstate = vars(base).get("__getstate__")
    if isinstance(getstate, FunctionType):
        base.__getstate__ = _state_wrapper(getstate, observer)


def _wrap_methods(cls: type, observer: FitObserver) -> None:
    for name in METHODS:
        method: Any = cls.__dict__.get(name)
        if isinstance(method, FunctionType):
            setattr(cls, name, _wrapper(method, observer))
        elif isinstance(getattr(method, "fn", None), FunctionType):
            method.fn = _wrapper(method.fn, observer)  # scikit-learn's available_if


def _wrapper(method: FunctionType, observer: FitObserver) -> FunctionType:
    name = method.__name__

    def observed(estimator: Any, /, *arguments: Any, **named: Any) -> Any:
        record = observer.begin(estimator, arguments, named, name)
        try:
            result = method(estimator, *arguments, **named)
        except BaseException as error:
            observer.end(estimator, record, failed=True)
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
            raise
        observer.end(estimator, record, failed=False)
        return result

    return _in_place_of(method, observed)


def _state_wrapper(method: FunctionType, observer: FitObserver) -> FunctionType:
    def observed(estimator: Any, /) -> Any:
        observer.state_taken(estimator)
        try:
            return method(estimator)
        except BaseException as error:
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
            raise

    return _in_place_of(method, observed)


def _in_place_of(method: FunctionType, observed: Any) -> FunctionType:
    functools.update_wrapper(observed, method)
    observed.__code__ = observed.__code__.replace(co_filename=_UNSEEN_FILE)
    observed.__observed_method__ = method
    return cast("FunctionType", observed)


def _pickle_original_methods(module: ModuleType) -> None:
    """A class that is pickled by value must not carry the wrappers, which mean nothing where it is loaded."""
    members: Any = getattr(module, "_extract_class_dict", None)
    if members is None:
        return

    @functools.wraps(members)
    def original_members(cls: type) -> dict[str, Any]:
        return {name: getattr(member, "__observed_method__", member) for name, member in members(cls).items()}

    module._extract_class_dict = original_members  # type: ignore[attr-defined] # noqa: SLF001
