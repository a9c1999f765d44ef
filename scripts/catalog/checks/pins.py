"""What Dockerfiles build on and workflows use is pinned. (Steps of Tasks: see :mod:`catalog.rules.images`.)"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from catalog.checks.tree_files import finding, tree_files
from catalog.engine.findings import Finding
from catalog.tree import program_of

_REFERENCE = re.compile(r"(?P<name>[^@:]+(?::\d+/[^@:]+)?)(?::(?P<tag>[\w.-]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?")
_FROM = re.compile(r"^FROM\s+(?:--\S+\s+)*(?P<image>\S+)(?:\s+AS\s+(?P<stage>\S+))?", re.IGNORECASE | re.MULTILINE)
_USES = re.compile(r"^\s*-?\s*uses:\s*(?P<action>[^\s#]+)", re.MULTILINE)


def findings(root: Path) -> list[Finding]:
    return [*_dockerfiles(root), *_workflows(root)]


def unpinned(image: str) -> str:
    """Why an image may be another one tomorrow; empty when it can't. Ours are pinned by version in the tree."""
    match = _REFERENCE.fullmatch(image)
    if not match:
        return "is no image reference"
    if match["tag"] == "latest":
        return "has the tag latest"
    if program_of(image):
        return "" if re.fullmatch(r"\d+\.\d+\.\d+", match["tag"] or "") else "has no version as tag"
    return "" if match["digest"] else "is not pinned by digest"


def _dockerfiles(root: Path) -> Iterator[Finding]:
    for name in tree_files(root, "Dockerfile"):
        text = (root / name).read_text(encoding="utf-8")
        stages = {"scratch"}
        for match in _FROM.finditer(text):
            image = match["image"]
            if image not in stages and not image.startswith("$") and (why := unpinned(image)):
                yield finding(name, text.count("\n", 0, match.start()) + 1, "image", f"'{image}' {why}", "pin it")
            stages.add(match["stage"] or "scratch")


def _workflows(root: Path) -> Iterator[Finding]:
    for name in tree_files(root, ".yaml", ".yml"):
        if not name.startswith(".github/"):
            continue
        text = (root / name).read_text(encoding="utf-8")
        for match in _USES.finditer(text):
            action = match["action"]
            if not action.startswith("./") and not re.search(r"@[0-9a-f]{40}$", action):
                line = text.count("\n", 0, match.start("action")) + 1
                yield finding(
                    name, line, "action", f"action '{action}' is not pinned", "write the digits of its commit"
                )
