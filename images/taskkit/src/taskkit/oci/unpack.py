"""An image's file system in a directory: every digest checked, every path and link kept inside.

For starting a server on the very image that was built, and for tests. Ownership, devices and set-uid bits are left out.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import posixpath
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from taskkit.canonical import CHUNK
from taskkit.errors import IntegrityError, TaskError
from taskkit.model_directory import replacing
from taskkit.oci.content import Chunks
from taskkit.oci.documents import LAYER_GZIP, LAYER_TAR, OCI_OF_DOCKER
from taskkit.oci.images import PlatformImage, read_base
from taskkit.oci.layout import Layout

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


@dataclass(frozen=True)
class Unpacked:
    """``digest``: of the manifest or index that was asked for. ``config``: the image's config."""

    digest: str
    config: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        """What the image sets: names and values of ``Env``."""
        lines = (self.config.get("config") or {}).get("Env") or []
        return dict(line.split("=", 1) for line in lines if "=" in line)


def unpack(
    layout: Layout, directory: Path, tag: str = "", digest: str = "", platform: str = "", below: str = ""
) -> Unpacked:
    """Unpacks the image with this digest or tag (neither: the layout's only one) to a new ``directory``.

    ``platform``: which image of an index, for example ``linux/amd64``; by default its first. ``below``: only what lies
    below this folder, for example ``models``. What was at ``directory`` is replaced when all went well.
    Raises IntegrityError where a digest differs, TaskError for anything that would leave the directory.
    """
    root = layout.find(tag, digest)
    if root is None:
        raise TaskError(
            f"{layout.name} has no image {digest or tag or 'without a tag'}", f"it has: {', '.join(layout.tags())}"
        )
    images = read_base(layout, layout.manifest(root)).platforms
    image = next((one for one in images if not platform or str(one.platform) == platform), None)
    if image is None:
        raise TaskError(
            f"{layout.name} has no image for {platform}", f"it has: {', '.join(str(one.platform) for one in images)}"
        )
    with replacing(directory) as fresh:
        for at, layer in enumerate(image.layers):
            _apply(layer.checked(), layer.descriptor.media_type, _diff_id(image, at), _Tree(fresh, below), layer.digest)
    return Unpacked(root.digest, image.config)


def _diff_id(image: PlatformImage, at: int) -> str:
    return str(image.config["rootfs"]["diff_ids"][at])


class _ChunkFile(io.RawIOBase):
    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


class _Hashed(io.RawIOBase):
    """Hashes what is read through it."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.sha256 = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        chunk = self._source.read(len(buffer))
        self.sha256.update(chunk)
        buffer[: len(chunk)] = chunk
        return len(chunk)


def _apply(chunks: Chunks, media_type: str, diff_id: str, tree: _Tree, digest: str) -> None:
    kind = OCI_OF_DOCKER.get(media_type, media_type)
    if kind not in (LAYER_TAR, LAYER_GZIP):
        raise TaskError(f"layer {digest} is of type {media_type}", "only plain and gzip layers can be unpacked here")
    packed = cast("BinaryIO", io.BufferedReader(_ChunkFile(chunks), CHUNK))
    hashed = _Hashed(cast("BinaryIO", gzip.GzipFile(fileobj=packed)) if kind == LAYER_GZIP else packed)
    plain = io.BufferedReader(hashed, CHUNK)
    try:
        with tarfile.open(fileobj=plain, mode="r|") as tar:
            for member in tar:
                tree.add(member, tar)
        while plain.read(CHUNK):
            pass  # to the end, where the digests are known
    except (tarfile.TarError, EOFError, gzip.BadGzipFile) as error:
        raise IntegrityError(f"layer {digest} is no archive ({error})", "build the image again") from error
    if f"sha256:{hashed.sha256.hexdigest()}" != diff_id:
        raise IntegrityError(
            f"layer {digest} unpacks to sha256:{hashed.sha256.hexdigest()}, not {diff_id}", "build the image again"
        )


class _Tree:
    """The directory that is being made."""

    def __init__(self, root: Path, below: str) -> None:
        self._root = root
        self._below = posixpath.normpath(below).strip("/") if below else ""

    def add(self, member: tarfile.TarInfo, tar: tarfile.TarFile) -> None:
        name = self._inside(member.name)
        if name == "." or not self._wanted(name):
            return
        head, tail = posixpath.split(name)
        if tail.startswith(_WHITEOUT):
            self._whiteout(head, tail)
            return
        path = self._real(head) / tail
        if member.isdir():
            if path.is_symlink() or (path.exists() and not path.is_dir()):
                path.unlink()
            path.mkdir(exist_ok=True)
            path.chmod(member.mode & 0o777 | 0o700)
            return
        _remove(path)
        if member.issym():
            self._check_link(head, member)
            path.symlink_to(member.linkname)
        elif member.islnk():
            source = self._real(posixpath.dirname(self._inside(member.linkname))) / posixpath.basename(member.linkname)
            if source.is_symlink() or not source.is_file():
                raise TaskError(
                    f"'{member.name}' is a link to '{member.linkname}', which is no file", "build the image again"
                )
            path.hardlink_to(source)
        elif member.isfile():
            with path.open("xb") as target, cast("BinaryIO", tar.extractfile(member)) as content:
                shutil.copyfileobj(content, target, CHUNK)
            path.chmod(member.mode & 0o777 | 0o600)
        else:
            raise TaskError(f"'{member.name}' is a device or a pipe", "unpack images of plain files only")

    def _inside(self, name: str) -> str:
        parts = name.split("/")
        if name.startswith("/") or ".." in parts or "\0" in name:
            raise TaskError(f"'{name}' leads out of the image", "build the image again")
        return posixpath.normpath(name)

    def _wanted(self, name: str) -> bool:
        return not self._below or name == self._below or name.startswith(f"{self._below}/")

    def _real(self, folder: str) -> Path:
        """The folder, made where it is missing; no part of it may be a link, which could lead anywhere."""
        path = self._root
        for part in folder.split("/") if folder else ():
            path /= part
            if path.is_symlink() or (path.exists() and not path.is_dir()):
                raise TaskError(f"'{folder}' goes through a link or a file", "build the image again")
            path.mkdir(exist_ok=True)
        return path

    def _check_link(self, folder: str, member: tarfile.TarInfo) -> None:
        target = posixpath.normpath(posixpath.join(folder, member.linkname))
        if posixpath.isabs(member.linkname) or target == ".." or target.startswith("../"):
            raise TaskError(
                f"'{member.name}' is a link to '{member.linkname}', out of the image", "build the image again"
            )

    def _whiteout(self, head: str, tail: str) -> None:
        folder = self._real(head)
        if tail == _OPAQUE:
            for path in _children(folder):
                _remove(path)
        else:
            name = tail.removeprefix(_WHITEOUT)
            if name in ("", ".", ".."):
                raise TaskError(f"'{head}/{tail}' removes nothing in the image", "build the image again")
            _remove(folder / name)


def _children(folder: Path) -> Iterator[Path]:
    yield from [folder / name for name in os.listdir(folder)]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
