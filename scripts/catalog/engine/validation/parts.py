"""How the rules read a document and where they write what they find.

A document whose shape is wrong somewhere must still be checked everywhere else, so rules read through :class:`Part`,
which takes anything of the wrong type as absent: :mod:`catalog.engine.schema` has reported it already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from catalog.engine.documents import Document, FieldPath
from catalog.engine.findings import Finding, Level


@dataclass(frozen=True, slots=True)
class Part:
    """A mapping inside a document and the path that leads to it."""

    body: dict[str, Any]
    path: FieldPath

    def __contains__(self, key: str) -> bool:
        return self.body.get(key) is not None

    def at(self, *steps: str | int) -> FieldPath:
        return (*self.path, *steps)

    def text(self, key: str) -> str:
        value = self.body.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int:
        value = self.body.get(key)
        return int(value) if isinstance(value, (int, float)) else 0

    def flag(self, key: str) -> bool:
        return self.body.get(key) is True

    def part(self, key: str) -> Part:
        value = self.body.get(key)
        return Part(value if isinstance(value, dict) else {}, self.at(key))

    def parts(self, key: str) -> list[Part]:
        """The mappings in a list, each with its place in it."""
        value = self.body.get(key)
        items = value if isinstance(value, list) else []
        return [Part(item, self.at(key, index)) for index, item in enumerate(items) if isinstance(item, dict)]

    def texts(self, key: str) -> list[tuple[FieldPath, str]]:
        """The texts in a list, each with its path."""
        value = self.body.get(key)
        items = value if isinstance(value, list) else []
        return [(self.at(key, index), item) for index, item in enumerate(items) if isinstance(item, str)]

    def all_texts(self, *, without: Iterable[str] = ()) -> Iterator[tuple[FieldPath, str]]:
        """Every text at any depth, each with its path; top-level keys may be left out."""
        left_out = set(without)
        for key, value in self.body.items():
            if key not in left_out:
                yield from texts_below(value, self.at(key))


def texts_below(value: Any, path: FieldPath) -> Iterator[tuple[FieldPath, str]]:
    """Every text in a plain value at any depth, each with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts_below(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from texts_below(item, (*path, index))


@dataclass(frozen=True, slots=True)
class Sheet:
    """The findings about one document."""

    document: Document
    findings: list[Finding] = field(default_factory=list)

    def add(
        self, level: Level, rule: str, where: FieldPath, message: str, remedy: str = "", offset: int | None = None
    ) -> None:
        """``offset`` counts characters into the text at that place, to find the line within a script."""
        found = Finding(level, rule, message, remedy, self.document.position(where, offset))
        # Said once, and not as a warning what is an error already.
        if not any(replace(known, level=level) == found and known.level >= level for known in self.findings):
            self.findings.append(found)

    def error(self, rule: str, where: FieldPath, message: str, remedy: str = "", offset: int | None = None) -> None:
        self.add(Level.ERROR, rule, where, message, remedy, offset)

    def warning(self, rule: str, where: FieldPath, message: str, remedy: str = "", offset: int | None = None) -> None:
        self.add(Level.WARNING, rule, where, message, remedy, offset)


def duplicates(parts: Iterable[Part], *, fold: bool = False) -> Iterator[tuple[Part, Part]]:
    """Pairs (second, first) of parts with the same ``name``; ``fold`` ignores upper and lower case."""
    seen: dict[str, Part] = {}
    for part in parts:
        name = part.text("name").lower() if fold else part.text("name")
        if name and name in seen:
            yield part, seen[name]
        seen.setdefault(name, part)


def shortened(text: str, limit: int = 60) -> str:
    """A text for a message: one line, not too long."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
