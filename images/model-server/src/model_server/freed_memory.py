"""What malloc does with freed memory: by itself glibc gives it back after each batch of rows, and takes it again for
the next one, cleared by the kernel page by page, which is up to two thirds of the time of a batch."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # mallopt(3)
KEPT = 32 << 20
"""Bytes of free memory that stay with the process."""
LARGEST = 8 << 20
"""Bytes; what is larger is given back as soon as it is freed."""


def keep_freed_memory() -> None:
    """For this process, from now on; nothing where the C library is another one than glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, KEPT)
        mallopt(_M_MMAP_THRESHOLD, LARGEST)
