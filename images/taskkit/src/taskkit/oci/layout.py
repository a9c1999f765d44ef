"""OCI image layouts: a folder with ``oci-layout``, ``index.json`` and ``blobs/sha256``.

Blobs appear whole or not at all; ``index.json`` is replaced at once, after everything it leads to is there.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from taskkit.canonical import hash_file
from taskkit.errors import IntegrityError, TaskError
from taskkit.model_directory import writing_remedy
from taskkit.oci.content import Blob, bytes_blob, file_chunks
from taskkit.oci.documents import (
    DOCUMENT_LIMIT,
    INDEX,
    REF_NAME,
    Descriptor,
    Document,
    Index,
    document,
    media_type_of,
    parse_index,
)
from taskkit.oci.references import DIGEST

_MARKER = b'{"imageLayoutVersion":"1.0.0"}'
_NEW = ".new-"


class Layout:
    """A layout in a folder; ``name`` is how messages call it."""

    def __init__(self, path: Path, name: str = "") -> None:
        self.path = path
        self.name = name or str(path)

    def index(self) -> Index:
        """What is in it; empty where there is no layout yet. Raises TaskError."""
        where = self.path / "index.json"
        try:
            return parse_index(where.read_bytes(), str(where))
        except (FileNotFoundError, NotADirectoryError):
            return Index(media_type=INDEX)
        except OSError as error:
            raise TaskError(
                f"can't read {where} ({error.strerror})", "give the folder of an OCI image layout"
            ) from error

    def find(self, tag: str = "", digest: str = "") -> Descriptor | None:
        """The entry with this digest, or with this tag; with neither, the one without a tag, else the only one."""
        entries = self.index().manifests
        if digest:
            return next((entry for entry in entries if entry.digest == digest), None)
        found = [entry for entry in entries if entry.annotations.get(REF_NAME, "") == tag]
        if not found and not tag and len(entries) == 1:
            return entries[0]
        return found[-1] if found else None

    def tags(self) -> tuple[str, ...]:
        return tuple(sorted(entry.annotations.get(REF_NAME, "") for entry in self.index().manifests))

    def document(self, descriptor: Descriptor) -> Document:
        """A manifest, index or config, its digest checked. Raises TaskError."""
        where = self._blob_path(descriptor.digest)
        try:
            if where.stat().st_size > DOCUMENT_LIMIT:
                raise TaskError(f"{where} is larger than {DOCUMENT_LIMIT} bytes", "this is no image manifest or config")
            content = where.read_bytes()
        except OSError as error:
            raise self._missing(descriptor.digest, error) from error
        found = bytes_blob(content, descriptor.media_type).descriptor
        if found.digest != descriptor.digest:
            raise IntegrityError(f"{where} has digest {found.digest}", "the layout is damaged; build it again")
        return Document(content, found)

    def manifest(self, descriptor: Descriptor) -> Document:
        """A manifest or index with the media type that it really has."""
        found = self.document(descriptor)
        kind = media_type_of(found.content, descriptor.media_type, f"{self.name}@{descriptor.digest}")
        return Document(found.content, msgspec.structs.replace(found.descriptor, media_type=kind))

    def blob(self, descriptor: Descriptor) -> Blob:
        """Checked when it is read through ``Blob.checked``."""

        def read(offset: int) -> Iterator[bytes]:
            try:
                yield from file_chunks(str(self._blob_path(descriptor.digest)), offset)
            except OSError as error:
                raise self._missing(descriptor.digest, error) from error

        return Blob(descriptor, read)

    def add(self, blob: Blob) -> bool:
        """Writes a blob, its digest checked; False where it was there already, whole. Raises TaskError."""
        target = self._blob_path(blob.digest)
        with self._writing():
            if target.is_file() and hash_file(target) == (blob.digest.partition(":")[2], blob.size):
                return False
            target.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(target, blob.checked())
        return True

    def name_image(self, root: Descriptor, tag: str) -> bool:
        """Makes ``tag`` (empty: the entry without one) lead to ``root``; False where it did already."""
        with self._writing(), self._locked():
            marker = self.path / "oci-layout"
            if not marker.is_file():
                _write_whole(marker, [_MARKER])
            entry = msgspec.structs.replace(root, annotations={REF_NAME: tag} if tag else {})
            before = self.index()
            others = [one for one in before.manifests if one.annotations.get(REF_NAME, "") != tag]
            entries = tuple(sorted([*others, entry], key=lambda one: (one.annotations.get(REF_NAME, ""), one.digest)))
            if entries == before.manifests:
                return False
            after = document(Index(media_type=INDEX, manifests=entries, annotations=before.annotations), INDEX)
            _write_whole(self.path / "index.json", [after.content])
            return True

    @contextmanager
    def writer(self) -> Iterator[None]:
        """What a build does in here, it does within. Raises TaskError.

        Files that killed builds left half-written go away first, unless another build is at work: writers share a lock,
        which the system takes from them however they end.
        """
        blobs = self.path / "blobs" / "sha256"
        with self._writing():
            blobs.mkdir(parents=True, exist_ok=True)
            folder = os.open(blobs, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with self._writing():
                with suppress(BlockingIOError):
                    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._remove_leftovers(blobs)
                fcntl.flock(folder, fcntl.LOCK_SH)
            yield
        finally:
            os.close(folder)

    def _remove_leftovers(self, blobs: Path) -> None:
        for leftover in (*self.path.glob(f"{_NEW}*"), *blobs.glob(f"{_NEW}*")):
            with suppress(OSError):
                leftover.unlink()

    def _blob_path(self, digest: str) -> Path:
        if not DIGEST.fullmatch(digest):
            raise TaskError(f"{self.name} names the digest '{digest}'", "only sha256 digests can be read")
        return self.path / "blobs" / "sha256" / digest.partition(":")[2]

    def _missing(self, digest: str, error: OSError) -> TaskError:
        return TaskError(
            f"{self.name} has no readable blob {digest} ({error.strerror})", "the layout is incomplete; build it again"
        )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            yield
        except OSError as error:
            nearest = next(folder for folder in (self.path, *self.path.parents) if folder.exists())
            where = error.filename or self.path
            raise TaskError(f"can't write {where} ({error.strerror})", writing_remedy(error, nearest)) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Two builds may write to one layout: only one at a time changes what it lists."""
        folder = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


def _write_whole(target: Path, chunks: Iterable[bytes]) -> None:
    descriptor, name = tempfile.mkstemp(prefix=_NEW, dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            for chunk in chunks:
                stream.write(chunk)
            os.fchmod(stream.fileno(), 0o664)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise
