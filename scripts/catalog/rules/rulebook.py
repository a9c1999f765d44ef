"""The rules as data: what each is called, how bad it is, why it is there, and what it looks like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from catalog.engine.findings import Level

_BOOK = Path(__file__).parent / "book"


class Profile(Enum):
    """Which families of rules hold for a document."""

    TEKTON = "tekton"
    CATALOG = "catalog"
    HOUSE = "house"

    @property
    def families(self) -> frozenset[str]:
        return frozenset(_FAMILIES[: _MOST[self]])


_FAMILIES = ("tekton", "hygiene", "security", "catalog", "house")
_MOST = {Profile.TEKTON: 3, Profile.CATALOG: 4, Profile.HOUSE: 5}


@dataclass(frozen=True, slots=True)
class Example:
    """YAML that shows a rule.

    ``kind`` is empty where the text is a whole file; else the text begins with ``metadata``, or with the first field of
    a spec. ``files`` are others that lie about it, by path. ``line`` is where the finding is, counted in the text; 0
    where a comment ``<--`` marks it.
    """

    text: str
    kind: str
    path: str
    files: Mapping[str, str]
    line: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``levels`` has its usual level first; ``says`` is a pattern that the example's finding matches."""

    id: str
    family: str
    levels: tuple[Level, ...]
    title: str
    why: str
    bad: Example
    good: Example
    says: str
    source: str = ""

    @property
    def level(self) -> Level:
        return self.levels[0]


@dataclass(frozen=True, slots=True)
class Family:
    """Rules of one kind, with a word about them all."""

    name: str
    title: str
    about: str
    rules: tuple[Rule, ...]


@cache
def families() -> tuple[Family, ...]:
    """All rules, family by family, each family's sorted by their ids."""
    return tuple(_family(name) for name in _FAMILIES)


@cache
def rules() -> Mapping[str, Rule]:
    """All rules by their ids."""
    return {rule.id: rule for family in families() for rule in family.rules}


def _family(name: str) -> Family:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    page: dict[str, Any] = yaml.load((_BOOK / f"{name}.yaml").read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - both are safe
    entries = sorted(page["rules"].items())
    return Family(name, page["title"], page["about"].strip(), tuple(_rule(name, key, entry) for key, entry in entries))


def _rule(family: str, key: str, entry: dict[str, Any]) -> Rule:
    kind, path = entry.get("kind", "Task"), entry.get("path", "")

    def example(word: str) -> Example:
        line = entry.get(f"{word}-line", 0)
        return Example(entry[word], kind, entry.get(f"{word}-path", path), entry.get(f"{word}-files", {}), line)

    return Rule(
        id=key,
        family=family,
        levels=tuple(Level[word.strip().upper()] for word in entry["level"].split(",")),
        title=entry["title"],
        why=entry["why"].strip(),
        bad=example("bad"),
        good=example("good"),
        says=entry["says"],
        source=entry.get("source", ""),
    )
