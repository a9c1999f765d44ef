"""Decimal numbers that keep how they were written, and arithmetic on them that never rounds."""

from __future__ import annotations

import decimal
import re
from dataclasses import dataclass
from decimal import Decimal

# Far beyond what a float can hold (17 digits, 1e308), and small enough that exact arithmetic takes no time.
MAX_DIGITS = 1_000
MAX_EXPONENT = 1_000

_WRITTEN = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]")

# A difference of two such numbers has at most 3,000 digits, a product 2,000; anything inexact would be a fault of ours.
_EXACT = decimal.Context(
    prec=4 * MAX_DIGITS, Emin=-8 * MAX_EXPONENT, Emax=8 * MAX_EXPONENT,
    traps=[decimal.Inexact, decimal.InvalidOperation, decimal.Overflow, decimal.Underflow],
)  # fmt: skip

_FOUR_DIGITS = decimal.Context(prec=4, Emin=-8 * MAX_EXPONENT, Emax=8 * MAX_EXPONENT, traps=[])


@dataclass(frozen=True)
class Number:
    """``text`` is the number as it was written, ``value`` what it means."""

    text: str
    value: Decimal


def number(text: str) -> Number | None:
    """The finite number that ``text`` writes, or None: no number, NaN, infinite, or absurdly long.

    Digits with an optional point, sign and exponent, in ASCII; ``0950`` is none, since YAML and people disagree on it.
    """
    if len(text) > 2 * MAX_DIGITS or not _WRITTEN.fullmatch(text) or _LEADING_ZERO.match(text):
        return None
    try:
        value = Decimal(text) or Decimal(0)
    except decimal.InvalidOperation:  # an exponent of twenty digits
        return None
    if len(value.as_tuple().digits) > MAX_DIGITS or (value and abs(value.adjusted()) > MAX_EXPONENT):
        return None
    return Number(text, value)


def minus(one: Decimal, other: Decimal) -> Decimal:
    return _EXACT.subtract(one, other)


def times(one: Decimal, other: Decimal) -> Decimal:
    return _EXACT.multiply(one, other)


def plain(value: Decimal) -> str:
    """For messages: exact, without needless zeros, and with an exponent only where digits would run on."""
    if not value:
        return "0"
    shortest = _EXACT.normalize(value)
    return f"{shortest:f}" if -10 <= shortest.adjusted() <= 15 else str(shortest)


def shorter(value: Decimal, beside: Decimal | None = None) -> str:
    """For messages: four digits, or all of them where four would not compare with ``beside`` as the value does."""
    rounded = _FOUR_DIGITS.plus(value)
    if beside is not None and value.compare(beside) != rounded.compare(beside):
        return plain(value)
    return plain(rounded)
