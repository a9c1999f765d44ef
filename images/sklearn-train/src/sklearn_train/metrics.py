"""The metrics file that the script wrote, as JSON allows and as Python writes it (with NaN and Infinity)."""

from __future__ import annotations

import json
import math
from pathlib import Path

from taskkit.errors import TaskError

_REMEDY = 'let the script write a JSON object with numbers at its top level, such as {"accuracy": 0.95}'


def read_metrics(file: Path, name: str) -> tuple[dict[str, float | int], list[str]]:
    """(finite numbers at the top level, names of other entries). Raises TaskError where there is no such number."""
    try:
        text = file.read_text("utf-8-sig")  # editors of some systems begin files with a byte order mark
        if not text.strip():
            raise TaskError(f"metrics file {name} is empty", _REMEDY)
        document = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise TaskError(f"metrics file {name} is not JSON ({error})", _REMEDY) from error
    if not isinstance(document, dict):
        raise TaskError(f"metrics file {name} holds a {_json_type(document)}, not an object", _REMEDY)
    if lone := next((key for key in document if any("\ud800" <= letter <= "\udfff" for letter in key)), None):
        raise TaskError(f"metrics file {name} names {lone!a}, which holds half a character", _REMEDY)
    numbers = {key: value for key, value in document.items() if _is_number(value)}
    if not numbers:
        what = ", ".join(f"{key}: {_json_type(value)}" for key, value in list(document.items())[:8]) or "it is empty"
        raise TaskError(f"metrics file {name} has no finite number at its top level ({what})", _REMEDY)
    return numbers, [key for key in document if key not in numbers]


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False


def _json_type(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "NaN" if value != value else "infinite or too large"  # noqa: PLR0124
    names: dict[type, str] = {dict: "object", list: "list", str: "text"}
    return names.get(type(value), "null")
