"""metrics.json, read without rounding: the numbers at its top level are the metrics."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from metric_gate.numbers_as_written import Number, number
from taskkit.errors import TaskError


@dataclass(frozen=True)
class Metrics:
    """``numbers`` can be compared. ``others``: what else is there under a name, as a few words: NaN, a text, a table.

    ``inner``: names of numbers further down, as ``outer.inner``, which are no metrics but may have been meant.
    """

    numbers: Mapping[str, Number] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)
    inner: tuple[str, ...] = ()

    def __contains__(self, name: str) -> bool:
        return name in self.numbers or name in self.others

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self.numbers, *self.others}))


class _Unusable(str):
    """A number as written that is none to compare with: NaN, Infinity, or one beyond all measure."""

    __slots__ = ()


def parse_metrics(content: bytes, where: str) -> Metrics:
    """Reads metrics.json. ``where`` names the file in errors.

    Raises TaskError where it is no JSON object or names a key twice, so that nobody can say which value counts.
    """
    try:
        document = json.loads(
            content.decode("utf-8-sig"), parse_float=_number, parse_int=_number, parse_constant=_Unusable,
            object_pairs_hook=lambda pairs: _object(pairs, where),
        )  # fmt: skip
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else error
        raise TaskError(f"{where} is not JSON ({why})", "let the training script write one JSON object, "
                        'for example {"accuracy": 0.95}') from error  # fmt: skip
    if not isinstance(document, dict):
        raise TaskError(
            f"{where} is not a JSON object", 'the metrics are its numbers by name, for example {"accuracy": 0.95}'
        )
    return Metrics(
        {name: value for name, value in document.items() if isinstance(value, Number)},
        {name: _said(value) for name, value in document.items() if not isinstance(value, Number)},
        tuple(_inner(document)),
    )


def _number(text: str) -> Number | _Unusable:
    return number(text) or _Unusable(text if len(text) <= 40 else f"{text[:40]}…")


def _object(pairs: list[tuple[str, Any]], where: str) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise TaskError(f"{where} gives '{twice}' twice", "let the training script write each metric once")
    return found


def _said(value: Any) -> str:
    if isinstance(value, _Unusable):
        return str(value)
    if isinstance(value, str):
        return f"the text '{value if len(value) <= 40 else value[:40] + '…'}'"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else "a list" if isinstance(value, list) else "an object"


def _inner(document: dict[str, Any]) -> Iterator[str]:
    for outer, table in document.items():
        if isinstance(table, dict):
            yield from (f"{outer}.{name}" for name, value in table.items() if isinstance(value, Number))
