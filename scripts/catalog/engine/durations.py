"""Durations as Go writes them: ``1h30m``, ``1.5s``, ``250ms``, ``0``. Source: https://pkg.go.dev/time#ParseDuration"""

from __future__ import annotations

import re
from decimal import Decimal

_UNITS = {"ns": "0.000000001", "us": "0.000001", "µs": "0.000001", "μs": "0.000001", "ms": "0.001"} | {
    "s": "1",
    "m": "60",
    "h": "3600",
}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_WHOLE = re.compile(rf"([-+]?)((?:{_PART.pattern})+|0)", re.ASCII)


def seconds(text: str) -> float | None:
    """The duration in seconds (negative ones exist), or None when the text is none."""
    match = _WHOLE.fullmatch(text)
    if not match:
        return None
    total = sum((Decimal(number) * Decimal(_UNITS[unit]) for number, unit in _PART.findall(match[2])), Decimal(0))
    return float(-total if match[1] == "-" else total)
