"""``./scripts/lint [PATH…]``: what is wrong with Tekton documents, each finding with its file, line and remedy."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from catalog.engine.documents import Documents
from catalog.engine.findings import Finding, Level
from catalog.engine.validation import validate

_ROOT = Path(__file__).resolve().parents[2]
_CATALOG = ("task", "pipeline")


def main(argv: list[str]) -> int:
    """Prints the findings and a line that counts them. 0 when there is no error (``--strict``: no warning), else 2."""
    parser = argparse.ArgumentParser(prog="lint", description="Checks Tekton documents without a cluster.")
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files and folders (default: the catalog's own)")
    parser.add_argument("--strict", action="store_true", help="exit with 2 on warnings, too")
    options = parser.parse_args(argv)
    documents, findings = check(options.paths or [_shown(_ROOT / name) for name in _CATALOG])
    for finding in findings:
        print(finding)
    print(_summary(documents, findings))
    least = Level.WARNING if options.strict else Level.ERROR
    return 2 if any(finding.level >= least for finding in findings) else 0


def check(paths: Iterable[str | Path]) -> tuple[Documents, list[Finding]]:
    """The documents below the paths and all findings about them, sorted by file and line."""
    documents, unreadable = Documents.load(paths)
    return documents, sorted(unreadable + validate(documents, catalog()))


def catalog() -> Documents:
    """The Tasks and Pipelines of this tree, which documents anywhere may name."""
    return Documents.load(_released())[0]


def _released() -> list[Path]:
    """The manifests themselves, ``task/<name>/<version>/<name>.yaml``, without samples and tests."""
    return sorted(file for kind in _CATALOG for file in (_ROOT / kind).glob("*/*/*.yaml"))


def _shown(path: Path) -> Path:
    """The path from where the user stands, when it lies below."""
    here = Path.cwd()
    return Path(os.path.relpath(path, here)) if path.is_relative_to(here) else path


def _summary(documents: Documents, findings: Iterable[Finding]) -> str:
    counts = Counter(finding.level for finding in findings)
    checked = _plural(len(documents), "document")
    return f"{checked} checked: {_plural(counts[Level.ERROR], 'error')}, {_plural(counts[Level.WARNING], 'warning')}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
