"""Finds what the script wrote: its model and its metrics, and nothing that lay there before."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from taskkit.confined_paths import confined
from taskkit.errors import TaskError

MODEL_SUFFIXES = (".pkl", ".pickle", ".joblib", ".skops", ".sav", ".gz", ".xz", ".bz2", ".z", ".lzma", ".lz4", ".cloudpickle")
_SKIPPED_FOLDERS = {"__pycache__", "node_modules", "site-packages"}

Stamp = tuple[int, int, int, int]


@dataclass(frozen=True)
class Found:
    """``name``: how the script named it, relative to the folder it was told or to the workspace."""

    file: Path
    name: str


def snapshot(workspace: Path) -> dict[Path, Stamp]:
    """What could be a model or metrics now, so that it can be told later what is new."""
    return {file: stamp for file in _interesting(workspace) if (stamp := _stamp(file))}


def _interesting(workspace: Path) -> Iterable[Path]:
    for folder, folders, files in os.walk(workspace):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED_FOLDERS)
        yield from (Path(folder, name) for name in sorted(files) if _is_model_name(name) or _is_metrics_name(name))


def _is_model_name(name: str) -> bool:
    suffixes = Path(name.lower()).suffixes
    packed = suffixes[-1:] and suffixes[-1] in MODEL_SUFFIXES[5:11]
    return bool(suffixes) and (suffixes[-1] in (*MODEL_SUFFIXES[:5], ".cloudpickle") or (
        bool(packed) and any(suffix in MODEL_SUFFIXES[:5] for suffix in suffixes[:-1])
    ))  # fmt: skip


def _is_metrics_name(name: str) -> bool:
    lower = name.lower()
    return lower.endswith(".json") and any(word in lower for word in ("metric", "score", "evaluation", "results"))


def _stamp(file: Path) -> Stamp | None:
    """Changes with every write: the change time can't be set back by a program (inode(7))."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@dataclass(frozen=True)
class Outputs:
    """Where to look. ``told`` is the folder the script was told to write to, empty before it ran."""

    workspace: Path
    told: Path
    before: dict[Path, Stamp]
    model_dir: Path

    def model(self, given: str) -> Found:
        """The file named in ``given``; else the told one; else the only one. Raises TaskError listing what there is."""
        if given:
            return self._given(given, "model-file")
        if (told := self.told / "model.pkl").is_file():
            return Found(self._inside(told), "model.pkl")
        for candidates in (self._below(self.told, _is_model_name), self._new(_is_model_name)):
            if found := self._only([*candidates], "model", "model-file", stem="model"):
                return found
        raise TaskError(f"the script wrote no model{self._old(_is_model_name)}",
                        "let it save the fitted estimator to the path in {model}, or name the file it writes in "
                        "model-file")  # fmt: skip

    def metrics(self, given: str) -> Found:
        """As ``model``, for the metrics."""
        if given:
            return self._given(given, "metrics-file")
        if (told := self.told / "metrics.json").is_file():
            return Found(self._inside(told), "metrics.json")
        for candidates in (self._below(self.told, _is_metrics_name), self._new(_is_metrics_name)):
            if found := self._only([*candidates], "metrics", "metrics-file", stem="metrics"):
                return found
        raise TaskError(f"the script wrote no metrics{self._old(_is_metrics_name)}",
                        'let it write a JSON object such as {"accuracy": 0.95} to the path in {metrics}, or name the '
                        "file it writes in metrics-file")  # fmt: skip

    def not_taken(self, taken: Iterable[Path]) -> list[str]:
        """Other files that the script wrote to the folder it was told."""
        kept = set(taken)
        return sorted(path.relative_to(self.told).as_posix() for path in self.told.rglob("*")
                      if path.is_file() and path not in kept)  # fmt: skip

    def _given(self, given: str, option: str) -> Found:
        file = confined(self.workspace, given, option)
        if not file.is_file():
            near = ", ".join(self._name(path) for path in self._new(_is_model_name)) or "nothing"
            raise TaskError(f"{option} '{given}' was not written by the script (it wrote: {near})", "give the path it "
                            "writes to, relative to the workspace")  # fmt: skip
        if self.before.get(file) is not None and self.before[file] == _stamp(file):
            raise TaskError(f"{option} '{given}' was there before and the script did not write it again",
                            "let the script write it in every run")  # fmt: skip
        return Found(file, given)

    def _below(self, folder: Path, wanted: object) -> list[Path]:
        return [Path(where, name) for where, _, names in os.walk(folder) for name in sorted(names)
                if callable(wanted) and wanted(name)]  # fmt: skip

    def _new(self, wanted: object) -> list[Path]:
        return [file for file in _interesting(self.workspace)
                if callable(wanted) and wanted(file.name) and self.before.get(file) != _stamp(file)]  # fmt: skip

    def _old(self, wanted: object) -> str:
        """Files that would do, had this run written them."""
        old = [self._name(file) for file in self.before if callable(wanted) and wanted(file.name)]
        return f" ({', '.join(old[:3])} was there before and does not count)" if old else ""

    def _only(self, candidates: list[Path], what: str, option: str, stem: str) -> Found | None:
        """The only candidate, or the only one of the usual name; None without any. Raises TaskError for several."""
        usual = [file for file in candidates if file.name.partition(".")[0].lower() == stem]
        chosen = usual if len(usual) == 1 else candidates
        if len(chosen) > 1:
            names = ", ".join(self._name(file) for file in candidates)
            raise TaskError(f"the script wrote several files that could be the {what}: {names}", f"name one in {option}")
        return Found(self._inside(chosen[0]), self._name(chosen[0])) if chosen else None

    def _name(self, file: Path) -> str:
        root = self.told if file.is_relative_to(self.told) else self.workspace
        return file.relative_to(root).as_posix()

    def _inside(self, file: Path) -> Path:
        real = file.resolve()
        if not real.is_relative_to(self.workspace):
            raise TaskError(f"{self._name(file)} is a link that leads out of the workspace", "let the script write the file")
        return real
