"""Lock files against what they are made of, without asking an index."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from catalog.checks.tree_files import finding
from catalog.engine.findings import Finding
from catalog.lock import TOOLS, declared

_PIN = re.compile(r"^(?P<name>[\w.-]+)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)", re.MULTILINE)
_REMEDY = "run ./scripts/lock"


def findings(root: Path) -> list[Finding]:
    """What is missing or too old in the locks; all must agree with tools.lock, which holds everything."""
    shared = pins(TOOLS)
    found: list[Finding] = []
    for lock, requirements in declared().items():
        name, pinned = str(lock.relative_to(root)), pins(lock)
        found += [*_unmet(name, pinned, requirements), *_deviating(name, pinned, shared)]
    return found


def pins(lock: Path) -> dict[str, set[str]]:
    """Normalized name to the pinned versions (several where markers divide them). Empty where there is no file."""
    found: dict[str, set[str]] = {}
    for match in _PIN.finditer(lock.read_text() if lock.is_file() else ""):
        found.setdefault(canonicalize_name(match["name"]), set()).add(match["version"])
    return found


def _unmet(lock: str, pinned: dict[str, set[str]], requirements: Iterable[str]) -> Iterator[Finding]:
    for requirement in sorted({str(Requirement(line)) for line in requirements}):
        asked = Requirement(requirement)
        versions = pinned.get(canonicalize_name(asked.name), set())
        if not versions:
            yield finding(lock, 1, "lock", f"it does not hold {asked.name}, which is declared", _REMEDY)
        elif not any(asked.specifier.contains(version, prereleases=True) for version in versions):
            yield finding(lock, 1, "lock", f"{asked.name} {min(versions)} does not satisfy '{requirement}'", _REMEDY)


def _deviating(lock: str, pinned: dict[str, set[str]], shared: dict[str, set[str]]) -> Iterator[Finding]:
    for name, versions in sorted(pinned.items()):
        if not versions <= shared.get(name, set()):
            message = f"{name} {min(versions)} is not what tools.lock has ({min(shared.get(name, {'nothing'}))})"
            yield finding(lock, 1, "lock", message, _REMEDY)
