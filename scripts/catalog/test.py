"""``./scripts/test [NAME…]``: the checks, the unit and contract tests, and the tests of Tasks and Pipelines.

With names of Tasks, programs or Pipelines: just their tests, without the checks of the whole tree.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from catalog.environments import ROOT
from catalog.tree import Tree

FAILED = 3
_STABLE = ("--hypothesis-profile=ci",)
"""The same examples each time, and no deadlines: a busy machine is no failure."""
_WORKERS = str((os.cpu_count() or 1) + 1)
"""Many tests wait for processes: one worker more than there are processors."""


@dataclass(frozen=True)
class Part:
    name: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Places:
    """Where the tests of a name are: folders for pytest, folders with runs."""

    unit: tuple[Path, ...]
    runs: tuple[Path, ...]


def places(root: Path, name: str) -> Places:
    """The tests of a task, program, pipeline or room of ``test/``; all empty where there is nothing of that name."""
    unit = [root / "images" / name / "tests", root / "test" / name]
    runs = [path.parent / "tests" for kind in ("Task", "Pipeline") if (path := Tree(root).file(kind, name))]
    return Places(
        tuple(path for path in unit if any(path.rglob("test_*.py"))), tuple(path for path in runs if path.is_dir())
    )


def names(root: Path) -> list[str]:
    """All that :func:`places` knows."""
    found = {path.parent.name for path in root.glob("images/*/tests")}
    found |= {path.name for pattern in ("task/*", "pipeline/*", "test/*") for path in root.glob(pattern)}
    return sorted(name for name in found if any((places(root, name).unit, places(root, name).runs)))


def parts(root: Path, asked: list[str], *, slow: bool) -> list[Part]:
    """What to run, in this order."""
    found = [places(root, name) for name in asked]
    unit = [str(path.relative_to(root)) for place in found for path in place.unit]
    runs = [str(path.relative_to(root)) for place in found for path in place.runs]
    catalog, workers = (sys.executable, "-m", "catalog"), ("-n", _WORKERS, "--dist", "worksteal")
    every = [Part("check", (*catalog, "check"))] if not asked else []
    if unit or not asked:
        options = (*_STABLE, *(workers if not asked else ()), *(("-m", "") if slow else ()))
        every.append(Part("pytest", (sys.executable, "-m", "pytest", *options, *unit)))
    if runs or not asked:
        every.append(Part("task tests", (*catalog, "task-tests", *runs)))
    return every


def main(argv: list[str]) -> int:
    """0 when everything passed, 2 for an unknown name, 130 after Ctrl-C, else 3. One failing part stops no other."""
    parser = argparse.ArgumentParser(prog="./scripts/test", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a task, program or pipeline (default: everything)")
    parser.add_argument("--slow", action="store_true", help="the long variants of tests, too: minutes more")
    options = parser.parse_args(argv)
    asked = options.names
    if unknown := [name for name in asked if name not in names(ROOT)]:
        print(f"test: error: nothing is called '{unknown[0]}'; there are: {', '.join(names(ROOT))}", file=sys.stderr)
        return 2
    began = time.monotonic()
    ended = {}
    try:
        for part in parts(ROOT, asked, slow=options.slow):
            print(f"── {part.name} " + "─" * (70 - len(part.name)), flush=True)
            ended[part.name] = subprocess.run(part.command, cwd=ROOT, check=False).returncode
    except KeyboardInterrupt:
        print("test: stopped", file=sys.stderr)
        return 130
    failed = [name for name, code in ended.items() if code]
    outcome = f"failed: {', '.join(failed)}" if failed else f"passed: {', '.join(ended)}"
    print(f"test: {outcome} ({time.monotonic() - began:.0f} s)", flush=True)
    return FAILED if failed else 0
