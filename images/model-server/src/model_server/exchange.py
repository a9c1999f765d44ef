"""What every protocol is for the rest of the server: a body to rows, answers to a body. Nothing in between.

So that rows of several waiting requests, by whatever protocol, can go to the model together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from model_server.engine import Answers
from model_server.refusals import Reply


class Asked(NamedTuple):
    """Checked rows in column order, what is wanted for them, and what the protocol needs to write the answer."""

    rows: Sequence[Any]
    predictions: bool
    probabilities: bool
    context: Any = None


class BodyProtocol(Protocol):
    """Plain functions of bytes, prepared once for a model; may run in any thread."""

    def read(self, body: bytes) -> Asked:
        """Raises Refusal."""
        ...

    def write(self, asked: Asked, answers: Answers) -> Reply: ...
