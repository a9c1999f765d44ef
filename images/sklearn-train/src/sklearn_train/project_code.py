"""The project's own modules that a model needs: found while it loads, and copied to code/ under their import names.

A finder answers imports of project modules from code/ only, and copies them there first. So what was loaded proves that
code/ is enough, and nothing is guessed. Modules that were not run (imports inside functions) are found by reading.
"""

from __future__ import annotations

import ast
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Any

from taskkit.confined_paths import confined
from taskkit.errors import TaskError


class ProjectCode:
    """``loaded``: module name to file of what the script had imported from the workspace; ``roots``: folders of the
    workspace that were on its import path, in order."""

    def __init__(self, workspace: Path, code: Path, loaded: Mapping[str, Path], roots: Iterable[Path]) -> None:
        self._workspace, self._code = workspace, code
        self._loaded = dict(loaded)
        self._roots = tuple(dict.fromkeys(roots))
        self.modules: set[str] = set()
        """Names of the modules in code/ that were copied by import."""

    def activate(self) -> None:
        """Answers imports from now on: first what the script had from the project, as it did there; the rest last."""
        sys.meta_path.insert(0, _Finder(self, known_only=True))
        sys.meta_path.append(_Finder(self, known_only=False))

    def find(self, name: str, *, known_only: bool) -> Path | None:
        """The project's file of a module, or a folder for a package without ``__init__.py``."""
        if known_only:
            return self._loaded.get(name)
        for root in self._roots:
            if (found := _in_root(root, name)) is not None:
                return found
        return None

    def copy(self, name: str, file: Path) -> Path:
        """Copies a module to code/ under its import name; gives the copy."""
        base = self._code.joinpath(*name.split("."))
        target = (
            base / "__init__.py" if file.name == "__init__.py" else base.with_name(base.name + "".join(file.suffixes))
        )
        if not target.exists():
            self._copy_packages_above(name)
            _copy_file(self._workspace, file, target)
            self.modules.add(name)
        return target

    def _copy_packages_above(self, name: str) -> None:
        parent = name.rpartition(".")[0]
        while parent:
            file = self.find(parent, known_only=True) or self.find(parent, known_only=False)
            if file is not None and file.name == "__init__.py":
                self.copy(parent, file)
            parent = parent.rpartition(".")[0]

    def copy_imports(self) -> None:
        """Copies the modules that the copied ones import, also those that have not been run, until nothing is new."""
        done: set[str] = set()
        while fresh := self.modules - done:
            for name in sorted(fresh):
                done.add(name)
                base = self._code.joinpath(*name.split("."))
                is_package = (base / "__init__.py").is_file()
                file = base / "__init__.py" if is_package else base.with_suffix(".py")
                if file.is_file():
                    self._copy_all(imported_names(file, name if is_package else name.rpartition(".")[0]))

    def _copy_all(self, names: Iterable[str]) -> None:
        for name in names:
            file = self.find(name, known_only=True)
            if file is None and not _installed(name):
                file = self.find(name, known_only=False)
            if file is not None and file.is_file():
                self.copy(name, file)

    def include_files(self, items: Iterable[str]) -> None:
        """Takes files and folders along under their path in the workspace. ``src/serve.py:app`` means the file.

        Data is also put where modules of the project look for what lies beside them: a model may read it while it is
        loaded. Raises TaskError, UsageError.
        """
        for file in self._included(items):
            _copy_file(self._workspace, file, self._code / file.relative_to(self._workspace))
            beside = next((root for root in self._roots if file.is_relative_to(root)), self._workspace)
            if file.suffix != ".py" and beside != self._workspace:
                _copy_file(self._workspace, file, self._code / file.relative_to(beside))

    def include_imports(self, items: Iterable[str]) -> None:
        """Takes along the modules of the project that included Python files import. Raises TaskError, UsageError."""
        for file in self._included(items):
            if file.suffix == ".py":
                if file.parent not in self._roots:
                    self._roots = (file.parent, *self._roots)
                self._copy_all(imported_names(file, ""))
        self.copy_imports()

    def _included(self, items: Iterable[str]) -> Iterator[Path]:
        for item in items:
            path = confined(self._workspace, item.partition(":")[0], "include")
            yield from [path] if path.is_file() else _files_of(path)

    def copy_folder(self, name: str) -> Path:
        """Makes the folder of a package that has no ``__init__.py``; its modules are copied as they are imported."""
        folder = self._code.joinpath(*name.split("."))
        folder.mkdir(parents=True, exist_ok=True)
        return folder


class _Finder:
    def __init__(self, project: ProjectCode, *, known_only: bool) -> None:
        self._project, self._known_only = project, known_only

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:  # noqa: ARG002
        file = self._project.find(name, known_only=self._known_only)
        if file is None:
            return None
        if file.is_dir():
            folder = self._project.copy_folder(name)
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [str(folder)]
            return spec
        copied = self._project.copy(name, file)
        folders = [str(copied.parent)] if copied.name == "__init__.py" else None
        return spec_from_file_location(name, copied, submodule_search_locations=folders)


def project_modules(modules: Mapping[str, str], workspace: Path, without: Iterable[Path]) -> dict[str, Path]:
    """Of all modules that the script had loaded, those in the workspace, but not in the folders ``without``."""
    found = {}
    for name, given in modules.items():
        file = Path(given)
        inside = file.is_absolute() and file.is_relative_to(workspace)
        if inside and name not in ("__main__", "__mp_main__") and file.suffix in (".py", ".so") and not any(
            file.is_relative_to(folder) for folder in without
        ):  # fmt: skip
            found[name] = file
    return found


def _in_root(root: Path, name: str) -> Path | None:
    base = root.joinpath(*name.split("."))
    for file in (base / "__init__.py", base.with_name(base.name + ".py")):
        if file.is_file():
            return file
    return base if base.is_dir() and any(base.glob("*.py")) else None


def _installed(name: str) -> bool:
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top in sys.builtin_module_names:
        return True
    try:
        spec = PathFinder.find_spec(
            top, [entry for entry in sys.path if "site-packages" in entry or "dist-packages" in entry]
        )
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None


def imported_names(file: Path, package: str) -> Iterator[str]:
    """Names of modules that a Python file imports anywhere in it; ``package`` is what relative imports start from."""
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except (OSError, SyntaxError, ValueError) as error:
        raise TaskError(
            f"{file.name} can't be read as Python ({error})", "mend it, or take it out of include"
        ) from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_parents(alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node.module or "", node.level, package)
            if base is not None:
                yield from _with_parents(base)
                yield from (f"{base}.{alias.name}" if base else alias.name for alias in node.names if alias.name != "*")


def _absolute(module: str, level: int, package: str) -> str | None:
    if level == 0:
        return module
    parts = package.split(".") if package else []
    if len(parts) < level - 1 or not parts:
        return None
    return ".".join([*parts[: len(parts) - level + 1], *([module] if module else [])])


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[: at + 1]) for at in range(len(parts)) if name)


def _files_of(folder: Path) -> Iterator[Path]:
    for current, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__" and not name.startswith("."))
        yield from (Path(current, name) for name in sorted(files))


def _copy_file(workspace: Path, file: Path, target: Path) -> None:
    if not file.resolve().is_relative_to(workspace):
        raise TaskError(f"{file} is a link that leads out of the workspace", "put the file itself into the project")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)
