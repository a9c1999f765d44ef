"""Paths that users give and that may not leave the folder they are relative to."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from taskkit.errors import UsageError


def confined(root: Path, given: str, what: str) -> Path:
    """``root / given`` with links resolved. ``what`` names the param in the error.

    Raises UsageError where the path is empty or absolute outside root, or leaves root by ``..`` or by a link.
    """
    if not given or "\0" in given:
        raise UsageError(
            f"{what} is empty" if not given else f"{what} holds a null byte", "give a path in the workspace"
        )
    root = root.resolve()
    path = Path(os.path.realpath(root / given))
    if path != root and root not in path.parents:
        raise UsageError(f"{what} '{given}' leads out of the workspace", f"give a path below {root}")
    return path


def relative_name(path: str) -> bool:
    """Whether a name in a manifest is a plain relative path: no root, no '..', no empty or '.' part."""
    return path != "" and "\\" not in path and "\0" not in path and str(PurePosixPath(path)) == path and not (
        PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts
    )  # fmt: skip
