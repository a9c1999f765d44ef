"""Loads a saved model, tells its format by its content, and records what loading imported."""

from __future__ import annotations

import mmap
import pickle
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from taskkit.errors import TaskError

Format = Literal["pickle", "joblib", "cloudpickle", "skops"]

# First bytes of what joblib opens as compressed: zlib (its levels), gzip, bz2, lzma, xz, lz4.
_COMPRESSED = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda", b"\x1f\x8b", b"BZ", b"\x5d\x00", b"\xfd7zXZ",
               b"\x04\x22\x4d\x18")  # fmt: skip


@dataclass
class LoadedModel:
    """``names``: (module, name) of every global that the file asked for, in order, each once."""

    estimator: Any
    format: Format
    names: list[tuple[str, str]] = field(default_factory=list)


class _ScriptClassError(Exception):
    """The file asks for something that lives in the script that was run."""


class _ScriptModule(ModuleType):
    """Stands for ``__main__``, which is not the script any more."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise _ScriptClassError(name)


def load_model(file: Path, shown: str, script: str) -> LoadedModel:
    """``shown`` and ``script`` are names for messages. Raises TaskError with what to change in the script."""
    names: dict[tuple[str, str], None] = {}
    kept = sys.modules["__main__"]
    sys.modules["__main__"] = _ScriptModule("__main__")
    try:
        kind = _kind_of_file(file)
        with _recorded(names):
            estimator = _load(file, kind, names)
    except _ScriptClassError as error:
        raise _script_class(error.args[0], shown, script) from error
    except TaskError:
        raise
    except Exception as error:
        raise _unloadable(error, shown) from error
    finally:
        sys.modules["__main__"] = kept
    if kind == "pickle" and any(module.partition(".")[0] == "cloudpickle" for module, _ in names):
        kind = "cloudpickle"
    return LoadedModel(estimator, kind, list(names))


def _kind_of_file(file: Path) -> Format:
    with file.open("rb") as stream:
        start = stream.read(8)
        if start.startswith(_COMPRESSED):
            return "joblib"
        if start.startswith(b"PK"):
            return "skops"
        if not start:
            raise EOFError("it is empty")
        # joblib writes arrays between the opcodes and names this class before each.
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return "joblib" if content.find(b"joblib.numpy_pickle") >= 0 else "pickle"


def _load(file: Path, kind: Format, names: dict[tuple[str, str], None]) -> Any:
    if kind == "skops":
        return _load_skops(file, names)
    if kind == "joblib":
        import joblib

        return joblib.load(file)
    with file.open("rb") as stream:
        return _RecordingUnpickler(stream, names).load()


class _RecordingUnpickler(pickle.Unpickler):
    def __init__(self, stream: Any, names: dict[tuple[str, str], None]) -> None:
        super().__init__(stream)
        self._names = names

    def find_class(self, module: str, name: str) -> Any:
        self._names[module, name] = None
        return super().find_class(module, name)


@contextmanager
def _recorded(names: dict[tuple[str, str], None]) -> Iterator[None]:
    """joblib's unpickler, which is made where nobody can pass another one, records the names too."""
    from joblib.numpy_pickle import NumpyUnpickler

    original = NumpyUnpickler.find_class

    def find_class(self: Any, module: str, name: str) -> Any:
        names[module, name] = None
        return original(self, module, name)

    NumpyUnpickler.find_class = find_class
    try:
        yield
    finally:
        NumpyUnpickler.find_class = original


def _load_skops(file: Path, names: dict[tuple[str, str], None]) -> Any:
    """The file comes from the script that just ran, so its types are trusted here; build and server decide anew."""
    if not zipfile.is_zipfile(file) or "schema.json" not in zipfile.ZipFile(file).namelist():
        raise TaskError(f"{file.name} is a zip archive, but not one that skops wrote", "save the estimator with "
                        "pickle, joblib, cloudpickle or skops")  # fmt: skip
    import skops.io

    untrusted = skops.io.get_untrusted_types(file=file)
    for dotted in untrusted:
        module, _, name = dotted.rpartition(".")
        names[module, name] = None
    return skops.io.load(file, trusted=untrusted)


def _script_class(name: str, shown: str, script: str) -> TaskError:
    stem = name.partition(".")[0]
    return TaskError(
        f"{shown} needs '{stem}', which is defined in the script {script} itself (__main__), so no server can load it",
        f"move '{stem}' to a module of its own beside the script and import it from there",
    )


def _unloadable(error: Exception, shown: str) -> TaskError:
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, ModuleNotFoundError):
        return TaskError(f"{shown} can't be loaded in a fresh process: no module named '{error.name}'",
                         "add the package that holds it to requirements, or the module to the project")  # fmt: skip
    if isinstance(error, FileNotFoundError):
        return TaskError(f"{shown} can't be loaded in a fresh process ({text})",
                         "name the files that its code reads in include")  # fmt: skip
    if isinstance(error, (EOFError, pickle.UnpicklingError, ValueError, KeyError, IndexError, zipfile.BadZipFile)):
        return TaskError(f"{shown} can't be read as a model ({text})",
                         "the file is cut short or no model; save the estimator with pickle, joblib, cloudpickle or "
                         "skops, and close the file")  # fmt: skip
    return TaskError(f"{shown} can't be loaded in a fresh process ({text})",
                     "loading must work without the script; see --debug for the traceback")  # fmt: skip
