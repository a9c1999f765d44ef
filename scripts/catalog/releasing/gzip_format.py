"""Gzip in stored blocks (RFC 1951 3.2.4, RFC 1952): bytes that depend on the content alone.

Compressors differ between builds of zlib, and digests with them. What goes through here has a few kilobytes.
"""

from __future__ import annotations

import struct
import zlib

_HEADER = bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255])  # no name, no time, unknown system
_LONGEST = 0xFFFF


def stored(content: bytes) -> bytes:
    """A gzip file that any reader unpacks to ``content``."""
    pieces = [content[start : start + _LONGEST] for start in range(0, len(content), _LONGEST)] or [b""]
    blocks = [
        struct.pack("<BHH", number == len(pieces), len(piece), len(piece) ^ _LONGEST) + piece
        for number, piece in enumerate(pieces, 1)
    ]
    return _HEADER + b"".join(blocks) + struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)
