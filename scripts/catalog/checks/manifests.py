"""The Tasks and Pipelines themselves, without samples and tests; what they must be is in :mod:`catalog.rules`."""

from __future__ import annotations

from pathlib import Path

from catalog.engine.documents import Document, Documents


def manifests(root: Path) -> list[Document]:
    """Every ``<kind>/<name>/<version>/<name>.yaml``."""
    files = sorted(file for kind in ("task", "pipeline") for file in (root / kind).glob("*/*/*.yaml"))
    return list(Documents.load(files)[0])
