"""``catalog.yaml`` is what the tree's Tasks and Pipelines make of it."""

from __future__ import annotations

from pathlib import Path

from catalog.checks.tree_files import finding
from catalog.engine.findings import Finding
from catalog.releasing.contract import CATALOG_FILE, source_catalog


def findings(root: Path) -> list[Finding]:
    path, wanted = root / CATALOG_FILE, source_catalog(root)
    there = path.read_text(encoding="utf-8") if path.is_file() else ""
    if there == wanted:
        return []
    pairs = enumerate(zip([*there.splitlines(), ""], wanted.splitlines(), strict=False), 1)
    line = next((number for number, (now, then) in pairs if now != then), 1)
    message = "it is not what the YAML in task/ and pipeline/ says" if there else "it is missing"
    return [finding(CATALOG_FILE, line, "catalog-file", message, "run ./scripts/fix")]
