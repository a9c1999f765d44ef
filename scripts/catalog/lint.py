"""``./scripts/lint [PATH…]``: what is wrong with Tekton documents, each finding with its file, line and remedy.

Needs no cluster and no network. docs/lint-rules.md has all rules.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from catalog.closed_pipe import discard_stdout
from catalog.engine import schema
from catalog.engine.documents import Documents
from catalog.engine.findings import Finding, Level
from catalog.rules.formats import FORMATS, PAGE
from catalog.rules.judging import Settings, judge
from catalog.rules.rulebook import Profile, rules

_ROOT = Path(__file__).resolve().parents[2]
_CATALOG = ("task", "pipeline", "stepaction")
_EPILOG = f"""\
profiles: 'tekton' holds for any document (what Tekton refuses, references, security); 'catalog' adds what catlin,
Artifact Hub and tkn ask of a catalog's manifests; 'house' adds this catalog's own rules. Without --profile it is
'house' in this tree, 'catalog' where files lie as in a catalog (task/<name>/<version>/), else 'tekton'.

A finding that is meant: # check: ignore[rule] reason, on its line or above it. All rules: {PAGE}."""


def main(argv: list[str]) -> int:
    """Prints the findings. 0 when there is no error (``--strict``: no warning either), else 2."""
    parser = argparse.ArgumentParser(
        prog="./scripts/lint",
        description="Checks Tekton documents without a cluster and without a network.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files and folders (default: this catalog)")
    parser.add_argument("--strict", action="store_true", help="exit with 2 on warnings, too")
    parser.add_argument("--format", choices=FORMATS, default="text", help="default: text")
    parser.add_argument("--profile", choices=[one.value for one in Profile], help="which rules hold for all documents")
    parser.add_argument(
        "--level", action="append", default=[], metavar="RULE=LEVEL", help="error, warning, note or off for a rule"
    )
    options = parser.parse_args(argv)
    try:
        levels = dict(_level(given) for given in options.level)
    except ValueError as error:
        print(f"lint: error: {error}", file=sys.stderr)
        return 2
    profile = Profile(options.profile) if options.profile else None
    documents, findings = check(options.paths or _own(), Settings(profile, _ROOT, levels))
    _print(FORMATS[options.format](findings, len(documents)))
    least = Level.WARNING if options.strict else Level.ERROR
    return 2 if any(finding.level >= least for finding in findings) else 0


def check(paths: Iterable[str | Path], settings: Settings | None = None) -> tuple[Documents, list[Finding]]:
    """The documents below the paths and all findings about them, sorted by file and line."""
    return judge(paths, catalog(), settings or Settings(home=_ROOT))


def catalog() -> Documents:
    """The Tasks and Pipelines of this tree, which documents anywhere may name."""
    return Documents.load(_released())[0]


def _level(given: str) -> tuple[str, Level | None]:
    rule, _, word = given.partition("=")
    if rule not in rules():
        raise ValueError(f"--level {given}: there is no rule {rule!r} ({schema.near(rule, rules())})")
    words = {**{str(level): level for level in Level}, "off": None}
    if word not in words:
        raise ValueError(f"--level {given}: {word!r} is no level (one of: {', '.join(words)})")
    return rule, words[word]


def _released() -> list[Path]:
    """The manifests themselves, ``task/<name>/<version>/<name>.yaml``, without samples and tests."""
    return sorted(file for kind in _CATALOG for file in (_ROOT / kind).glob("*/*/*.yaml"))


def _own() -> list[Path]:
    return [_shown(_ROOT / name) for name in _CATALOG if (_ROOT / name).is_dir()]


def _shown(path: Path) -> Path:
    """The path from where the user stands, when it lies below."""
    here = Path.cwd()
    return Path(os.path.relpath(path, here)) if path.is_relative_to(here) else path


def _print(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        discard_stdout()
