"""What steps, Dockerfiles and workflows run: nothing floating, no param pasted into a shell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catalog.checks.tree_files import finding, finding_at, tree_files
from catalog.engine.documents import Documents, FieldPath
from catalog.engine.findings import Finding
from catalog.tree import program_of

_REFERENCE = re.compile(r"(?P<name>[^@:]+(?::\d+/[^@:]+)?)(?::(?P<tag>[\w.-]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?")
_FROM = re.compile(r"^FROM\s+(?:--\S+\s+)*(?P<image>\S+)(?:\s+AS\s+(?P<stage>\S+))?", re.IGNORECASE | re.MULTILINE)
_USES = re.compile(r"^\s*-?\s*uses:\s*(?P<action>[^\s#]+)", re.MULTILINE)
_SHELLS = {"sh", "bash", "dash", "ash", "zsh", "busybox", "python", "python3", "perl", "node", "env", "eval", "xargs"}
_USERS_VALUE = re.compile(r"\$\((?:params|tasks)[.\[]")


def findings(root: Path) -> list[Finding]:
    return [*_tekton(root), *_dockerfiles(root), *_workflows(root)]


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


def _tekton(root: Path) -> Iterator[Finding]:
    documents, _ = Documents.load([root / "task", root / "pipeline"])
    for document in documents:
        for path, step in _steps(document.body, ()):
            if why := unpinned(step["image"]):
                where = document.position((*path, "image"))
                yield finding_at(where, "image", f"image '{step['image']}' {why}", "pin it")
            for field in _pasted(step):
                remedy = 'pass it by env, and write "$NAME" in the shell'
                yield finding_at(document.position((*path, field)), "injection", "a value is pasted into code", remedy)


def _steps(value: Any, path: FieldPath) -> Iterator[tuple[FieldPath, dict[str, Any]]]:
    """Every container-like map anywhere in a document: what has an image."""
    if isinstance(value, dict):
        if isinstance(value.get("image"), str):
            yield path, value
        for key, item in value.items():
            yield from _steps(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _steps(item, (*path, index))


def _pasted(step: dict[str, Any]) -> Iterator[str]:
    """The fields in which users' values become code."""
    command = [str(element) for element in step.get("command") or []]
    shell = bool(command) and command[0].rpartition("/")[2] in _SHELLS
    texts = {"script": [step.get("script") or ""], "command": command, "args": step.get("args") or []}
    for field, elements in texts.items():
        if (shell or field == "script") and any(_USERS_VALUE.search(str(element)) for element in elements):
            yield field


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
