"""Handing over to the user's own ASGI application, with the model's digests checked and its code on the path."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import Any

from model_server.checked_files import CheckedModel, check_files, check_versions
from model_server.front import Draining
from model_server.import_paths import add_project_paths
from model_server.scratch import Scratch
from model_server.serving import StoppedWhileLoading, serve, source_of, tell_ready
from model_server.settings import Settings
from model_server.warning_lines import warn_unless_given
from model_server.worker_channel import WorkerPlace
from taskkit.confined_paths import relative_name
from taskkit.errors import TaskError, UsageError
from taskkit.model_directory import CODE


def serve_application(settings: Settings, scratch: Scratch, place: WorkerPlace | None = None) -> None:
    """Checks digests and versions, then serves the user's application until a signal. Raises TaskError."""
    file, attribute = parsed_app(settings.app)
    with source_of(settings, place) as source:
        checked = check_files(settings.model_dir.absolute(), settings.model_digest)
        _require_file(checked, file, settings.app)
        check_versions(checked.manifest)
        add_project_paths(checked.directory, scratch)
        workplace = working_directory(checked, scratch)
        os.chdir(workplace)
        sys.path[:0] = [str(workplace), str((workplace / file).parent)]
        application = load_application(workplace, file, attribute)

        def ready() -> None:
            if place is None or place.index == 0:
                warn_unless_given(settings.model_digest)
            tell_ready(source, f"{settings.app} with {settings.model_name} {checked.digest}")

        serve(application, source, draining=Draining(), drain_delay=settings.drain_delay,
              drain_timeout=settings.drain_timeout, when_ready=ready, lifespan="auto")  # fmt: skip


def _require_file(checked: CheckedModel, file: str, app: str) -> None:
    code = [name.removeprefix(f"{CODE}/") for name in checked.manifest.files if name.startswith(f"{CODE}/")]
    there = ", ".join(code) or "none"
    if file not in code:
        raise UsageError(f"app is '{app}', but the model was trained without {file} (code: {there})",
                         f"train again with include: {app}")  # fmt: skip


def parsed_app(app: str) -> tuple[str, str]:
    """(file, attribute) of ``src/serve.py:app``. Raises UsageError."""
    file, colon, attribute = app.partition(":")
    if not colon or not file.endswith(".py") or not relative_name(file) or not attribute:
        raise UsageError(f"app is '{app}'", "write the file and the name of the application in it: src/serve.py:app")
    return file, attribute


def working_directory(checked: CheckedModel, scratch: Scratch) -> Path:
    """The current folder where it holds the checked files (an image is made so), else a fresh one with links to them.

    The model lies in it under the name that its script gave, the project's code under its own names. A current folder
    with other files of these names is not used: nobody vouches for them.
    """
    manifest, code = checked.manifest, f"{CODE}/"
    if not relative_name(manifest.estimator.original_name):
        raise TaskError(f"model.json gives '{manifest.estimator.original_name}' as the model's own name", "train again")
    wanted = {name.removeprefix(code): checked.directory / name for name in manifest.files if name.startswith(code)}
    wanted[manifest.estimator.original_name] = checked.directory / manifest.estimator.file
    here = Path.cwd()
    if all(os.path.realpath(here / name) == os.path.realpath(file) for name, file in wanted.items()):
        return here
    made = scratch.directory / "app"
    for name, file in wanted.items():
        link = made / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file)
    return made


def load_application(workplace: Path, file: str, attribute: str) -> Any:
    """The application in a file. Raises TaskError with what the file raised."""
    try:
        module = _imported(workplace, file)
    except StoppedWhileLoading:
        raise
    except (Exception, SystemExit) as error:  # whatever the user's code raises
        text = " ".join(str(error).split())
        raise TaskError(f"importing {file} raised {type(error).__name__}: {text}",
                        "run with --debug for the traceback") from error  # fmt: skip
    try:
        application = reduce(getattr, attribute.split("."), module)
    except AttributeError as error:
        raise UsageError(
            f"{file} has no '{attribute}'", "name the ASGI application in it, as in src/serve.py:app"
        ) from error
    if not callable(application):
        raise UsageError(f"'{attribute}' in {file} is {type(application).__name__}, not an ASGI application",
                         "name the ASGI application in it, as in src/serve.py:app")  # fmt: skip
    return application


def _imported(workplace: Path, file: str) -> ModuleType:
    """By its dotted name, so that relative imports work; by its path where that name is another module's."""
    parts = Path(file).with_suffix("").parts
    path = workplace / file
    if all(part.isidentifier() for part in parts):
        name = ".".join(parts)
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if not error.name or not f"{name}.".startswith(f"{error.name}."):
                raise
        else:
            if module.__file__ and os.path.realpath(module.__file__) == os.path.realpath(path):
                return module
    spec = importlib.util.spec_from_file_location(f"served_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} can't be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # as an import does: pydantic looks annotations up there
    spec.loader.exec_module(module)
    return module
