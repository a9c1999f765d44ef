"""Kubernetes documents from YAML files and folders, each with the place of every field in its file.

Documents of all kinds are kept: ConfigMaps, Secrets and PersistentVolumeClaims that lie beside a run are what its
workspaces are filled from.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from catalog.engine import older, schema, yamlreader
from catalog.engine.findings import Finding, Level, Position

_STEP = re.compile(r'\.?([^.\[\]"]+)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]')
_VERSION = re.compile(r"\d+(\.\d+){1,2}")
_SIMPLE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SUFFIXES = {".yaml", ".yml"}
_OTHERS = {"node_modules", "vendor"}  # other people's files

FieldPath = tuple[str | int, ...]


def field_text(path: FieldPath) -> str:
    """``("spec", "tasks", 1, "params")`` as ``spec.tasks[1].params``; odd keys are written ``["a.b"]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _SIMPLE_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += '["' + part.replace("\\", "\\\\").replace('"', '\\"') + '"]'
    return text


def field_path(text: str) -> FieldPath:
    """The inverse of :func:`field_text`."""
    found: list[str | int] = []
    for match in _STEP.finditer(text):
        name, index, quoted = match.groups()
        if name is not None:
            found.append(name)
        elif index is not None:
            found.append(int(index))
        else:
            found.append(re.sub(r"\\(.)", r"\1", quoted))
    return tuple(found)


@dataclass(frozen=True)
class Document:
    """One YAML document.

    ``body`` holds plain Python values, read as kubectl reads them. In Tekton's documents empty (null) fields are gone
    and values of params and results are what Tekton makes of them: a string, a list or a dict of strings.
    ``name`` is empty where the name is left to be generated.
    """

    kind: str
    name: str
    api_version: str
    body: dict[str, Any]
    path: Path
    marks: yaml.nodes.Node = field(repr=False, compare=False)

    @property
    def is_tekton(self) -> bool:
        return self.api_version.partition("/")[0] == "tekton.dev"

    @property
    def title(self) -> str:
        """How messages call it: ``Task sklearn-train``."""
        name = self.name or f"{(self.body.get('metadata') or {}).get('generateName', '')}…"
        return f"{self.kind} {name}"

    def position(self, where: str | FieldPath, offset: int | None = None) -> Position:
        """The place of a field, or of the nearest thing around it that is there.

        ``offset`` counts characters into the field's text: inside a block of lines it finds the line itself.
        """
        path = field_path(where) if isinstance(where, str) else where
        node: yaml.nodes.Node = self.marks
        line = node.start_mark.line
        for part in path:
            step = _child(node, part)
            if step is None:
                break
            line, node = step
        else:
            if offset is not None and isinstance(node, yaml.ScalarNode) and node.style == "|":
                line = node.start_mark.line + 1 + node.value.count("\n", 0, offset)
        return Position(str(self.path), line + 1, where if isinstance(where, str) else field_text(path))


def _child(node: yaml.nodes.Node, part: str | int) -> tuple[int, yaml.nodes.Node] | None:
    """The line (from 0) and node of one step down; for a key the line is the key's, not its value's."""
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        if part < len(node.value):
            child = node.value[part]
            return child.start_mark.line, child
    elif isinstance(node, yaml.MappingNode):
        # The last of doubled keys counts.
        for key, value in reversed(node.value):
            if yamlreader.key_text(key) == str(part):
                return key.start_mark.line, value
    return None


@dataclass(frozen=True)
class Documents:
    """A collection of documents in the order in which they were read."""

    all: tuple[Document, ...] = ()

    def __iter__(self) -> Iterator[Document]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    def __add__(self, other: Documents) -> Documents:
        return Documents(self.all + other.all)

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], list[Document]]:
        index: dict[tuple[str, str], list[Document]] = {}
        for document in self.all:
            index.setdefault((document.kind, document.name), []).append(document)
        return index

    def of_kind(self, *kinds: str) -> tuple[Document, ...]:
        return tuple(document for document in self.all if document.kind in kinds)

    def find(self, kind: str, name: str, near: Path | None = None) -> Document | None:
        """The document of that kind and name: the first of :meth:`candidates`."""
        return next(iter(self.candidates(kind, name, near)), None)

    def candidates(self, kind: str, name: str, near: Path | None = None) -> list[Document]:
        """All documents of that kind and name that may be meant, the likeliest first.

        Of several (versions of a task, helpers of different tests) those whose files are nearest to the file that asks;
        first the newest version that is not above the asking one's, which a Pipeline of an older version was made for;
        among equals the last one, as with ``kubectl apply``.
        """
        found = self._by_name.get((kind, name), [])[::-1]
        if near is None or len(found) < 2:
            return found
        distances = [_shared(document.path, near) for document in found]
        nearest = [document for document, shared in zip(found, distances, strict=True) if shared == max(distances)]
        own = _version(near)

        def fits(document: Document) -> tuple[int, ...]:
            version = _version(document.path)
            return version if version <= own or not own else ()

        return sorted(nearest, key=fits, reverse=True)

    def names(self, kind: str) -> list[str]:
        return sorted({document.name for document in self.all if document.kind == kind and document.name})

    @classmethod
    def load(cls, paths: Iterable[str | Path]) -> tuple[Documents, list[Finding]]:
        """All documents of the files, and of the YAML files anywhere below the folders (hidden ones and other
        people's, such as ``vendor``, left out).

        In a folder, YAML that is no Kubernetes document (neither ``apiVersion`` nor ``kind``) is passed over; a file
        that was named itself must hold documents. What cannot be read is a finding, never an exception.
        """
        documents: list[Document] = []
        findings: list[Finding] = []
        for path, named in _files(paths):
            if (text := _text(path, findings)) is not None:
                documents += _documents(path, text, named, findings)
        return cls(tuple(documents)), findings


def _shared(one: Path, other: Path) -> int:
    """How many leading parts two paths have in common."""
    count = 0
    for ours, theirs in zip(one.absolute().parts, other.absolute().parts, strict=False):
        if ours != theirs:
            break
        count += 1
    return count


def _version(path: Path) -> tuple[int, ...]:
    """The numbers of the version folder that a file of a catalog lies in; empty for any other file."""
    folder = next((name for name in reversed(path.parts[:-1]) if _VERSION.fullmatch(name)), "")
    return tuple(int(number) for number in folder.split(".")) if folder else ()


def _files(paths: Iterable[str | Path]) -> Iterator[tuple[Path, bool]]:
    seen: set[Path] = set()
    for path in map(Path, paths):
        found = sorted(_below(path), key=_natural) if path.is_dir() else [path]
        for file in found:
            if (key := Path(os.path.abspath(file))) not in seen:
                seen.add(key)
                yield file, file is path


def _natural(path: Path) -> tuple[tuple[int | str, ...], ...]:
    """An order in which version 0.10 comes after 0.9."""
    return tuple(
        tuple(int(piece) if index % 2 else piece for index, piece in enumerate(re.split(r"(\d+)", part)))
        for part in path.parts
    )


def _below(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _OTHERS]
        for name in files:
            if os.path.splitext(name)[1] in _SUFFIXES and not name.startswith("."):
                yield Path(where, name)


def _text(path: Path, findings: list[Finding]) -> str | None:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        problem, remedy = "no such file or folder", "check the path"
    except UnicodeDecodeError as error:
        problem, remedy = f"not UTF-8 text (byte {error.start})", "save it as UTF-8"
    except OSError as error:
        problem, remedy = f"cannot be read: {error.strerror or error}", "check its permissions"
    findings.append(Finding(Level.ERROR, "file", problem, remedy, Position(str(path), 1)))
    return None


def _documents(path: Path, text: str, named: bool, findings: list[Finding]) -> Iterator[Document]:
    nodes, faults = yamlreader.nodes(text)
    findings += [_fault(path, fault) for fault in faults]
    for node in nodes:
        body, faults = yamlreader.plain(node)
        is_document = isinstance(body, dict) and ("apiVersion" in body or "kind" in body)
        if not is_document and not named:
            continue
        findings += [_fault(path, fault) for fault in faults]
        if not is_document:
            here = Position(str(path), node.start_mark.line + 1)
            message = "no Kubernetes document: it has neither apiVersion nor kind"
            findings.append(Finding(Level.ERROR, "document", message, "begin it with apiVersion and kind", here))
        elif not any(fault.fatal for fault in faults):
            yield _document(path, node, body)
    if named and not nodes and not faults:
        here = Position(str(path), 1)
        findings.append(Finding(Level.ERROR, "document", "the file holds no document", "check the path", here))


def _document(path: Path, node: yaml.nodes.Node, body: dict[str, Any]) -> Document:
    metadata = body.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    kind = str(body.get("kind") or "")
    api_version = str(body.get("apiVersion") or "")
    return Document(
        kind=kind,
        name=name if isinstance(name, str) else "",
        api_version=api_version,
        body=_as_stored(body, kind, api_version),
        path=path,
        marks=node,
    )


def _as_stored(body: dict[str, Any], kind: str, api_version: str) -> dict[str, Any]:
    if api_version in schema.VERSIONS.get(kind, ()):
        stored: dict[str, Any] = schema.stored(body, kind)
        return stored
    if api_version == schema.OLDER.get(kind):
        return older.as_v1(schema.stored(body, kind), kind)
    return body


def _fault(path: Path, fault: yamlreader.Fault) -> Finding:
    here = Position(str(path), fault.line)
    if fault.fatal:
        remedy = "put a template's braces in quotes" if "no plain text" in fault.message else "mend the YAML"
        return Finding(Level.ERROR, "yaml", f"not readable as YAML: {fault.message}", remedy, here)
    return Finding(Level.WARNING, "duplicate-key", f"{fault.message}; only the last one counts", "remove one", here)
