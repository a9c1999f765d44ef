"""Canonical JSON and digests; and whether a file is a JSON document of ours.

Canonical means here: UTF-8, keys sorted by code point, no white space, floats by their shortest decimal that reads
back the same (Python's repr), no NaN and no infinity, one line feed at the end.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection
from typing import Any, BinaryIO

CHUNK = 1 << 20


def canonical_json(document: Any) -> bytes:
    """The canonical bytes of a document of plain values. Raises ValueError for NaN and infinity."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def digest_of(content: bytes) -> str:
    """``sha256:<hex>`` of bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def hash_stream(stream: BinaryIO) -> tuple[str, int]:
    """(hex sha256, size in bytes) of a stream, read once in flat memory."""
    sha, size = hashlib.sha256(), 0
    while chunk := stream.read(CHUNK):
        sha.update(chunk)
        size += len(chunk)
    return sha.hexdigest(), size


def hash_file(path: str | os.PathLike[str]) -> tuple[str, int]:
    """(hex sha256, size in bytes) of a file. Raises OSError."""
    with open(path, "rb", buffering=0) as stream:
        return hash_stream(stream)


def is_json_object(path: str | os.PathLike[str], keys: Collection[str]) -> bool:
    """Whether a file is there and holds a JSON object with these keys, and maybe more."""
    try:
        with open(path, "rb") as stream:
            document = json.load(stream)
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.keys() >= set(keys)
