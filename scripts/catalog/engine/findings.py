"""What the engine has to say about a document: findings, each with a place and a remedy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """How bad a finding is; the worst sorts last."""

    NOTE = 0
    WARNING = 1
    ERROR = 2

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file; ``line`` counts from 1, ``field`` is a path such as ``spec.tasks[1].params[0].value``."""

    file: str
    line: int
    field: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one place, and what to do about it."""

    level: Level
    rule: str
    message: str
    remedy: str
    position: Position

    def __lt__(self, other: Finding) -> bool:
        return self._order() < other._order()

    def _order(self) -> tuple[Position, int, str, str, str]:
        return (self.position, -self.level, self.rule, self.message, self.remedy)

    def __str__(self) -> str:
        place = f"{self.position.file}:{self.position.line}: {self.level}: "
        field = f"{self.position.field}: " if self.position.field else ""
        remedy = f" ({self.remedy})" if self.remedy else ""
        return f"{place}{field}{self.message}{remedy} [{self.rule}]"


def errors(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.level is Level.ERROR]
