"""Workspaces and their volumes as folders of this machine.

A claim is one folder for the whole run, an ``emptyDir`` a fresh one for each TaskRun, a ConfigMap or Secret a folder
of files (with the ``..data`` link that Kubernetes makes), and ``--workspace name=folder`` that folder itself.
Source: docs/workspaces.md#specifying-volumesources-in-workspaces
"""

from __future__ import annotations

import base64
import binascii
import os
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from catalog.engine.documents import Document, Documents

FOLDER = "folder"
"""The key of a binding that ``--workspace name=folder`` made."""

_LINE_BREAKS = re.compile(r"[\r\n]")
"""Within base64 they are no error (Go's encoding/base64)."""
_PROJECTED = {"configMap": ("ConfigMap", "name"), "secret": ("Secret", "secretName")}


class WorkspaceError(ValueError):
    """A workspace cannot be provided as it is bound."""


def contents(document: Document) -> dict[str, bytes]:
    """The keys of a ConfigMap or Secret. Raises WorkspaceError for what is not base64."""
    body = document.body
    plain = {**(body.get("data") or {}), **(body.get("stringData") or {})}
    coded = dict(body.get("binaryData") or {})
    if document.kind == "Secret":
        coded, plain = body.get("data") or {}, body.get("stringData") or {}
    try:
        decoded = {key: base64.b64decode(_LINE_BREAKS.sub("", text), validate=True) for key, text in coded.items()}
    except (binascii.Error, TypeError, ValueError):
        raise WorkspaceError(f"{document.title}: a value is not base64; plain text goes to stringData") from None
    return {**decoded, **{key: str(text).encode() for key, text in plain.items()}}


def inside(folder: Path, sub_path: str) -> Path:
    """``folder/sub_path``; a sub path that leaves the folder raises WorkspaceError."""
    path = posixpath.normpath(sub_path) if sub_path else "."
    if path.startswith(("/", "../")) or path == "..":
        raise WorkspaceError(f"subPath {sub_path!r} leaves its volume; give a path inside it")
    return folder / path


def projected_files(source: Mapping[str, Any], kind: str, documents: Documents) -> dict[str, bytes]:
    """The files that one ``configMap`` or ``secret`` source yields. Raises WorkspaceError."""
    wanted, name_field = _PROJECTED[kind]
    name = source.get(name_field) or source.get("name") or ""
    document = documents.find(wanted, name)
    if document is None:
        if source.get("optional"):
            return {}
        known = ", ".join(documents.names(wanted)) or "none"
        raise WorkspaceError(
            f"{wanted} {name} is not among the documents given (there: {known}); "
            f"add it to the files, set optional: true, or use --workspace name=folder"
        )
    found = contents(document)
    if not source.get("items"):
        return found
    files = {}
    for item in source["items"]:
        if item["key"] in found:
            files[item["path"]] = found[item["key"]]
        elif not source.get("optional"):
            raise WorkspaceError(f"{document.title} has no key {item['key']} (there: {', '.join(found) or 'none'})")
    return files


def write_projection(folder: Path, files: Mapping[str, bytes]) -> None:
    """The files as the kubelet writes them: into a hidden folder, reached over the link ``..data``."""
    hidden = folder / "..2026_01_01_00_00_00.000000001"
    hidden.mkdir(parents=True)
    (folder / "..data").symlink_to(hidden.name)
    for name, content in files.items():
        target = inside(hidden, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        top = name.split("/")[0]
        if not (folder / top).is_symlink():
            (folder / top).symlink_to(f"..data/{top}")


@dataclass
class Volumes:
    """The volumes of one run below ``folder``; safe to be asked from several threads."""

    folder: Path
    documents: Documents
    _lock: Lock = field(default_factory=Lock, repr=False)
    _count: int = 0

    def fresh(self, label: str) -> Path:
        """An empty folder of its own."""
        with self._lock:
            self._count += 1
            path = self.folder / f"{label}-{self._count}"
        path.mkdir(parents=True)
        return path

    def claim(self, name: str) -> Path:
        """The folder of a claim: one and the same for all who name it in this run."""
        path = self.folder / "claims" / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def source(self, binding: Mapping[str, Any], label: str) -> Path:
        """The folder behind a workspace binding or a volume of a Task. Raises WorkspaceError."""
        if FOLDER in binding:
            return Path(binding[FOLDER])
        if (claim := binding.get("persistentVolumeClaim")) is not None:
            return self.claim(claim["claimName"])
        if "emptyDir" in binding:
            return self.fresh(label)
        files: dict[str, bytes] = {}
        projected = binding.get("projected") or {}
        for source in (binding, *(projected.get("sources") or ())):
            for kind in _PROJECTED:
                if (body := source.get(kind)) is not None:
                    files |= projected_files(body, kind, self.documents)
                elif source is not binding and not _PROJECTED.keys() & source.keys():
                    raise WorkspaceError(f"workspace {label}: {', '.join(source)} cannot be projected here")
        if not projected and not _PROJECTED.keys() & binding.keys():
            kinds = ", ".join(sorted(binding.keys() - {"name", "subPath"})) or "nothing"
            raise WorkspaceError(f"workspace {label} is bound to {kinds}, which needs a cluster; use --workspace")
        folder = self.fresh(label)
        write_projection(folder, files)
        return folder

    def workspace(self, binding: Mapping[str, Any], label: str) -> Path:
        """The folder of a bound workspace, its subPath included (made if it is not there)."""
        path = inside(self.source(binding, label), binding.get("subPath") or "")
        if not path.exists():  # else it may also be a file
            os.makedirs(path)
        return path


def unavailable(bindings: Iterable[Mapping[str, Any]], documents: Documents) -> list[str]:
    """What a dry look at the bindings finds missing, one message per workspace."""
    found = []
    for binding in bindings:
        for source in (binding, *((binding.get("projected") or {}).get("sources") or ())):
            for kind in _PROJECTED:
                if source.get(kind) is not None:
                    try:
                        projected_files(source[kind], kind, documents)
                    except WorkspaceError as error:
                        found.append(f"workspace {binding.get('name')}: {error}")
    return found
