"""Rows that lie just beside the places where a model's answer jumps: the split thresholds of trees, borders of classes.

A converted model that rounds its thresholds or its inputs otherwise than the original gives itself away there, and
hardly ever on ordinary rows. The model is asked, not read, so this works behind any preprocessing: between two observed
values of one column with different answers the border is bisected down to two neighbouring numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from taskkit.model_signature import Column, Label

Row = tuple[Label | None, ...]
Answer = Callable[[Sequence[Row]], Any]
"""Rows to an array with one line of numbers or labels per row."""

# A double has 53 digits and the bisection starts between two of them.
_STEPS = 70


def boundary_rows(columns: Sequence[Column], rows: Sequence[Row], answer: Answer, wanted: int) -> list[Row]:
    """At most ``2 * wanted`` rows, in pairs: the last one before a jump and the first one behind it."""
    low, high = _segments(columns, rows, wanted)
    if not low:
        return []
    at = [place for place, _, _ in low]
    left = [value for _, value, _ in low]
    right = [value for _, value, _ in high]
    bases = [base for _, _, base in low]
    start = answer(_placed(bases, at, left))
    end = answer(_placed(bases, at, right))
    jumps = [bool((start[i] != end[i]).any()) for i in range(len(at))]
    for _ in range(_STEPS):
        middle = [_middle(one, other) for one, other in zip(left, right, strict=True)]
        moving = [jump and value not in (one, other)
                  for jump, value, one, other in zip(jumps, middle, left, right, strict=True)]  # fmt: skip
        if not any(moving):
            break
        found = answer(_placed(bases, at, middle))
        for i, moves in enumerate(moving):
            if moves and (found[i] == start[i]).all():
                left[i] = middle[i]
            elif moves:
                right[i] = middle[i]
    before, behind = _placed(bases, at, left), _placed(bases, at, right)
    return [row for i, jump in enumerate(jumps) if jump for row in (before[i], behind[i])]


def _segments(columns: Sequence[Column], rows: Sequence[Row], wanted: int) -> tuple[list[Any], list[Any]]:
    """Pairs of (column, value, row) that differ in one number, from rows far apart in the sample."""
    numeric = [at for at, column in enumerate(columns) if column.kind in ("number", "integer")]
    low: list[Any] = []
    high: list[Any] = []
    for turn in range(wanted * 4):
        if not numeric or len(rows) < 2 or len(low) >= wanted:
            break
        at = numeric[turn % len(numeric)]
        one = rows[(turn * 7919) % len(rows)]
        other = rows[(turn * 7919 + len(rows) // 2 + turn // len(rows)) % len(rows)]
        if one[at] is not None and other[at] is not None and one[at] != other[at]:
            low.append((at, one[at], one))
            high.append((at, other[at], one))
    return low, high


def _placed(bases: Sequence[Row], at: Sequence[int], values: Sequence[Any]) -> list[Row]:
    return [(*base[:place], value, *base[place + 1 :]) for base, place, value in zip(bases, at, values, strict=True)]


def _middle(one: Any, other: Any) -> Any:
    return (one + other) // 2 if isinstance(one, int) and isinstance(other, int) else one / 2 + other / 2
