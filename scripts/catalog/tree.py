"""What lies where in a catalog: its Tasks and Pipelines by name and version, its programs, its images."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

IMAGE_PREFIX = "ghcr.io/sklearn-catalog/"

_VERSION = re.compile(r"\d+(?:\.\d+){0,2}")
_IMAGE = re.compile(rf"{re.escape(IMAGE_PREFIX)}(?P<program>[a-z0-9-]+)(?::[\w.-]+)?(?:@sha256:[0-9a-f]{{64}})?")
_FOLDERS = {"Task": "task", "Pipeline": "pipeline"}


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def program_of(image: str) -> str | None:
    """The program that an image reference of this catalog names, or None for anybody else's image."""
    match = _IMAGE.fullmatch(image)
    return match["program"] if match else None


@dataclass(frozen=True)
class Tree:
    """A catalog's root folder; everything is looked up when it is asked for."""

    root: Path

    @property
    def programs(self) -> tuple[str, ...]:
        """The names of the programs: the folders below ``images/`` with a ``pyproject.toml``."""
        return tuple(sorted(path.parent.name for path in self.root.glob("images/*/pyproject.toml")))

    def environment(self, program: str) -> Path:
        """Where ``./scripts/setup`` puts the commands of a program."""
        return self.root / ".venvs" / program / "bin"

    def layout(self, program: str) -> Path:
        """Where ``./scripts/images`` leaves the image of a program as an OCI layout."""
        return self.root / ".images" / program

    def versions(self, kind: str, name: str) -> tuple[str, ...]:
        """The versions of a Task or Pipeline, oldest first; empty when there is none of that name."""
        folder = self.root / _FOLDERS.get(kind, "") / name
        if kind not in _FOLDERS or not folder.is_dir():
            return ()
        found = (path.parent.name for path in folder.glob(f"*/{name}.yaml"))
        return tuple(sorted((version for version in found if _VERSION.fullmatch(version)), key=_order))

    def file(self, kind: str, name: str, version: str | None = None) -> Path | None:
        """The YAML file of a Task or Pipeline: of the version asked for (``0.1`` is ``0.1.0``), else of the newest."""
        versions = self.versions(kind, name)
        if version is not None:
            versions = tuple(v for v in versions if (*_order(v), 0, 0)[:3] == (*_asked(version), 0, 0)[:3])
        return self.root / _FOLDERS[kind] / name / versions[-1] / f"{name}.yaml" if versions else None

    def names(self, kind: str) -> tuple[str, ...]:
        """The names of all Tasks or Pipelines."""
        folder = self.root / _FOLDERS[kind]
        return tuple(sorted(path.name for path in folder.glob("*") if self.versions(kind, path.name)))


def _asked(version: str) -> tuple[int, ...]:
    match = re.fullmatch(r"v?(\d+(?:\.\d+){0,2})", version.strip())
    return _order(match[1]) if match else (-1,)


TREE = Tree(Path(__file__).resolve().parents[2])
