"""``CHANGELOG.md`` of every Task and Pipeline: one entry for each version, the newest on top.

Artifact Hub shows a version's entry from its annotation ``artifacthub.io/changes``, which has to say the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from catalog.checks.tree_files import finding
from catalog.engine.findings import Finding
from catalog.tree import Tree

CHANGELOG = "CHANGELOG.md"

ANNOTATION = "artifacthub.io/changes"

_ANNOTATED = re.compile(rf"^( +){re.escape(ANNOTATION)}: \|\n(?:\1 +.*\n)*", re.MULTILINE)
_POINT = re.compile(r"^\* +(.+(?:\n +.+)*)", re.MULTILINE)
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
    for version in set(told) & set(versions):
        yield from _annotation_findings(tree, kind, name, version, points(text, version))


def _annotation_findings(tree: Tree, kind: str, name: str, version: str, wanted: list[str]) -> Iterator[Finding]:
    path = tree.root / kind.lower() / name / version / f"{name}.yaml"
    text = path.read_text(encoding="utf-8")
    match = _ANNOTATED.search(text)
    if match and wanted and yaml.safe_load(match[0])[ANNOTATION] != _listed(wanted):
        line = text.count("\n", 0, match.start()) + 1
        message = f"{ANNOTATION} is not what {CHANGELOG} says of {version}"
        yield finding(str(path.relative_to(tree.root)), line, "changelog", message, f"write: {'; '.join(wanted)}")


def points(text: str, version: str) -> list[str]:
    """What a changelog says of a version, point by point, each as one line."""
    for heading in _HEADING.finditer(text):
        if heading["version"] == version:
            following = _HEADING.search(text, heading.end())
            entry = text[heading.end() : following.start() if following else len(text)]
            return [" ".join(point.split()) for point in _POINT.findall(entry)]
    return []


def annotated(manifest: str, told: list[str]) -> str:
    """A manifest whose annotation, where it has one, tells these points."""

    def block(match: re.Match[str]) -> str:
        lines = _listed(told).splitlines()
        return f"{match[1]}{ANNOTATION}: |\n" + "".join(f"{match[1]}  {line}\n" for line in lines)

    return _ANNOTATED.sub(block, manifest)


def _listed(told: list[str]) -> str:
    return yaml.safe_dump(told, allow_unicode=True, width=10_000)


def with_entry(text: str, name: str, version: str, entry: str) -> str:
    """The changelog with an entry on top; begun where there is none."""
    text = text or f"# Changes of {name}\n"
    first = _HEADING.search(text)
    at = first.start() if first else len(text)
    before = text[:at].rstrip("\n")
    return f"{before}\n\n## {version}\n\n* {entry}\n" + (f"\n{text[at:]}" if first else "")
