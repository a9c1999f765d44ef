"""The files that belong to the tree, and findings about them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from catalog.engine.findings import Finding, Level, Position

_MADE = {"__pycache__", "build", "dist"}


def tree_files(root: Path, *endings: str) -> list[str]:
    """Paths relative to the root of all files with one of the endings (all without any): what git tracks or would add.

    Without git or a checkout: everything that is neither hidden nor made, and .github.
    """
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listing = subprocess.run(command, capture_output=True, check=True).stdout.decode()
        names = [name for name in listing.split("\0") if name and (root / name).is_file()]
    except (OSError, subprocess.CalledProcessError):
        names = list(_walk(root))
    return sorted({name for name in names if not endings or name.endswith(endings)})


def _walk(root: Path) -> Iterator[str]:
    for where, folders, files in os.walk(root):
        folders[:] = [name for name in folders if (name[0] != "." or name == ".github") and name not in _MADE]
        for name in files:
            yield os.path.relpath(os.path.join(where, name), root)


def text_of(root: Path, name: str) -> str | None:
    """The text of a file, None where it is no text."""
    content = (root / name).read_bytes()
    if b"\0" in content[:8192]:
        return None
    return content.decode(errors="replace")


def finding(file: str, line: int, rule: str, message: str, remedy: str) -> Finding:
    return finding_at(Position(file, line), rule, message, remedy)


def finding_at(position: Position, rule: str, message: str, remedy: str) -> Finding:
    return Finding(Level.ERROR, rule, message, remedy, position)
