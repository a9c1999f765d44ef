"""Pickle files as streams: compressed ones are opened, positions are counted, sizes are bounded.

joblib compresses with zlib, gzip, bz2, lzma, xz or lz4 and tells them apart by their first bytes; so do we.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from taskkit.canonical import CHUNK
from taskkit.errors import TaskError

RATIO_LIMIT = 1000
"""A file that unpacks to more than this many times its size (and a gigabyte) is a trap, not a model."""
_FREE = 1 << 30


class MalformedPickleError(Exception):
    """The stream is no pickle that Python writes. The message is a clause: 'ends in the middle'."""


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _ZlibFile(io.RawIOBase):
    """joblib's default compression: a bare zlib stream."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._inflater = zlib.decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._inflater.eof:
            packed = self._inflater.unconsumed_tail or self._source.read(1 << 16)
            if not packed:
                raise EOFError("compressed data ends in the middle")
            if found := self._inflater.decompress(packed, len(buffer)):
                buffer[: len(found)] = found
                return len(found)
        return 0


def _lz4(source: BinaryIO) -> Readable:
    try:
        import lz4.frame  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError as error:
        raise TaskError(
            f"{source.name} is compressed with lz4, which is not installed here",
            "save it with joblib's compress='zlib', or add lz4 to the requirements",
        ) from error
    return cast("Readable", lz4.frame.LZ4FrameFile(source, mode="rb"))


def _gzip(source: BinaryIO) -> Readable:
    return gzip.GzipFile(fileobj=source, mode="rb")


def _zlib(source: BinaryIO) -> Readable:
    return io.BufferedReader(_ZlibFile(source))


_OPENERS: tuple[tuple[bytes, Callable[[BinaryIO], Readable]], ...] = (
    (b"\x1f\x8b", _gzip),
    (b"BZ", bz2.BZ2File),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
    (b"\x5d\x00", lzma.LZMAFile),
    (b"\x04\x22\x4d\x18", _lz4),
    (b"\x78", _zlib),
)
_OLD_JOBLIB = b"ZF"


class PickleStream:
    """Reads with a count; never hands out fewer bytes than asked for. Raises MalformedPickleError."""

    def __init__(self, source: Readable, limit: int) -> None:
        self._source = source
        self._limit = limit
        self._buffer = b""
        self._at = 0
        self._read = 0

    @property
    def position(self) -> int:
        """Bytes handed out so far."""
        return self._read - (len(self._buffer) - self._at)

    def read(self, size: int) -> bytes:
        if size <= len(self._buffer) - self._at:
            self._at += size
            return self._buffer[self._at - size : self._at]
        parts, missing = [self._buffer[self._at :]], size - (len(self._buffer) - self._at)
        self._buffer, self._at = b"", 0
        while missing > 0:
            # Never believes a size before the bytes are there: a length of 2**62 must not be allocated.
            chunk = self._fill(min(missing, CHUNK)) if missing >= CHUNK else self._fill(CHUNK)
            if not chunk:
                raise MalformedPickleError("ends in the middle")
            parts.append(chunk[:missing])
            if len(chunk) > missing:
                self._buffer, self._at = chunk, missing
            missing -= len(parts[-1])
        return b"".join(parts)

    def readline(self) -> bytes:
        line = bytearray()
        while not line.endswith(b"\n"):
            line += self.read(1)
            if len(line) > CHUNK:
                raise MalformedPickleError("has a line that never ends")
        return bytes(line)

    def skip(self, size: int) -> None:
        while size > 0:
            size -= len(self.read(min(size, CHUNK)))

    def _fill(self, size: int) -> bytes:
        try:
            chunk = self._source.read(size)
        except (EOFError, OSError, zlib.error, lzma.LZMAError, ValueError, RuntimeError) as error:
            raise MalformedPickleError(f"can't be unpacked ({' '.join(str(error).split())})") from error
        self._read += len(chunk)
        if self._read > self._limit:
            raise MalformedPickleError(f"unpacks to more than {RATIO_LIMIT} times its size")
        return chunk


def pickle_stream(source: BinaryIO, size: int) -> PickleStream:
    """A stream of the pickle in an open file of ``size`` bytes, unpacked where it is compressed. Raises TaskError."""
    start = source.read(8)
    source.seek(0)
    if start.startswith(_OLD_JOBLIB):
        raise TaskError(f"{source.name} was saved by a joblib older than 0.10", "save it again with a current joblib")
    for prefix, opener in _OPENERS:
        if start.startswith(prefix):
            return PickleStream(opener(source), RATIO_LIMIT * size + _FREE)
    return PickleStream(source, size + 1)


def open_file(path: Path) -> BinaryIO:
    """Raises TaskError."""
    try:
        return path.open("rb")
    except OSError as error:
        raise TaskError(f"can't read {path} ({error.strerror})", "train again") from error
