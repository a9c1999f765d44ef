"""Values of JSON to checked rows in column order, by the signature.

What is checked: the type of each value, missing and unknown columns, null where training had no missing values.
What is not: values outside the ranges and categories of training; what they mean is for the model to decide.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from model_server.refusals import Problems
from taskkit.estimator_io import Row
from taskkit.model_signature import Column, Kind, Signature

KINDS = {
    "number": "a number",
    "integer": "an integer",
    "boolean": "true or false",
    "string": "a text",
    "datetime": "a date and time (ISO 8601 text)",
}
FLOAT_LIMITS = {"float16": 65504.0, "float32": 3.4028234663852886e38}
_MOST_CATEGORIES = 20


class Misfit(Exception):  # noqa: N818  says what is wrong with a value
    """Why a value does not fit its column."""


@dataclass(frozen=True)
class ColumnReader:
    """``read`` gives the value that the estimator's input is built from, or raises Misfit; never asked for null."""

    name: str
    nullable: bool
    read: Callable[[Any], Any]
    allowed: str

    def value(self, given: Any) -> Any:
        """Raises Misfit."""
        if given is None:
            if self.nullable:
                return None
            raise Misfit("is null, but training saw no missing values")
        return self.read(given)


def column_reader(column: Column) -> ColumnReader:
    return ColumnReader(column.name, column.nullable, value_reader(column.kind, column.dtype), allowed_text(column))


def value_reader(kind: Kind, dtype: str) -> Callable[[Any], Any]:
    """A function that gives a value as the dtype's, or raises Misfit."""
    readers = {
        "number": _number_reader, "integer": _integer_reader, "boolean": _boolean_reader,
        "string": _string_reader, "datetime": _datetime_reader,
    }  # fmt: skip
    return readers[kind](dtype)


def allowed_text(column: Column) -> str:
    """What a column takes, in words, with what training saw as a hint."""
    text = KINDS[column.kind] + (" or null" if column.nullable else "")
    if column.categories:
        more = ", …" if len(column.categories) > _MOST_CATEGORIES else ""
        return f"{text}; training saw {', '.join(map(str, column.categories[:_MOST_CATEGORIES]))}{more}"
    if column.minimum is not None and column.maximum is not None:
        return f"{text}; training saw {column.minimum} to {column.maximum}"
    return text


def _number_reader(dtype: str) -> Callable[[Any], Any]:
    limit = FLOAT_LIMITS.get(dtype.lower())

    def read(given: Any) -> float:
        if type(given) is int:
            try:
                number = float(given)
            except OverflowError:
                raise Misfit("is too large for a float64") from None
        elif type(given) is float:
            number = given
        else:
            raise Misfit("is not a number")
        if limit is not None and abs(number) > limit:
            raise Misfit(f"is too large for a {dtype}")
        return number

    return read


def integer_range(dtype: str) -> tuple[int, int]:
    """Least and greatest value of an integer dtype of numpy or pandas; other dtypes count as int64."""
    match = re.fullmatch(r"(u?)int(8|16|32|64)", dtype.lower())
    unsigned, bits = (match[1] == "u", int(match[2])) if match else (False, 64)
    return (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _integer_reader(dtype: str) -> Callable[[Any], Any]:
    least, most = integer_range(dtype)

    def read(given: Any) -> int:
        if type(given) is float and given.is_integer():
            given = int(given)  # many clients have one number type only, and write 3 as 3.0
        if type(given) is not int:
            raise Misfit("is not an integer")
        if not least <= given <= most:
            raise Misfit(f"is out of the range of {dtype}")
        return given

    return read


def _boolean_reader(dtype: str) -> Callable[[Any], Any]:  # noqa: ARG001  one shape for all
    def read(given: Any) -> bool:
        if type(given) is not bool:
            raise Misfit("is not true or false")
        return given

    return read


def _string_reader(dtype: str) -> Callable[[Any], Any]:  # noqa: ARG001  one shape for all
    def read(given: Any) -> str:
        if type(given) is not str:
            raise Misfit("is not a text")
        return given

    return read


def _datetime_reader(dtype: str) -> Callable[[Any], Any]:
    match = re.fullmatch(r"datetime64\[(\w+)(?:, (.+))?\]", dtype)
    with_zone = bool(match and match[2])
    years = (1678, 2261) if match is None or match[1] == "ns" else (1, 9999)

    def read(given: Any) -> str:
        if type(given) is not str:
            raise Misfit("is not a date and time")
        try:
            moment = datetime.fromisoformat(given)
        except ValueError:
            raise Misfit("is not a date and time of ISO 8601") from None
        if not years[0] <= moment.year <= years[1]:
            raise Misfit(f"is out of the range of {dtype}")
        if with_zone != (moment.tzinfo is not None):
            raise Misfit(
                "has no offset from UTC, but training had" if with_zone else "has an offset from UTC, training had none"
            )
        return moment.astimezone(UTC).isoformat() if with_zone else given

    return read


class RowReader:
    """Prepared from a signature once; then reads any number of requests, in any number of threads."""

    def __init__(self, signature: Signature) -> None:
        self.columns = tuple(column_reader(column) for column in signature.columns)
        self.names = tuple(column.name for column in self.columns)
        self.width = len(self.columns)
        self._known = frozenset(self.names)
        self._values = tuple(column.value for column in self.columns)

    def from_object(self, at: int, given: dict[str, Any], problems: Problems) -> Row:
        """One row from an object by column name; adds a problem for each thing that is wrong."""
        if len(given) == self.width:
            try:
                return [read(given[name]) for name, read in zip(self.names, self._values, strict=True)]
            except (KeyError, Misfit):
                pass
        for name, value in given.items():
            if name not in self._known:
                close = difflib.get_close_matches(name, self.names, 1)
                hint = f"; did you mean '{close[0]}'?" if close else ""
                problems.add(at, name, f"is not a column of the model{hint}", value, _listed(self.names))
        for column in self.columns:
            if column.name not in given:
                problems.add(at, column.name, "is missing", None, column.allowed)
            else:
                self._check(at, column, given[column.name], problems)
        return ()

    def from_list(self, at: int, given: Sequence[Any], problems: Problems) -> Row:
        """One row from values in column order; adds a problem for each thing that is wrong."""
        if len(given) != self.width:
            counted = f"{len(given)} value{'s' if len(given) != 1 else ''}"
            problems.add(at, None, f"has {counted}, the model takes {self.width}", list(given), _listed(self.names))
            return ()
        try:
            return [read(one) for read, one in zip(self._values, given, strict=True)]
        except Misfit:
            for column, one in zip(self.columns, given, strict=True):
                self._check(at, column, one, problems)
        return ()

    @staticmethod
    def _check(at: int, column: ColumnReader, given: Any, problems: Problems) -> None:
        try:
            column.value(given)
        except Misfit as misfit:
            problems.add(at, column.name, str(misfit), given, column.allowed)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_CATEGORIES]) + (", …" if len(names) > _MOST_CATEGORIES else "")
