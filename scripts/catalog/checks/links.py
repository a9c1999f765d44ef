"""Links between the Markdown pages of the tree: the file is there, the heading too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from catalog.checks.tree_files import finding, tree_files
from catalog.engine.findings import Finding

_FENCE = re.compile(r"^(?P<fence>`{3,}|~{3,})[^\n]*\n.*?^(?P=fence)[`~]*[ \t]*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
_LINK = re.compile(r"\]\(\s*<?(?P<inline>[^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*<?(?P<defined>[^\s>]+)|"
                   r"<(?:img|a)\b[^>]*?\b(?:src|href)=\"(?P<html>[^\"]+)\"", re.MULTILINE)  # fmt: skip
_HEADING = re.compile(r"^#{1,6}[ \t]+(?P<text>.+?)[ \t]*#*[ \t]*$", re.MULTILINE)
_ANCHOR = re.compile(r"<a\s+(?:id|name)=\"([^\"]+)\"")


def findings(root: Path) -> list[Finding]:
    pages = tree_files(root, ".md")
    return [found for page in pages for found in _page(root, page)]


def _page(root: Path, page: str) -> Iterator[Finding]:
    text = _without(_CODE, _without(_FENCE, (root / page).read_text(encoding="utf-8")))
    for match in _LINK.finditer(text):
        target = match["inline"] or match["defined"] or match["html"]
        if re.match(r"[a-z][a-z0-9+.-]*:|//", target, re.IGNORECASE):
            continue
        line = text.count("\n", 0, match.start()) + 1
        path, _, anchor = unquote(target).partition("#")
        file = (root / page).parent / path if path else root / page
        if path.startswith("/") or not file.exists():
            yield finding(page, line, "link", f"there is no '{path}'", "mend the link, relative to this page")
        elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text(encoding="utf-8")):
            yield finding(page, line, "link", f"'{path or page}' has no heading '#{anchor}'", "mend the anchor")


def _without(pattern: re.Pattern[str], text: str) -> str:
    """The text with every match blank, lines kept."""
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to the headings of a page, and those that are written into it."""
    found: set[str] = set(_ANCHOR.findall(text))
    counts: dict[str, int] = {}
    for match in _HEADING.finditer(_without(_FENCE, text)):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match["text"])
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).strip().replace(" ", "-")
        seen = counts.get(slug, 0)
        counts[slug] = seen + 1
        found.add(f"{slug}-{seen}" if seen else slug)
    return found
