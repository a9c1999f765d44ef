"""Rules for any file: size and names of modules, nothing of the machine it was written on."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from catalog.checks.tree_files import finding, text_of, tree_files
from catalog.engine.findings import Finding

MOST_LINES = 400
_NAME = "name it by what it knows"
VAGUE = {"util", "utils", "helper", "helpers", "common", "manager", "managers"}

_HOMES = re.compile(r"(?<![\w.~$/-])/(?:home|Users)/[a-z][\w.-]*/")
_INDEX = re.compile(r"https?://\S*/simple\b|^\s*(?:--(?:extra-)?index-url|--find-links|-i|-f)\b", re.MULTILINE)
# Roots of containers, where a checkout may lie too and which pages rightly speak of.
_USUAL = {"/", "/app", "/src", "/models", "/tmp", "/workspace", "/source"}
_USERS_PROJECTS = "test/projects/"


def findings(root: Path) -> list[Finding]:
    found: list[Finding] = []
    for name in tree_files(root):
        text = text_of(root, name)
        found += _names(name)
        if text is not None:
            found += _places(name, text, root)
            if name.endswith(".py"):
                found += _module(name, text)
    return found


def _names(name: str) -> Iterator[Finding]:
    if name.startswith(_USERS_PROJECTS):
        return
    for part in PurePosixPath(name).parts:
        if vague := VAGUE & set(re.split(r"[._-]", part.lower())):
            yield finding(name, 1, "vague-name", f"'{part}' says nothing with '{vague.pop()}'", _NAME)


def _module(name: str, text: str) -> Iterator[Finding]:
    lines = text.count("\n")
    if lines > MOST_LINES:
        yield finding(name, lines, "module-size", f"{lines} lines, more than {MOST_LINES}", "divide it")
    if name.startswith(_USERS_PROJECTS):
        return
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return  # ruff says it better
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", node.name)}
            if vague := VAGUE & words:
                message = f"class {node.name} says nothing with '{vague.pop()}'"
                yield finding(name, node.lineno, "vague-name", message, _NAME)


def _places(name: str, text: str, root: Path) -> Iterator[Finding]:
    here = str(root)
    places = [match for match in (_HOMES.search(text),) if match]
    if here not in _USUAL and (match := re.search(rf"(?<![\w.-]){re.escape(here)}(?![\w.-])", text)):
        places.append(match)
    for match in places:
        line, message = _line(text, match.start()), f"'{match[0]}' is a path of one machine"
        yield finding(name, line, "machine-path", message, "write it relative to the root of the tree")
    if name.endswith((".lock", ".in")) and (match := _INDEX.search(text)):
        line, message = _line(text, match.start()), f"'{match[0].strip()}' ties it to one index"
        yield finding(name, line, "index-address", message, "pip's configuration says where packages come from")


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
