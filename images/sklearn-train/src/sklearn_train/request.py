"""What was asked for, checked before anything runs."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from sklearn_train.command import DEFAULT_ARGS
from sklearn_train.project_code import imported_names
from taskkit.command_line import Arguments
from taskkit.confined_paths import confined
from taskkit.errors import TaskError, UsageError
from taskkit.model_directory import is_model_directory

GoldenChoice = Literal["shuffled", "rows", "none"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_EARLIER_MODEL = re.compile(r"\..*|model\..+|metrics\.json")
_PLACEHOLDERS = ("{dataset}", "{model}", "{metrics}", "{model-dir}")


@dataclass(frozen=True)
class Script:
    """A file that is run as ``python path``, or a module that is run as ``python -m name``."""

    given: str
    is_module: bool
    file: Path | None
    """Absolute path; None for a module that is no file of the workspace."""

    def command(self) -> list[str]:
        return ["-m", self.given] if self.is_module else [self.given]


@dataclass(frozen=True)
class Request:
    workspace: Path
    """Absolute; relative paths are relative to it."""
    script: Script
    dataset: str
    dataset_file: Path | None
    dataset_sha256: str
    """Plain hex, empty: any."""
    hyperparameters: dict[str, str]
    model_dir: Path
    model_file: str
    metrics_file: str
    input_example: Path | None
    golden: GoldenChoice
    onnx: str
    requirements: tuple[str, ...]
    include: tuple[str, ...]
    pip_config: Path | None
    args: tuple[str, ...]

    def relative(self, path: Path) -> str:
        return path.relative_to(self.workspace).as_posix()


def read_request(arguments: Arguments, workspace: Path) -> Request:
    """Checks params and that the named files exist. Raises UsageError for params, TaskError for files."""
    workspace = workspace.resolve()
    script = _script(workspace, arguments["script"])
    dataset = arguments["dataset"]
    dataset_file = _file(workspace, dataset, "dataset") if dataset else None
    args = _args(arguments.array("args"), dataset)
    example = arguments["input-example"]
    for name in ("model-file", "metrics-file"):
        if arguments[name]:
            confined(workspace, arguments[name], name)
    include = tuple(item for item in arguments.array("include") if item)
    for item in include:
        _check_include(workspace, item)
    request = Request(
        workspace=workspace,
        script=script,
        dataset=dataset,
        dataset_file=dataset_file,
        dataset_sha256=_sha256(arguments["dataset-sha256"], dataset),
        hyperparameters=_hyperparameters(arguments.array("hyperparameters")),
        model_dir=confined(workspace, arguments["model-dir"], "model-dir"),
        model_file=arguments["model-file"],
        metrics_file=arguments["metrics-file"],
        input_example=_file(workspace, example, "input-example") if example else None,
        golden=cast("GoldenChoice", arguments["golden"]),
        onnx=arguments["onnx"],
        requirements=tuple(item for item in arguments.array("requirements") if item.strip()),
        include=include,
        pip_config=Path(arguments["pip-config"]).resolve() if arguments["pip-config"] else None,
        args=args,
    )
    _check_model_dir(request)
    return request


def _script(workspace: Path, given: str) -> Script:
    as_file = confined(workspace, given, "script")
    if as_file.is_file():
        return Script(given, is_module=False, file=as_file)
    if given.endswith(".py") or "/" in given or not _MODULE.fullmatch(given):
        what = "is a directory" if as_file.is_dir() else "does not exist"
        raise TaskError(f"script '{given}' {what} in the workspace {workspace}{_near(workspace, '*.py')}",
                        "give the path of a Python file, or the name of a module")  # fmt: skip
    stem = workspace.joinpath(*given.split("."))
    for file in (stem.with_suffix(".py"), stem / "__main__.py"):
        if file.is_file():
            return Script(given, is_module=True, file=file)
    return Script(given, is_module=True, file=None)


def _check_include(workspace: Path, item: str) -> None:
    given = item.partition(":")[0]
    path = confined(workspace, given, "include")
    if not path.exists():
        raise TaskError(f"include '{given}' does not exist in the workspace", "give the path of a file or folder")
    if path.suffix == ".py" and path.is_file():
        list(imported_names(path, ""))  # a syntax error is said now, not after hours of training


def _near(workspace: Path, pattern: str) -> str:
    """Files of the same kind that are there, for the message."""
    found = []
    for folder, folders, files in os.walk(workspace):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        found += [Path(folder, name).relative_to(workspace).as_posix() for name in sorted(files)
                  if Path(name).match(pattern)]  # fmt: skip
        if len(found) >= 5:
            break
    return f" (there are: {', '.join(found[:5])})" if found else ""


def _file(workspace: Path, given: str, what: str) -> Path:
    path = confined(workspace, given, what)
    if path.is_dir():
        raise TaskError(f"{what} '{given}' is a directory", "give the path of one file")
    if not path.exists():
        near = _near(workspace, "*" + path.suffix) if path.suffix else ""
        raise TaskError(f"{what} '{given}' does not exist in the workspace {workspace}{near}", "give its path")
    if not path.is_file():
        raise TaskError(f"{what} '{given}' is not a regular file", "give the path of a file")
    return path


def _args(given: tuple[str, ...], dataset: str) -> tuple[str, ...]:
    if dataset:
        return given
    if given == DEFAULT_ARGS:
        return given[2:]
    if any("{dataset}" in arg for arg in given):
        raise UsageError("args use {dataset}, but dataset is empty", "give dataset, or take {dataset} out of args")
    return given


def _sha256(given: str, dataset: str) -> str:
    if not given:
        return ""
    match = _SHA256.fullmatch(given.strip())
    if not match:
        raise UsageError(f"dataset-sha256 is '{given}'", "it takes 64 hexadecimal digits, with or without sha256:")
    if not dataset:
        raise UsageError("dataset-sha256 is given, but dataset is empty", "give dataset too")
    return match[1]


def _hyperparameters(given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in given:
        if not item:
            continue
        name, equals, value = item.partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise UsageError(f"hyperparameter '{item}' is not name=value",
                             "write for example C=0.5; a name has letters, digits, '_', '-' and '.'")  # fmt: skip
        if name in found:
            raise UsageError(f"hyperparameter '{name}' is given twice", "give each name once")
        if "\0" in value:
            raise UsageError(f"hyperparameter '{name}' holds a null byte", "take it out")
        found[name] = value
    return found


def _check_model_dir(request: Request) -> None:
    """What lies in model-dir is replaced, so nothing that is needed may lie there."""
    directory = request.model_dir
    if directory == request.workspace:
        raise UsageError("model-dir is the workspace itself", "name a folder in it, for example model")
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"model-dir '{request.relative(directory)}' is a file", "name a folder")
    if os.path.ismount(directory):
        raise UsageError(f"model-dir '{request.relative(directory)}' is a mount point, which can't be replaced",
                         "name a folder in it")  # fmt: skip
    kept = {"the script": request.script.file, "dataset": request.dataset_file,
            "input-example": request.input_example, "the git repository": request.workspace / ".git"}  # fmt: skip
    kept |= {f"include '{item}'": request.workspace / item.partition(":")[0] for item in request.include}
    for what, path in kept.items():
        if path is not None and (path == directory or directory in path.parents):
            raise UsageError(f"model-dir '{request.relative(directory)}' holds {what}, and it is replaced by each run",
                             "name another folder")  # fmt: skip
    if directory.exists() and not is_model_directory(directory) and (foreign := _foreign(directory)):
        raise UsageError(
            f"model-dir '{request.relative(directory)}' holds '{foreign}' and is no model directory, "
            "and it is replaced by each run", "name another folder, or empty this one",
        )  # fmt: skip


def _foreign(directory: Path) -> str:
    """The first entry that is no earlier model and its metrics, as people leave them; empty where there is none."""
    names = (entry.name for entry in directory.iterdir() if entry.is_dir() or not _EARLIER_MODEL.fullmatch(entry.name))
    return min(names, default="")


def filled_args(request: Request, model: str, metrics: str, model_dir: str) -> list[str]:
    """The script's arguments with placeholders filled in, then the hyperparameters as ``--name value``."""
    values = dict(zip(_PLACEHOLDERS, (request.dataset, model, metrics, model_dir), strict=True))
    pattern = re.compile("|".join(map(re.escape, values)))
    args = [pattern.sub(lambda match: values[match[0]], arg) for arg in request.args]
    for name, value in request.hyperparameters.items():
        # `--name -x` reads as two options to most parsers.
        args += [f"--{name}={value}"] if value.startswith("-") else [f"--{name}", value]
    return args
