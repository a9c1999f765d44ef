"""The body of /predict: rows in, predictions out.

A row is an object by column name, or a list of values in column order; where the model takes one value per row (a text
model, say), it may be that value itself. The body is one row, a list of rows, or ``{"rows": [rows]}`` or
``{"instances": [rows]}``. No body can be read in two ways:

* an object with the single key rows or instances and a list in it is an envelope: no column ever takes a list;
* a list of plain values is one row where the model has several columns, and several rows where it has one.
"""

from __future__ import annotations

from typing import Any

import msgspec

from model_server.engine import Engine, RefusedInputError
from model_server.refusals import Problems, Refusal, Reply, decoded
from model_server.refused_rows import refusal_of
from model_server.row_reading import RowReader
from taskkit.estimator_io import Row
from taskkit.model_signature import Signature

ENVELOPES = ("rows", "instances")


class RowProtocol:
    """Prepared once; ``reply`` is a plain function of bytes and may run in any thread."""

    def __init__(self, signature: Signature, engine: Engine) -> None:
        self._reader = RowReader(signature)
        self._engine = engine
        self._labels = list(signature.outputs.labels) if signature.outputs.labels is not None else None
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
        self._encode = msgspec.json.Encoder().encode

    def reply(self, body: bytes) -> Reply:
        """Raises Refusal."""
        rows = self.rows(decoded(body, self._decoder))
        try:
            predictions, probabilities = self._engine.answer(rows)
        except RefusedInputError as refused:
            raise refusal_of(rows, refused, self._engine.answer) from refused
        answer: dict[str, Any] = {"predictions": predictions}
        if probabilities is not None:
            answer["probabilities"] = probabilities
            answer["labels"] = self._labels
        return Reply(200, self._encode(answer))

    def rows(self, document: Any) -> list[Row]:
        """Rows in column order from a decoded body. Raises Refusal that lists every problem."""
        problems = Problems()
        rows = [self._row(at, given, problems) for at, given in enumerate(self._given_rows(document))]
        problems.refuse_if_any()
        if not rows:
            raise Refusal(422, "there are no rows; send at least one")
        return rows

    def _given_rows(self, document: Any) -> list[Any]:
        if isinstance(document, dict):
            if len(document) == 1:
                ((key, value),) = document.items()
                if key in ENVELOPES and isinstance(value, list):
                    return value
            return [document]
        if not isinstance(document, list):
            return [document]
        if self._reader.width > 1 and document and not any(isinstance(given, (dict, list)) for given in document):
            return [document]
        return document

    def _row(self, at: int, given: Any, problems: Problems) -> Row:
        if isinstance(given, dict):
            return self._reader.from_object(at, given, problems)
        if isinstance(given, list):
            return self._reader.from_list(at, given, problems)
        if self._reader.width == 1:
            return self._reader.from_list(at, [given], problems)
        problems.add(at, None, "is not a row", given, "an object by column name, or a list of values in column order")
        return ()
