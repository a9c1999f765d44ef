"""What a model file may name of the project itself: what model.json lists and code/ or wheels/ defines."""

from __future__ import annotations

import ast
import dataclasses
import zipfile
from collections.abc import Iterable
from pathlib import Path

from taskkit.errors import TaskError
from taskkit.model_directory import WHEELS
from taskkit.model_manifest import ModelManifest
from taskkit.pickles.names import AllowedNames, Name


def with_project(
    allowed: AllowedNames, manifest: ModelManifest, code_directory: Path, wheels_directory: Path | None = None
) -> AllowedNames:
    """The allowed list and the project's names. Raises TaskError where model.json lists one that is not defined there.

    ``wheels_directory``: by default the folder ``wheels`` beside ``code_directory``.
    """
    wheels = code_directory.parent / WHEELS if wheels_directory is None else wheels_directory
    project = {_defined_in_code(name, code_directory) for name in map(_split, manifest.estimator.project_globals)}
    packages = [_split(name) for name in manifest.estimator.package_globals]
    modules = _modules_of(sorted(wheels.glob("*.whl"))) if packages else frozenset()
    for name in packages:
        if name.module not in modules:
            raise TaskError(
                f"model.json lists {name}, but no wheel in {wheels} holds the module {name.module}", "train again"
            )
    return dataclasses.replace(allowed, project=frozenset(project | set(packages)))


def _split(dotted: str) -> Name:
    module, _, name = dotted.rpartition(".")
    if not module or not all(part.isidentifier() for part in dotted.split(".")):
        raise TaskError(f"model.json lists '{dotted}', which is no module.name", "train again")
    return Name(module, name)


def _defined_in_code(name: Name, code: Path) -> Name:
    base = code.joinpath(*name.module.split("."))
    for path in (base.with_name(base.name + ".py"), base / "__init__.py"):
        if path.is_file():
            try:
                tree = ast.parse(path.read_bytes(), str(path))
            except (OSError, SyntaxError, ValueError) as error:
                raise TaskError(f"{path} can't be read as Python ({error})", "mend it and train again") from error
            if name.name in set(_definitions(tree.body)):
                return name
            raise TaskError(
                f"model.json lists {name}, but {path} does not define {name.name}",
                "import it from the module that defines it, and train again",
            )
    raise TaskError(f"model.json lists {name}, but {code} holds no module {name.module}", "train again")


def _definitions(body: Iterable[ast.stmt]) -> Iterable[str]:
    """Names that a module makes itself: classes, functions, what a call gives (a namedtuple); no imports or aliases."""
    for statement in body:
        if isinstance(statement, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield statement.name
        elif isinstance(statement, ast.Assign) and isinstance(statement.value, (ast.Call, ast.Lambda)):
            yield from (target.id for target in statement.targets if isinstance(target, ast.Name))
        elif isinstance(statement, (ast.If, ast.Try, ast.With)):
            yield from _definitions(statement.body)
            yield from _definitions(getattr(statement, "orelse", []))
            yield from _definitions(getattr(statement, "finalbody", []))
            for handler in getattr(statement, "handlers", []):
                yield from _definitions(handler.body)


def _modules_of(wheels: Iterable[Path]) -> frozenset[str]:
    """Names of all modules in wheels. Raises TaskError."""
    found: set[str] = set()
    for wheel in wheels:
        try:
            with zipfile.ZipFile(wheel) as archive:
                found.update(filter(None, map(_module, archive.namelist())))
        except (OSError, zipfile.BadZipFile) as error:
            raise TaskError(f"{wheel} can't be read as a wheel ({error})", "train again") from error
    return frozenset(found)


def _module(path: str) -> str:
    head, slash, file = path.rpartition("/")
    stem, _, kind = file.partition(".")
    if not kind.endswith(("py", "so")):
        return ""
    parts = head.split("/") if slash else []
    if parts and parts[0].endswith(".data"):  # purelib and platlib of a wheel's data folder
        parts = parts[2:]
    return ".".join(parts if stem == "__init__" else [*parts, stem])
