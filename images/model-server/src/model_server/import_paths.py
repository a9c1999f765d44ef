"""Puts what loading a model imports on Python's path: the model directory's code/ and wheels/, and nothing else."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.sources import WheelFile
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from model_server.scratch import Scratch
from taskkit.errors import TaskError
from taskkit.model_directory import CODE, WHEELS


def add_project_paths(model_dir: Path, scratch: Scratch) -> None:
    """code/ first, then the wheels unpacked into ``scratch``, then what is installed; the current folder not at all.

    The files must have been verified before. Raises TaskError.
    """
    sys.dont_write_bytecode = True  # a __pycache__ in code/ would be a file that the manifest does not list
    here = os.path.realpath(os.curdir)
    installed = [entry for entry in sys.path if entry and os.path.realpath(entry) != here]
    project = [model_dir / CODE] if (model_dir / CODE).is_dir() else []
    wheels = sorted((model_dir / WHEELS).glob("*.whl"))
    for wheel in wheels:
        _unpack(wheel, scratch.directory)
    if wheels:
        project.append(scratch.directory / WHEELS)
    # Not resolved: KServe's modelcar leads to the files by a link that resolves to another place than it opens.
    sys.path[:] = [*(str(path.absolute()) for path in project), *installed]


def _unpack(wheel: Path, scratch: Path) -> None:
    try:
        _, _, _, tags = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename as error:
        raise TaskError(f"{wheel} is not named as a wheel ({error})", "train again") from error
    if tags.isdisjoint(sys_tags()):
        raise TaskError(
            f"{wheel.name} does not fit this Python {sys.version_info.major}.{sys.version_info.minor}",
            "serve with the Python and platform that the model was trained with",
        )
    libraries, rest = str(scratch / WHEELS), str(scratch / "unused")
    schemes = {"purelib": libraries, "platlib": libraries, "scripts": rest, "headers": rest, "data": rest}
    try:
        with WheelFile.open(wheel) as source:
            destination = SchemeDictionaryDestination(schemes, interpreter=sys.executable, script_kind="posix")
            install(source, destination, additional_metadata={})
    except Exception as error:  # installer, zipfile and the file system raise what they like
        text = " ".join(str(error).split())
        raise TaskError(
            f"{wheel} can't be unpacked ({type(error).__name__}: {text})", "train again, or free space in /tmp"
        ) from error
