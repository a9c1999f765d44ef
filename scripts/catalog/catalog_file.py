"""``python -m catalog catalog-file [--check]``: ``catalog.yaml``, the list of what is in the tree with checksums."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from catalog.checks import source_catalog
from catalog.environments import ROOT
from catalog.releasing.contract import CATALOG_FILE
from catalog.releasing.contract import source_catalog as text_of


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="catalog-file", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where it is not up to date")
    if parser.parse_args(argv).check:
        found = source_catalog.findings(ROOT)
        for one in found:
            print(one, file=sys.stderr)
        return 3 if found else 0
    path, text = ROOT / CATALOG_FILE, text_of(ROOT)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
        print(f"written: {CATALOG_FILE}")
    return 0
