"""``./scripts/fix``: repairs what can be repaired without thinking: formatting, simple findings, generated files."""

from __future__ import annotations

import argparse
import subprocess
import sys

from catalog.environments import ROOT

_RUFF = str(ROOT / ".venvs" / "tools" / "bin" / "ruff")
_CATALOG = (sys.executable, "-m", "catalog")
_STEPS = (
    (_RUFF, "check", "--fix-only", "--quiet", "."),
    (_RUFF, "format", "--quiet", "."),
    (*_CATALOG, "schemas"),
    (*_CATALOG, "pickle-names"),
    (*_CATALOG, "docs"),
    (*_CATALOG, "catalog-file"),
    (*_CATALOG, "rules-page"),
)


def main(argv: list[str]) -> int:
    argparse.ArgumentParser(prog="./scripts/fix", description=__doc__).parse_args(argv)
    failed = False
    for step in _STEPS:
        if subprocess.run(step, cwd=ROOT, check=False).returncode:
            print(f"fix: error: {' '.join(step[-3:])} failed, see above", file=sys.stderr)
            failed = True
    print("fix: what is left needs a head; see ./scripts/check")
    return 3 if failed else 0
