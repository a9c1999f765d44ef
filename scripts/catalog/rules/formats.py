"""Findings for people, for programs, and for the lines of a pull request."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence

from catalog.engine.findings import Finding, Level

PAGE = "docs/lint-rules.md"


def as_text(findings: Sequence[Finding], checked: int) -> str:
    """A line for each finding, ``file:line: level: field: message (remedy) [rule]``, and one that counts them."""
    return "\n".join([*map(str, findings), summary(findings, checked)])


def as_json(findings: Sequence[Finding], checked: int) -> str:
    """One document: how much was checked, how much was found, and every finding with its parts."""
    document = {
        "documents": checked,
        "counts": {f"{level}s": count for level, count in _counts(findings).items()},
        "findings": [
            {
                "file": one.position.file,
                "line": one.position.line,
                "field": one.position.field,
                "level": str(one.level),
                "rule": one.rule,
                "message": one.message,
                "remedy": one.remedy,
                "page": f"{PAGE}#{one.rule}",
            }
            for one in findings
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


_COMMANDS = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "notice"}


def as_github(findings: Sequence[Finding], checked: int) -> str:
    """Workflow commands, which GitHub shows beside the lines of a pull request.

    Source: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
    """
    lines = [
        f"::{_COMMANDS[one.level]} file={_property(one.position.file)},line={one.position.line},"
        f"title={_property(one.rule)}::{_data(one.message + (f' ({one.remedy})' if one.remedy else ''))}"
        for one in findings
    ]
    return "\n".join([*lines, summary(findings, checked)])


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _counts(findings: Iterable[Finding]) -> dict[Level, int]:
    counts = Counter(finding.level for finding in findings)
    return {level: counts[level] for level in (Level.ERROR, Level.WARNING, Level.NOTE)}


def summary(findings: Iterable[Finding], checked: int) -> str:
    counts = {level: count for level, count in _counts(findings).items() if count or level is not Level.NOTE}
    shown = ", ".join(_plural(count, str(level)) for level, count in counts.items())
    return f"{_plural(checked, 'document')} checked: {shown}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


FORMATS = {"text": as_text, "json": as_json, "github": as_github}
