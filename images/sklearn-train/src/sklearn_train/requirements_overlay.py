"""Extra packages of the project, installed beside the image's own and never in their place.

pip resolves against what is installed, with every package of the image as a constraint. What it would add is made into
wheels, which go into the model directory, and is installed from just these wheels into a folder of its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from sklearn_train.supervised_process import SupervisedProcess, Watch
from taskkit.canonical import hash_file
from taskkit.command_line import say
from taskkit.confined_paths import confined
from taskkit.environment import canonical_name, installed_packages
from taskkit.errors import TaskError, UsageError
from taskkit.model_directory import REQUIREMENTS, WHEELS

# A pickle of another version of these loads wrongly or not at all in the server.
PROTECTED = ("scikit-learn", "numpy", "scipy")


@dataclass(frozen=True)
class Overlay:
    """``folder`` goes on the import path; None where nothing was added."""

    folder: Path | None
    wheels: Path | None = None
    lock: str = ""

    def copy_to(self, model_dir: Path) -> None:
        if self.wheels is not None:
            shutil.copytree(self.wheels, model_dir / WHEELS)
            (model_dir / REQUIREMENTS).write_text(self.lock, encoding="utf-8")


NO_OVERLAY = Overlay(None)


def install_overlay(requirements: tuple[str, ...], workspace: Path, pip_config: Path | None, private: Path) -> Overlay:
    """Raises TaskError where a requirement can't be had or would replace a package of the image."""
    image = installed_packages()
    arguments = _arguments(requirements, workspace, image)
    pip = _Pip(private, workspace, pip_config, image)
    additions = pip.additions(arguments)
    if not additions:
        say("requirements: the image has them all")
        return NO_OVERLAY
    wheels, folder = private / WHEELS, private / "packages"
    pip.make_wheels(additions, wheels)
    pip.install(wheels, folder)
    say(f"requirements: added {', '.join(sorted(additions))}")
    return Overlay(folder, wheels, _lock(wheels))


def _arguments(requirements: tuple[str, ...], workspace: Path, image: dict[str, str]) -> list[str]:
    """pip's arguments. A requirements file is an item that exists in the workspace and reads as a path."""
    arguments = []
    for item in requirements:
        text = item.strip()
        if text.endswith((".txt", ".in", ".lock")):
            file = confined(workspace, text, "requirements")
            if not file.is_file():
                raise TaskError(f"requirements file '{text}' does not exist in the workspace", "give its path")
            for line in file.read_text("utf-8", "replace").splitlines():
                _check_protected(line.partition("#")[0].strip(), f"{text}: ", image)
            arguments += ["--requirement", str(file)]
        elif text.startswith("-"):
            raise UsageError(f"requirement '{text}' is an option of pip", "put options into a requirements file")
        else:
            _check_form(text)
            _check_protected(text, "", image)
            arguments.append(text)
    return arguments


def _check_form(item: str) -> None:
    """An item that is neither a requirement nor a path or an address, which pip would quote without its beginning."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        Requirement(item.partition(" --")[0])
    except InvalidRequirement as error:
        if "/" not in item and not item.endswith(".whl"):
            raise UsageError(
                f"requirement '{item}' is none ({str(error).splitlines()[0]})",
                "write for example category-encoders>=2.6, or the path of a requirements file",
            ) from error


def _check_protected(requirement: str, where: str, image: dict[str, str]) -> None:
    """Refuses, before anything is downloaded, a version of a protected package that is not the image's."""
    from packaging.requirements import InvalidRequirement, Requirement

    if not requirement or requirement.startswith("-"):
        return
    try:
        parsed = Requirement(requirement.partition(" --")[0])
    except InvalidRequirement:
        return  # a path or an address: pip decides
    name = canonical_name(parsed.name)
    fits = parsed.url is None and parsed.specifier.contains(image.get(name, ""), prereleases=True)
    applies = parsed.marker is None or parsed.marker.evaluate()
    if name in PROTECTED and name in image and applies and not fits:
        raise _replaces(f"{where}requirement '{requirement}'", name, image[name])


def _replaces(what: str, name: str, version: str) -> TaskError:
    return TaskError(f"{what} would replace the image's {name} {version}, which models are served with",
                     f"allow {name} {version} in it, or use an image with the version you need")  # fmt: skip


class _Pip:
    def __init__(self, private: Path, workspace: Path, config: Path | None, image: dict[str, str]) -> None:
        self._private, self._workspace, self._image = private, workspace, image
        self._constraints = private / "constraints.txt"
        self._constraints.write_text("".join(f"{name}=={version}\n" for name, version in image.items()
                                             if not name.startswith("sklearn-catalog-")))  # fmt: skip
        self._environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1",
                             "PIP_NO_COLOR": "1", "SOURCE_DATE_EPOCH": "315532800"}  # fmt: skip
        self._sources = self._read_config(config)

    def _read_config(self, config: Path | None) -> list[str]:
        """A folder with pip.conf, wheels, or both; wheels alone mean that there is no index to ask."""
        if config is None or not config.is_dir():
            return []
        conf = next((config / name for name in ("pip.conf", "pip.ini") if (config / name).is_file()), None)
        if conf:
            self._environment["PIP_CONFIG_FILE"] = str(conf)
        folders = sorted({wheel.parent for wheel in config.rglob("*.whl") if not wheel.parent.name.startswith("..")})
        links = [argument for folder in folders for argument in ("--find-links", str(folder))]
        return [*links, *(["--no-index"] if links and not conf else [])]

    def additions(self, arguments: list[str]) -> dict[str, str]:
        """``name==version`` to its pip argument of everything that pip would add to the image."""
        report = self._private / "pip-report.json"
        self._run(["install", "--dry-run", "--report", str(report), "--constraint", str(self._constraints),
                   *self._sources, *arguments])  # fmt: skip
        found = {}
        for item in json.loads(report.read_text("utf-8"))["install"]:
            name, version = canonical_name(item["metadata"]["name"]), item["metadata"]["version"]
            if name in self._image:
                raise _replaces(f"requirement {name} {version}", name, self._image[name])
            found[f"{name}=={version}"] = _source_of(item, f"{name}=={version}")
        return found

    def make_wheels(self, additions: dict[str, str], folder: Path) -> None:
        self._run(["wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), "--constraint", str(self._constraints),
                   *self._sources, *additions.values()])  # fmt: skip

    def install(self, wheels: Path, folder: Path) -> None:
        self._run(["install", "--quiet", "--no-deps", "--no-index", "--no-compile", "--target", str(folder),
                   *map(str, sorted(wheels.glob("*.whl")))])  # fmt: skip

    def _run(self, arguments: list[str]) -> None:
        command = [sys.executable, "-m", "pip", *arguments]
        watch = Watch(output=False, alone=True)
        with SupervisedProcess(
            command, cwd=self._workspace, environment=self._environment, watch=watch, name="pip"
        ) as child:
            ended = child.wait()
        if ended.code:
            raise self._failed(f"{ended.output_tail}\n{ended.error_tail}")

    def _failed(self, text: str) -> TaskError:
        errors = [line.partition("ERROR:")[2].strip() for line in text.splitlines() if "ERROR:" in line]
        shown = "; ".join(errors[:3]) or " ".join(text.split())[-300:]
        for name in PROTECTED:
            if re.search(rf"The user requested \(constraint\) {re.escape(name)}==", text):
                return _replaces(f"a requirement ({shown})", name, self._image[name])
        remedy = "check the names and versions; without internet, bind pip-config with pip.conf or a folder of wheels"
        if "(constraint)" in text or "conflicting dependencies" in text:
            remedy = "the packages of the image stay as they are; allow their versions in the requirements"
        return TaskError(f"pip could not install the requirements: {shown}", remedy)


def _source_of(item: dict[str, object], pin: str) -> str:
    """A requirement by address stays one; everything else is found again by its exact version."""
    info = item.get("download_info")
    direct = item.get("is_direct") and isinstance(info, dict)
    return str(info["url"]) if direct and isinstance(info, dict) else pin


def _lock(wheels: Path) -> str:
    """Pinned versions with the hashes of the wheels that lie beside it, as ``pip install --require-hashes`` reads."""
    lines = []
    for wheel in sorted(wheels.glob("*.whl")):
        name, version = wheel.name.split("-")[:2]
        lines.append(f"{canonical_name(name)}=={version} --hash=sha256:{hash_file(wheel)[0]}\n")
    return "".join(lines)
