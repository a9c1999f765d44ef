"""Layers whose bytes depend on names and contents alone: sorted, owner 0:0, modes 0644 and 0755, time 0.

Layers are plain tar. Models of numbers hardly shrink, compressors differ between builds of zlib (and the digest with
them), and a user who wants a small file saves with joblib's ``compress``.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from taskkit.canonical import CHUNK
from taskkit.confined_paths import relative_name
from taskkit.errors import IntegrityError
from taskkit.oci.content import Blob, described
from taskkit.oci.documents import LAYER_TAR

_BLOCK = 512


@dataclass(frozen=True)
class DiskFile:
    """A file that must still have this size and hex sha256 when it is packed."""

    name: str
    path: Path
    size: int
    sha256: str


@dataclass(frozen=True)
class InlineFile:
    name: str
    content: bytes


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    name: str
    target: str


Entry = DiskFile | InlineFile | Link


def layer(entries: Iterable[Entry], annotations: dict[str, str] | None = None) -> Blob:
    """A layer of files and links; folders come by themselves. Names are relative to the root, with forward slashes.

    Raises ValueError for a name twice, a file below a file, or a name that is no plain relative path;
    IntegrityError where a file is not what it should be, now or when the layer is read again.
    """
    ordered = sorted(entries, key=lambda entry: entry.name)
    names = {entry.name for entry in ordered}
    if len(names) != len(ordered):
        raise ValueError("a name occurs twice in a layer")
    folders = sorted({folder for name in names for folder in _folders(name)})
    for name in names:
        if not relative_name(name):
            raise ValueError(f"'{name}' is not a plain relative path")
    if clash := names & set(folders):
        raise ValueError(f"'{min(clash)}' is a file and a folder")
    return described(lambda: _tar(folders, ordered), LAYER_TAR, annotations)


def _folders(name: str) -> Iterator[str]:
    parts = name.split("/")[:-1]
    for count in range(1, len(parts) + 1):
        yield "/".join(parts[:count])


def _tar(folders: list[str], entries: list[Entry]) -> Iterator[bytes]:
    for folder in folders:
        yield _header(f"{folder}/", tarfile.DIRTYPE, 0o755)
    for entry in entries:
        if isinstance(entry, Link):
            yield _header(entry.name, tarfile.SYMTYPE, 0o777, link=entry.target)
        elif isinstance(entry, InlineFile):
            yield _header(entry.name, tarfile.REGTYPE, 0o644, len(entry.content)) + _padded(entry.content)
        else:
            yield _header(entry.name, tarfile.REGTYPE, 0o644, entry.size)
            yield from _disk_content(entry)
            yield b"\0" * (-entry.size % _BLOCK)
    yield b"\0" * (2 * _BLOCK)


def _header(name: str, kind: bytes, mode: int, size: int = 0, link: str = "") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.linkname = kind, mode, size, link
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def _padded(content: bytes) -> bytes:
    return content + b"\0" * (-len(content) % _BLOCK)


def _disk_content(entry: DiskFile) -> Iterator[bytes]:
    sha, size = hashlib.sha256(), 0
    descriptor = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        while size < entry.size and (chunk := stream.read(min(CHUNK, entry.size - size))):
            sha.update(chunk)
            size += len(chunk)
            yield chunk
        more = stream.read(1)
    if size != entry.size or more or sha.hexdigest() != entry.sha256:
        raise IntegrityError(
            f"{entry.path} changed while the image was built", "let nothing else write there; run again"
        )
