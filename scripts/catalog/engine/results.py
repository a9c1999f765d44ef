"""Reading the results that a task's steps left as files, with Tekton's types and limits.

Source: docs/tasks.md#emitting-results, pkg/termination, and what was observed where they are silent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from catalog.engine.substitution import Value

LIMIT = 4096
"""Bytes of a container's termination message, which carries the results to Tekton (docs/tasks.md#larger-results)."""

_TASK, _INTERNAL, _STEP = 1, 3, 4
_STARTED = {"key": "StartedAt", "value": "2026-01-01T00:00:00.000Z", "type": _INTERNAL}


class ResultError(ValueError):
    """What was written is not of the declared type; an object that lacks keys is there all the same."""

    def __init__(self, message: str, value: Value | None = None) -> None:
        super().__init__(message)
        self.value = value


def written(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The contents of the result files that are there, newlines and all."""
    found = {}
    for name in names:
        try:
            found[name] = (folder / name).read_bytes().decode("utf-8", errors="replace")
        except (FileNotFoundError, IsADirectoryError):
            continue
    return found


def message_size(task_results: Mapping[str, str], step_results: Mapping[str, str]) -> int:
    """The bytes of the termination message that a step with these results would leave behind."""
    entries: list[dict[str, Any]] = [{"key": k, "value": v, "type": _TASK} for k, v in task_results.items()]
    entries += [{"key": k, "value": v, "type": _STEP} for k, v in step_results.items()]
    text = json.dumps([*entries, _STARTED], ensure_ascii=False, separators=(",", ":"))
    # Go writes these three as \u003c, \u003e and \u0026.
    return len(text.encode()) + 5 * sum(text.count(c) for c in "<>&")


def parse(declared: Mapping[str, Any], text: str) -> Value:
    """A result's value by its declared type. Raises ResultError.

    A string stays as it was written, even if it looks like JSON. An array has strings only, an object too, and every
    key of its ``properties``.
    """
    name = declared["name"]
    wanted = declared.get("type") or ("object" if declared.get("properties") else "string")
    if wanted == "string":
        return text
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if wanted == "array":
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return value
        raise ResultError(f"result {name} is declared as an array of strings, but the step wrote {_short(text)}")
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ResultError(f"result {name} is declared as an object of strings, but the step wrote {_short(text)}")
    if missing := [key for key in declared.get("properties") or () if key not in value]:
        raise ResultError(f"result {name} lacks the keys {', '.join(missing)} of its properties", value)
    return value


def parse_all(declared: Iterable[Mapping[str, Any]], texts: Mapping[str, str]) -> tuple[dict[str, Value], list[str]]:
    """The values of all results that were written, and what is wrong with the others."""
    values: dict[str, Value] = {}
    problems: list[str] = []
    for result in declared:
        if result["name"] in texts:
            try:
                values[result["name"]] = parse(result, texts[result["name"]])
            except ResultError as error:
                problems.append(str(error))
                if error.value is not None:
                    values[result["name"]] = error.value
    return values, problems


def _short(text: str) -> str:
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    return json.dumps(shown, ensure_ascii=False)
