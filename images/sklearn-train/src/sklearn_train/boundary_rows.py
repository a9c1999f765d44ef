"""Rows that lie just beside the places where a model's answer jumps: the split thresholds of trees, borders of classes.

A converted model that rounds its thresholds or its inputs otherwise than the original gives itself away there, and
hardly ever on ordinary rows. The model is asked, not read, so this works behind any preprocessing: between two observed
values of one column with different answers the border is bisected down to two neighbouring numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from taskkit.model_signature import Column, Label

Row = tuple[Label | None, ...]
Answer = Callable[[Sequence[Row]], Any]
"""Rows to an array with one line of numbers or labels per row."""

# A double has 53 digits and the bisection starts between two of them.
_STEPS = 72
# The middles of so many steps are asked for at once: most models answer seven rows about as fast as one.
_STEPS_AT_ONCE = 3


@dataclass
class _Segment:
    """``row`` with its ``column`` going from ``near``, where the answer is that of the start, to ``far``."""

    row: Row
    column: int
    near: Any
    far: Any

    def at(self, value: Any) -> Row:
        return (*self.row[: self.column], value, *self.row[self.column + 1 :])

    def narrow(self, like_start: Collection[Any]) -> None:
        """``like_start``: those of the next middles where the answer is still that of the start."""
        for _ in range(_STEPS_AT_ONCE):
            middle = _middle(self.near, self.far)
            if middle in (self.near, self.far):
                return
            if middle in like_start:
                self.near = middle
            else:
                self.far = middle


def boundary_rows(columns: Sequence[Column], rows: Sequence[Row], answer: Answer, wanted: int) -> list[Row]:
    """At most ``2 * wanted`` rows, in pairs: the last one before a jump and the first one behind it."""
    segments = _segments(columns, rows, wanted)
    if not segments:
        return []
    starts = answer([segment.at(segment.near) for segment in segments])
    ends = answer([segment.at(segment.far) for segment in segments])
    jumps = [(segment, start) for segment, start, end in zip(segments, starts, ends, strict=True)
             if (start != end).any()]  # fmt: skip
    for _ in range(0, _STEPS, _STEPS_AT_ONCE):
        asked = [_middles(segment.near, segment.far, _STEPS_AT_ONCE) for segment, _ in jumps]
        if not any(asked):
            break
        answers = iter(answer([segment.at(value) for (segment, _), middles in zip(jumps, asked, strict=True)
                               for value in middles]))  # fmt: skip
        for (segment, start), middles in zip(jumps, asked, strict=True):
            segment.narrow([value for value in middles if (next(answers) == start).all()])
    return [segment.at(value) for segment, _ in jumps for value in (segment.near, segment.far)]


def _segments(columns: Sequence[Column], rows: Sequence[Row], wanted: int) -> list[_Segment]:
    """From rows far apart in the sample."""
    numeric = [at for at, column in enumerate(columns) if column.kind in ("number", "integer")]
    found: list[_Segment] = []
    for turn in range(wanted * 4):
        if not numeric or len(rows) < 2 or len(found) >= wanted:
            break
        at = numeric[turn % len(numeric)]
        one = rows[(turn * 7919) % len(rows)]
        other = rows[(turn * 7919 + len(rows) // 2 + turn // len(rows)) % len(rows)]
        if one[at] is not None and other[at] is not None and one[at] != other[at]:
            found.append(_Segment(one, at, one[at], other[at]))
    return found


def _middles(one: Any, other: Any, steps: int) -> list[Any]:
    """Where the next steps of a bisection may look, whichever way they go."""
    middle = _middle(one, other)
    if not steps or middle in (one, other):
        return []
    return [middle, *_middles(one, middle, steps - 1), *_middles(middle, other, steps - 1)]


def _middle(one: Any, other: Any) -> Any:
    return (one + other) // 2 if isinstance(one, int) and isinstance(other, int) else one / 2 + other / 2
