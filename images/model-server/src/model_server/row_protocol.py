"""The body of /predict: rows in, predictions out.

A row is an object by column name, or a list of values in column order; where the model takes one value per row (a text
model, say), it may be that value itself. The body is one row, a list of rows, or ``{"rows": [rows]}`` or
``{"instances": [rows]}``. No body can be read in two ways:

* an object with the single key rows or instances and a list in it is an envelope: no column ever takes a list;
* a list of plain values is one row where the model has several columns, and several rows where it has one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from model_server.engine import Answers
from model_server.exchange import Asked
from model_server.refusals import Problems, Refusal, Reply, decoded
from model_server.row_reading import RowReader
from model_server.typed_rows import typed_rows
from taskkit.estimator_io import Row
from taskkit.model_signature import Signature

ENVELOPES = ("rows", "instances")


class RowProtocol:
    def __init__(self, signature: Signature) -> None:
        self._reader = RowReader(signature)
        self._typed = typed_rows(signature)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
        self._encode = msgspec.json.Encoder().encode
        labels = signature.outputs.labels
        self._end = b'"labels":' + msgspec.json.encode(list(labels) if labels is not None else None) + b"}"

    def read(self, body: bytes) -> Asked:
        """Raises Refusal."""
        rows = self.typed_rows(body)
        if rows is None:
            rows = self.rows(decoded(body, self._decoder))
        return Asked(rows, predictions=True, probabilities=True)

    def write(self, asked: Asked, answers: Answers) -> Reply:  # noqa: ARG002
        predictions, probabilities = answers
        start = b'{"predictions":' + self._encode(predictions)
        if probabilities is None:
            return Reply(200, start + b"}", predictions=predictions)
        return Reply(
            200, b'%b,"probabilities":%b,%b' % (start, self._encode(probabilities), self._end), predictions=predictions
        )

    def typed_rows(self, body: bytes) -> list[Row] | None:
        """Rows of a body that is plainly rows, see `typed_rows`; None of any other."""
        return self._typed.read(body) if self._typed is not None else None

    def typed_instances(self, body: bytes) -> list[Row] | None:
        """The same of a body that is plainly ``{"instances": [rows]}``."""
        return self._typed.read_instances(body) if self._typed is not None else None

    def rows(self, document: Any) -> list[Row]:
        """Rows in column order from a decoded body. Raises Refusal that lists every problem."""
        return self.rows_of(self._given_rows(document))

    def rows_of(self, listed: Sequence[Any]) -> list[Row]:
        """Rows in column order from a list of decoded rows. Raises Refusal that lists every problem."""
        problems = Problems()
        rows = [self._row(at, given, problems) for at, given in enumerate(listed)]
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
