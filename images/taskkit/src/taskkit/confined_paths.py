"""Paths that users give and that may not leave the folder they are relative to."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from taskkit.errors import UsageError


def confined(root: Path, given: str, what: str) -> Path:
    """``root / given`` with links resolved. ``what`` names the param in the error.

    Raises UsageError where the path is empty, longer than the system allows, absolute outside root, or leaves root by
    ``..`` or by a link.
    """
    if not given or "\0" in given:
        raise UsageError(
            f"{what} is empty" if not given else f"{what} holds a null byte", "give a path in the workspace"
        )
    root = root.resolve()
    if _too_long(os.fspath(root / given)):
        raise UsageError(f"{what} '{given[:40]}…' is longer than a path may be ({len(given)} characters)",
                         "give a path in the workspace")  # fmt: skip
    path = Path(os.path.realpath(root / given))
    if path != root and root not in path.parents:
        raise UsageError(f"{what} '{given}' leads out of the workspace", f"give a path below {root}")
    return path


def _too_long(path: str) -> bool:
    """limits.h: PATH_MAX counts the byte at the end, NAME_MAX does not."""
    return len(os.fsencode(path)) >= 4096 or any(len(os.fsencode(part)) > 255 for part in path.split("/"))


def relative_name(path: str) -> bool:
    """Whether a name in a manifest is a plain relative path: no root, no '..', no empty or '.' part."""
    return path != "" and "\\" not in path and "\0" not in path and str(PurePosixPath(path)) == path and not (
        PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts
    )  # fmt: skip
