"""Tasks and Pipelines as they are released: text, content, version, and what lies beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.engine import yamlreader
from catalog.tree import IMAGE_PREFIX, Tree
from taskkit.errors import TaskError

CATALOG = "sklearn-catalog"
"""The name under which hubs list us."""
SOURCE = "https://github.com/sklearn-catalog/sklearn-catalog"
DESCRIPTION = "Tekton Tasks and Pipelines from a scikit-learn model's commit to an approved, immutable serving image"
KINDS = ("Task", "Pipeline")

_IMAGE = re.compile(rf"{re.escape(IMAGE_PREFIX)}(?P<program>[a-z0-9-]+):(?P<tag>[\w.-]+)")


def full_version(version: str) -> str:
    """``0.1`` as hubs write it: ``0.1.0``."""
    return ".".join([*version.split("."), "0", "0"][:3])


def version_order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in full_version(version).split("."))


@dataclass(frozen=True, order=True)
class ProgramImage:
    """An image of this catalog as its YAML names it."""

    program: str
    tag: str


@dataclass(frozen=True)
class CatalogObject:
    """One version of a Task or Pipeline. ``text`` is its YAML, ``body`` what kubectl reads in it."""

    kind: str
    name: str
    version: str
    folder: Path
    text: str
    body: dict[str, Any]

    @property
    def full_version(self) -> str:
        return full_version(self.version)

    @property
    def plural(self) -> str:
        return f"{self.kind.lower()}s"

    @property
    def annotations(self) -> dict[str, str]:
        found: dict[str, str] = self.body["metadata"].get("annotations") or {}
        return found

    @property
    def description(self) -> str:
        return str(self.body["spec"].get("description") or "").strip()

    @property
    def summary(self) -> str:
        return self.description.partition("\n")[0]

    def beside(self, name: str) -> str:
        """The text of a file in its folder (``README.md``) or the one above (``../CHANGELOG.md``), else empty."""
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    @property
    def samples(self) -> dict[str, str]:
        """File name → text."""
        found = sorted((self.folder / "samples").glob("*.yaml"))
        return {path.name: path.read_text(encoding="utf-8") for path in found}


def read_object(kind: str, name: str, version: str, path: Path) -> CatalogObject:
    """Raises TaskError for a file that is not the one object that its place says."""
    text = path.read_text(encoding="utf-8")
    body = read_body(text, str(path))
    if body.get("kind") != kind or (body.get("metadata") or {}).get("name") != name:
        raise TaskError(f"{path} holds {body.get('kind')} {(body.get('metadata') or {}).get('name')}", "check the tree")
    return CatalogObject(kind, name, version, path.parent, text, body)


def read_body(text: str, where: str) -> dict[str, Any]:
    """The one document of a YAML text. Raises TaskError."""
    found, faults = yamlreader.nodes(text)
    values = [yamlreader.plain(node)[0] for node in found]
    if faults or len(values) != 1 or not isinstance(values[0], dict):
        raise TaskError(f"{where} holds {len(values)} YAML documents, not one", "./scripts/lint says more")
    body: dict[str, Any] = values[0]
    return body


def read_objects(root: Path) -> tuple[CatalogObject, ...]:
    """Every version of every Task and Pipeline of a tree: Tasks first, by name, oldest first. Raises TaskError."""
    tree = Tree(root)
    found = tuple(
        read_object(kind, name, version, path)
        for kind in KINDS
        for name in tree.names(kind)
        for version in tree.versions(kind, name)
        if (path := tree.file(kind, name, version))
    )
    if not found:
        raise TaskError(f"{root} has no Tasks and no Pipelines", "run it from a checkout of the catalog")
    return found


def newest(objects: Sequence[CatalogObject]) -> tuple[CatalogObject, ...]:
    """Of each name the newest version, in the same order."""
    last = {(one.kind, one.name): one for one in objects}
    return tuple(one for one in objects if last[one.kind, one.name] is one)


def program_image(text: str) -> ProgramImage | None:
    """What a whole scalar names, or None for anything but an image of this catalog with a tag."""
    match = _IMAGE.fullmatch(text)
    return ProgramImage(match["program"], match["tag"]) if match else None


def program_images(objects: Sequence[CatalogObject]) -> tuple[ProgramImage, ...]:
    """All images of this catalog that they name, anywhere, as defaults of params too."""
    return tuple(sorted({image for one in objects for text in strings(one.body) if (image := program_image(text))}))


def strings(value: Any) -> Iterator[str]:
    """Every string in plain values, keys aside."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
