"""``# check: ignore[rule] reason``: a finding that is meant, said where it is, with the reason.

The comment stands on the line of the finding, or on lines of its own directly above. In a script it is a comment of
the script. Several rules are written with commas. A reason is required; a comment that ignores nothing is a finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from catalog.engine import schema
from catalog.engine.findings import Finding, Position
from catalog.rules.rulebook import rules

_COMMENT = re.compile(r"(?:^|(?<=\s))#\s*check:\s*ignore(?P<rest>.*)$")
_REST = re.compile(r"\[(?P<rules>[^\]]*)\](?P<reason>.*)")
_EXAMPLE = "write # check: ignore[rule] reason"


@dataclass
class Ignore:
    """One comment: the rules it names, the line of it and the line it is about, and which of its rules were met."""

    file: str
    line: int
    about: int
    rules: tuple[str, ...]
    reason: str
    used: set[str] = field(default_factory=set)


def of_file(path: Path) -> tuple[list[Ignore], list[Finding]]:
    """The comments in a file, and what is wrong with them. A file that cannot be read has none."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return [], []
    found: list[Ignore] = []
    findings: list[Finding] = []
    for number, line in enumerate(lines, 1):
        match = _COMMENT.search(line) if "check:" in line else None
        if match is None:
            continue
        written = _REST.fullmatch(match["rest"].strip())
        if written is None:
            findings.append(_finding("ignore-form", path, number, "the comment names no rule", _EXAMPLE))
            continue
        named = tuple(name.strip() for name in written["rules"].split(",") if name.strip())
        findings += _problems(path, number, named, written["reason"])
        alone = not line[: match.start()].strip()
        about = _next_line(lines, number) if alone else number
        found.append(Ignore(str(path), number, about, named, written["reason"].strip()))
    return found, findings


def _next_line(lines: list[str], number: int) -> int:
    """The first line behind this one that is no comment."""
    for later in range(number, len(lines)):
        if not re.fullmatch(r"\s*(?:#.*)?", lines[later]):
            return later + 1
    return number


def _problems(path: Path, line: int, named: tuple[str, ...], reason: str) -> Iterator[Finding]:
    if not named:
        yield _finding("ignore-form", path, line, "the comment names no rule", _EXAMPLE)
    for name in named:
        if name not in rules():
            remedy = schema.near(name, rules())
            remedy = remedy if remedy.startswith("did") else "its name stands in brackets behind each finding"
            yield _finding("ignore-form", path, line, f"there is no rule {name!r}", remedy)
    if not reason.strip():
        message = "the comment gives no reason: nobody will know later whether it still holds"
        yield _finding("ignore-reason", path, line, message, "write why this is meant behind the brackets")


def _finding(rule: str, path: Path, line: int, message: str, remedy: str) -> Finding:
    return Finding(rules()[rule].level, rule, message, remedy, Position(str(path), line))


def apply(findings: Iterable[Finding], ignores: Iterable[Ignore]) -> list[Finding]:
    """The findings that no comment ignores; comments remember what they were good for.

    A comment without a reason ignores nothing.
    """
    index: dict[tuple[str, int, str], Ignore] = {}
    for ignore in ignores:
        if ignore.reason:
            index |= {(ignore.file, ignore.about, rule): ignore for rule in ignore.rules}
    kept: list[Finding] = []
    for finding in findings:
        met = index.get((finding.position.file, finding.position.line, finding.rule))
        if met is None:
            kept.append(finding)
        else:
            met.used.add(finding.rule)
    return kept


def unused(ignores: Iterable[Ignore], families: frozenset[str]) -> Iterator[Finding]:
    """Comments without effect. Rules of families that were not asked for are left alone."""
    for ignore in ignores:
        for name in ignore.rules:
            rule = rules().get(name)
            if rule and rule.family in families and ignore.reason and name not in ignore.used:
                message = f"nothing is ignored here: {name!r} has no finding on line {ignore.about}"
                yield _finding("unused-ignore", Path(ignore.file), ignore.line, message, "remove the comment")
