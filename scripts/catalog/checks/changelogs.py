"""``CHANGELOG.md`` of every Task and Pipeline: one entry for each version, the newest on top."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from catalog.checks.tree_files import finding
from catalog.engine.findings import Finding
from catalog.tree import Tree

CHANGELOG = "CHANGELOG.md"

_HEADING = re.compile(r"^## +(?P<version>.+?) *$", re.MULTILINE)


def findings(root: Path) -> list[Finding]:
    tree = Tree(root)
    return [one for kind in ("Task", "Pipeline") for name in tree.names(kind) for one in _findings(tree, kind, name)]


def _findings(tree: Tree, kind: str, name: str) -> Iterator[Finding]:
    file, versions = f"{kind.lower()}/{name}/{CHANGELOG}", tree.versions(kind, name)[::-1]
    path = tree.root / file
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    headings = list(_HEADING.finditer(text))
    told = tuple(heading["version"] for heading in headings)
    if told != versions:
        message = f"its entries are for {', '.join(told) or 'nothing'}; there are the versions {', '.join(versions)}"
        yield finding(file, 1, "changelog", message, "write '## VERSION' for each, the newest on top")
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    for heading, end in zip(headings, ends, strict=False):
        if not text[heading.end() : end].strip():
            line = text.count("\n", 0, heading.start()) + 1
            message = f"the entry of {heading['version']} is empty"
            yield finding(file, line, "changelog", message, "say what is different for those who use it")


def with_entry(text: str, name: str, version: str, entry: str) -> str:
    """The changelog with an entry on top; begun where there is none."""
    text = text or f"# Changes of {name}\n"
    first = _HEADING.search(text)
    at = first.start() if first else len(text)
    before = text[:at].rstrip("\n")
    return f"{before}\n\n## {version}\n\n* {entry}\n" + (f"\n{text[at:]}" if first else "")
