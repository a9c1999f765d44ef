"""Which rows an estimator refused: they are asked again one by one, so that the answer can name them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from model_server.engine import RefusedInputError
from model_server.refusals import Problem, Problems, Refusal, shown

MOST_ROWS = 100
"""Rows asked again one by one; in larger requests only the message is passed on."""


def refusal_of(rows: Sequence[Any], refused: RefusedInputError, ask: Callable[[Sequence[Any]], object]) -> Refusal:
    """The answer to a request that the estimator refused. ``ask`` gives rows to the estimator."""
    problems = Problems()
    if len(rows) == 1:
        problems.add(0, None, f"is refused by the model: {refused}")
    elif len(rows) <= MOST_ROWS:
        for at, row in enumerate(rows):
            try:
                ask([row])
            except RefusedInputError as alone:
                problems.add(at, None, f"is refused by the model: {alone}")
    found = tuple(problems.found) or (Problem(None, None, f"the model refuses these rows: {refused}"),)
    where = f"row {found[0].row}: " if found[0].row is not None else ""
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return Refusal(422, f"{where}{shown(found[0].problem)}{more}", found)
