"""Rows to answers. The rest of the server knows only this interface; what stands behind it: `estimator_engine`
(scikit-learn itself) and `onnx_engine` (ONNX Runtime, without scikit-learn)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from taskkit.model_signature import Label


class RefusedInputError(Exception):
    """The model does not take these rows: their values can't be converted, or it raised ValueError itself."""


class Answers(NamedTuple):
    """Plain values, one element per row; None for what was not asked for, or not there. A number that is not finite is
    None, or stays what it is: JSON writes null for both."""

    predictions: list[Any] | None
    probabilities: list[Any] | None

    def part(self, start: int, end: int) -> Answers:
        """The answers to some of the rows."""
        predictions, probabilities = self
        return Answers(
            predictions[start:end] if predictions is not None else None,
            probabilities[start:end] if probabilities is not None else None,
        )


class Engine(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def labels(self) -> tuple[Label, ...] | None:
        """Labels in the order of the probabilities."""
        ...

    @property
    def gives_probabilities(self) -> bool: ...

    def answer(self, rows: Sequence[Any], *, predictions: bool = True, probabilities: bool = True) -> Answers:
        """Answers for checked rows in column order; for a model without a signature, for an array.

        Raises RefusedInputError.
        """
        ...


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
