"""Answers to requests that can't be served as they are. One shape everywhere: ``{"error": …, "problems": […]}``."""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn

import msgspec

PROBLEM_LIMIT = 1000
"""Problems listed in one answer."""
_LONGEST_TEXT = 100
_LARGEST_INTEGER = 2**63


class Reply(NamedTuple):
    """Status, body and headers of an answer."""

    status: int
    body: bytes
    content_type: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()
    predictions: list[Any] | None = None
    """What was predicted, for the metrics."""


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with one value. ``row`` counts from 0; ``column`` is None where the whole row is meant."""

    row: int | None
    column: str | None
    problem: str
    got: Any = None
    allowed: str | None = None


class Refusal(Exception):  # noqa: N818  it is an answer, not a fault
    """A request that is refused with a status, one sentence and, where values are wrong, a problem for each."""

    def __init__(
        self, status: int, error: str, problems: tuple[Problem, ...] = (), *,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:  # fmt: skip
        super().__init__(error)
        self.status = status
        self.error = error
        self.problems = problems
        self.headers = headers

    def reply(self) -> Reply:
        document: dict[str, Any] = {"error": self.error}
        if self.problems:
            document["problems"] = self.problems
        return Reply(self.status, msgspec.json.encode(document), headers=self.headers)


class Problems:
    """Collects problems; refuses at once when there are more than an answer should list."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def add(
        self, row: int | None, column: str | None, problem: str, got: Any = None, allowed: str | None = None
    ) -> None:
        self.found.append(Problem(row, column, problem, shown(got), allowed))
        if len(self.found) == PROBLEM_LIMIT:
            self.refuse(f"at least {PROBLEM_LIMIT} problems, these are the first")

    def refuse_if_any(self) -> None:
        if self.found:
            first = self.found[0]
            where = " ".join(
                part for part in (
                    f"row {first.row}" if first.row is not None else "",
                    f"column '{first.column}'" if first.column is not None else "",
                ) if part
            )  # fmt: skip
            more = f" (and {len(self.found) - 1} more)" if len(self.found) > 1 else ""
            self.refuse(f"{where + ': ' if where else ''}{first.problem}{more}")

    def refuse(self, error: str) -> NoReturn:
        raise Refusal(422, error, tuple(self.found))


def shown(value: Any) -> Any:
    """A value as it may appear in an answer: short, and encodable whatever it is."""
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_TEXT else value[:_LONGEST_TEXT] + "…"
    if isinstance(value, int) and abs(value) >= _LARGEST_INTEGER:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object of {len(value)}"
    return value


def decoded(body: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    """A JSON body. Raises Refusal: 400 where it is no JSON, 422 where its structure is not the decoder's."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Refusal(422, f"the body does not have the expected structure: {error}") from error
    except RecursionError as error:
        raise Refusal(400, "the body is nested too deeply") from error
    except ValueError as error:  # msgspec.DecodeError and UnicodeDecodeError among them
        raise Refusal(400, f"the body is not JSON in UTF-8: {error}") from error
