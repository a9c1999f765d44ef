"""Finds what the script wrote: its model and its metrics, and nothing that lay there before."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from taskkit.confined_paths import confined
from taskkit.errors import TaskError
from taskkit.model_directory import is_model_directory
from taskkit.model_manifest import MANIFEST

_MODEL_SUFFIXES = {".pkl", ".pickle", ".joblib", ".skops", ".sav", ".cloudpickle"}
_PACKED_SUFFIXES = {".gz", ".xz", ".bz2", ".z", ".lzma", ".lz4"}
_METRICS_WORDS = ("metric", "score", "evaluation", "result")
_SKIPPED_FOLDERS = {"__pycache__", "node_modules", "site-packages"}

Content = tuple[int, int]
"""Size in bytes and modification time in nanoseconds: what stays the same when a file is moved, linked or copied with
its times, or gets another mode or owner."""


@dataclass(frozen=True)
class Found:
    """``name``: how the script named it, relative to the folder it was told or to the workspace."""

    file: Path
    name: str


@dataclass(frozen=True)
class _Kind:
    """What is looked for, and what to tell the user where it is not there."""

    what: str
    option: str
    usual_name: str
    matches: Callable[[str], bool]
    remedy: str


def _is_model_name(name: str) -> bool:
    suffixes = Path(name.lower()).suffixes
    if suffixes and suffixes[-1] in _PACKED_SUFFIXES:
        suffixes.pop()
    return bool(suffixes) and suffixes[-1] in _MODEL_SUFFIXES


def _is_metrics_name(name: str) -> bool:
    lower = name.lower()
    return lower.endswith(".json") and any(word in lower for word in _METRICS_WORDS)


MODEL_FILE = _Kind(
    "model", "model-file", "model.pkl", _is_model_name,
    "let it save the fitted estimator to the path in {model}, or name the file it writes in model-file",
)  # fmt: skip
METRICS_FILE = _Kind(
    "metrics", "metrics-file", "metrics.json", _is_metrics_name,
    'let it write a JSON object such as {"accuracy": 0.95} to the path in {metrics}, or name the file it writes in '
    "metrics-file",
)  # fmt: skip


def snapshot(workspace: Path, named: Iterable[str] = ()) -> dict[Path, Content]:
    """What could be a model or metrics now, so that it can be told later what is new; ``named``: further paths."""
    files = [*_interesting(workspace), *((workspace / name).resolve() for name in named if name)]
    return {file: content for file in files if (content := _content(file))}


def _interesting(workspace: Path) -> Iterable[Path]:
    for folder, folders, files in os.walk(workspace):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED_FOLDERS)
        yield from (Path(folder, name) for name in sorted(files)
                    if _is_model_name(name) or _is_metrics_name(name) or name == MANIFEST)  # fmt: skip


def _shown(path: Path) -> str:
    """With forward slashes; bytes that are no UTF-8 are escaped, so that they can be printed and recorded."""
    return os.fsencode(path.as_posix()).decode(errors="backslashreplace")


def _content(file: Path) -> Content | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


@dataclass(frozen=True)
class Outputs:
    """Where to look. ``told`` is the folder the script was told to write to, empty before it ran; ``before`` is the
    snapshot of the workspace from then."""

    workspace: Path
    told: Path
    before: dict[Path, Content]

    def find(self, kind: _Kind, given: str) -> Found:
        """The file named in ``given``; else the told one; else the only one that is new.

        Raises TaskError that lists what there is where that is none or several, UsageError where ``given`` leaves the
        workspace.
        """
        if given:
            return self._given(kind, given)
        if (told := self.told / kind.usual_name).is_file():
            return Found(self._inside(told), kind.usual_name)
        for candidates in (self._in_told_folder(kind), self._new(kind)):
            if candidates:
                return self._only(kind, candidates)
        old = [self._name(file) for file in self.before if kind.matches(file.name)]
        unused = f" ({', '.join(old[:3])} was there before and does not count)" if old else ""
        raise TaskError(f"the script wrote no {kind.what}{unused}", kind.remedy)

    def not_taken(self, taken: Iterable[Path]) -> list[str]:
        """Other files that the script wrote to the folder it was told."""
        kept = set(taken)
        return sorted(_shown(path.relative_to(self.told)) for path in self.told.rglob("*")
                      if path.is_file() and path not in kept)  # fmt: skip

    def _given(self, kind: _Kind, given: str) -> Found:
        file = confined(self.workspace, given, kind.option)
        if not file.is_file():
            wrote = [self._name(path) for path in (*self._in_told_folder(kind), *self._new(kind))]
            near = f" (it wrote {', '.join(wrote[:5])})" if wrote else ""
            raise TaskError(f"{kind.option} '{given}' was not written by the script{near}",
                            "give the path it writes to, relative to the workspace")  # fmt: skip
        if not self._written(file):
            raise TaskError(f"{kind.option} '{given}' was there before, and the script did not write it again",
                            "let the script write it in every run")  # fmt: skip
        return Found(file, given)

    def _in_told_folder(self, kind: _Kind) -> list[Path]:
        return [Path(folder, name) for folder, _, names in os.walk(self.told) for name in sorted(names)
                if kind.matches(name)]  # fmt: skip

    def _new(self, kind: _Kind) -> list[Path]:
        return [file for file in _interesting(self.workspace)
                if kind.matches(file.name) and self._written(file)
                and not self._of_another_run(file.parent)]  # fmt: skip

    def _written(self, file: Path) -> bool:
        """By the script, which may also have moved or copied what lay elsewhere before."""
        return _content(file) not in self._contents_before

    @cached_property
    def _contents_before(self) -> frozenset[Content]:
        return frozenset(self.before.values())

    def _of_another_run(self, folder: Path) -> bool:
        """Whether a model directory was put there in the meantime."""
        return self.before.get(folder / MANIFEST) != _content(folder / MANIFEST) and is_model_directory(folder)

    def _only(self, kind: _Kind, candidates: list[Path]) -> Found:
        """The only candidate, or the only one that bears the usual name, whatever its suffix."""
        candidates = list({file.resolve(): file for file in reversed(candidates)}.values())[::-1]
        stem = Path(kind.usual_name).stem
        usual = [file for file in candidates if file.name.partition(".")[0].lower() == stem]
        chosen = usual if len(usual) == 1 else candidates
        if len(chosen) > 1:
            names = ", ".join(self._name(file) for file in candidates)
            raise TaskError(f"the script wrote several files that could be the {kind.what}: {names}",
                            f"name one in {kind.option}")  # fmt: skip
        return Found(self._inside(chosen[0]), self._name(chosen[0]))

    def _name(self, file: Path) -> str:
        root = self.told if file.is_relative_to(self.told) else self.workspace
        return _shown(file.relative_to(root))

    def _inside(self, file: Path) -> Path:
        real = file.resolve()
        if not real.is_relative_to(self.workspace):
            raise TaskError(f"{self._name(file)} is a link that leads out of the workspace",
                            "let the script write the file itself")  # fmt: skip
        return real
