"""Blobs: bytes addressed by their digest, read as a stream as often as needed, never held in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from taskkit.canonical import CHUNK, digest_of
from taskkit.errors import IntegrityError
from taskkit.oci.documents import Descriptor
from taskkit.oci.references import RegistryReference

Chunks = Iterator[bytes]


@dataclass(frozen=True)
class Blob:
    """``read(offset)`` gives the bytes from there on. ``home``: a repository to mount it from, where there is one."""

    descriptor: Descriptor
    read: Callable[[int], Chunks]
    home: RegistryReference | None = None

    @property
    def digest(self) -> str:
        return self.descriptor.digest

    @property
    def size(self) -> int:
        return self.descriptor.size

    def checked(self, offset: int = 0) -> Chunks:
        """The bytes; raises IntegrityError before the last chunk is handed out where size or digest differ.

        From an offset only the size can be checked.
        """
        sha, size, last = hashlib.sha256(), offset, b""
        for chunk in self.read(offset):
            sha.update(chunk)
            size += len(chunk)
            if last:
                yield last
            last = chunk
        found = self.digest if offset else f"sha256:{sha.hexdigest()}"
        if size != self.size or found != self.digest:
            raise IntegrityError(
                f"blob {self.digest} ({self.size} bytes) came as {found} ({size} bytes)",
                "it was damaged on its way or changed while it was read; run again",
            )
        if last:
            yield last


def bytes_blob(content: bytes, media_type: str) -> Blob:
    descriptor = Descriptor(media_type, digest_of(content), len(content))
    return Blob(descriptor, lambda offset: iter([content[offset:]] if offset < len(content) else []))


def described(
    chunks: Callable[[], Iterable[bytes]], media_type: str, annotations: dict[str, str] | None = None
) -> Blob:
    """A blob of bytes that are made anew for every reading; one reading is spent here on size and digest."""
    sha, size = hashlib.sha256(), 0
    for chunk in chunks():
        sha.update(chunk)
        size += len(chunk)
    descriptor = Descriptor(media_type, f"sha256:{sha.hexdigest()}", size)
    if annotations:
        descriptor = replace_annotations(descriptor, annotations)
    return Blob(descriptor, lambda offset: skipping(chunks(), offset))


def replace_annotations(descriptor: Descriptor, annotations: dict[str, str]) -> Descriptor:
    import msgspec

    return msgspec.structs.replace(descriptor, annotations=annotations)


def at_home(blob: Blob, home: RegistryReference) -> Blob:
    return replace(blob, home=home)


def skipping(chunks: Iterable[bytes], offset: int) -> Chunks:
    """The chunks without their first ``offset`` bytes."""
    for chunk in chunks:
        if offset >= len(chunk):
            offset -= len(chunk)
            continue
        yield chunk[offset:] if offset else chunk
        offset = 0


def file_chunks(path: str, offset: int = 0) -> Chunks:
    """Raises OSError."""
    with open(path, "rb", buffering=0) as stream:
        stream.seek(offset)
        while chunk := stream.read(CHUNK):
            yield chunk
