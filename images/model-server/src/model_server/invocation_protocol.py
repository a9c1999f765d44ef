"""The bodies of ``/invocations``: what MLflow's and SageMaker's clients send, beside everything that /predict takes.

* ``{"dataframe_split": {"columns": […], "data": [[…], …]}}`` (``index`` is not looked at)
* ``{"dataframe_records": [{…}, …]}``
* ``{"inputs": rows}``, or ``{"inputs": {"column": [values], …}}``
* ``{"instances": rows}``
* CSV, with a line of column names or, as SageMaker has it, without

``params`` and ``parameters`` may stand beside and are not looked at.
https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/#local-inference-server-spec
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from model_server.engine import Answers
from model_server.exchange import Asked, BodyProtocol
from model_server.refusals import Problems, Refusal, Reply, decoded
from model_server.row_protocol import RowProtocol
from taskkit.model_signature import Column, Signature

_LISTS = ("dataframe_records", "instances")
_BESIDES = {"params", "parameters"}
CSV = b"text/csv; charset=utf-8"


class InvocationProtocol:
    def __init__(self, rows: RowProtocol, names: Sequence[str]) -> None:
        self._rows = rows
        self._names = tuple(names)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
        self.write = rows.write

    def read(self, body: bytes) -> Asked:
        """Raises Refusal."""
        if (rows := self._rows.typed_rows(body)) is not None:
            return Asked(rows, predictions=True, probabilities=True)
        document = decoded(body, self._decoder)
        if isinstance(document, dict) and (kinds := document.keys() & _READERS.keys()):
            kind = min(kinds)
            if len(kinds) == 1 and not document.keys() - kinds - _BESIDES and self._is_envelope(document[kind]):
                document = _READERS[kind](document[kind], self._names)
        return Asked(self._rows.rows(document), predictions=True, probabilities=True)

    @staticmethod
    def _is_envelope(content: Any) -> bool:
        """A column may have such a name, but then there is one value in it."""
        return isinstance(content, (list, dict))


def _split(content: Any, names: Sequence[str]) -> list[Any]:
    if not isinstance(content, dict) or not isinstance(content.get("data"), list):
        raise Refusal(422, 'dataframe_split must be an object with "data", and "columns" if their order is another')
    columns = content.get("columns", list(names))
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise Refusal(422, "the columns of dataframe_split must be a list of names")
    rows: list[Any] = content["data"]
    if list(columns) == list(names):
        return rows
    return [dict(zip(columns, row, strict=True)) if isinstance(row, list) and len(row) == len(columns) else row
            for row in rows]  # fmt: skip


def _listed(kind: str) -> Callable[[Any, Sequence[str]], list[Any]]:
    def read(content: Any, names: Sequence[str]) -> list[Any]:  # noqa: ARG001  one shape for all
        if not isinstance(content, list):
            raise Refusal(422, f"{kind} must be a list of rows")
        return content

    return read


def _inputs(content: Any, names: Sequence[str]) -> list[Any]:
    if isinstance(content, list):
        return content
    if not any(isinstance(values, list) for values in content.values()):
        return [content]
    lengths = {name: len(values) if isinstance(values, list) else -1 for name, values in content.items()}
    if len(set(lengths.values())) > 1:
        raise Refusal(422, f"the columns of inputs have different lengths: {lengths}")
    del names
    return [dict(zip(content, row, strict=True)) for row in zip(*content.values(), strict=True)]


_READERS = {"dataframe_split": _split, "inputs": _inputs, **{kind: _listed(kind) for kind in _LISTS}}


class CsvProtocol:
    """CSV in; the answer is JSON, or CSV by `CsvAnswers`."""

    def __init__(self, rows: RowProtocol, signature: Signature) -> None:
        self._rows = rows
        self._columns = {column.name: column for column in signature.columns}
        self.write = rows.write

    def read(self, body: bytes) -> Asked:
        """Raises Refusal."""
        try:
            lines = [
                line for line in csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True) if line
            ]
        except (UnicodeDecodeError, csv.Error) as error:
            raise Refusal(400, f"the body is not CSV in UTF-8: {error}") from error
        names = list(self._columns)
        if lines and set(lines[0]) == set(names) and len(lines[0]) == len(names):
            names = lines.pop(0)
        problems = Problems()
        for at, line in enumerate(lines):
            if len(line) != len(names):
                problems.add(at, None, f"has {len(line)} values, the model takes {len(names)}", line, ", ".join(names))
        problems.refuse_if_any()
        columns = [self._columns[name] for name in names]
        rows = [{column.name: _value(cell, column) for cell, column in zip(line, columns, strict=True)}
                for line in lines]  # fmt: skip
        return Asked(self._rows.rows_of(rows), predictions=True, probabilities=True)


_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


def _value(cell: str, column: Column) -> Any:
    """As JSON would have it: what is not the column's kind stays a text, and is refused as such."""
    if cell == "" and (column.kind != "string" or column.nullable):
        return None
    if column.kind == "boolean":
        return _BOOLEANS.get(cell.strip().lower(), cell)
    if column.kind in {"number", "integer"}:
        number = cell.strip()
        try:
            if _INTEGER.fullmatch(number):
                return int(number)
            return float(number) if _NUMBER.fullmatch(number) else cell
        except ValueError:  # an integer of thousands of digits
            return cell
    return cell


class CsvAnswers:
    """Another protocol's requests, answered as SageMaker's CSV: a line for each row, its prediction in it."""

    def __init__(self, protocol: BodyProtocol) -> None:
        self._protocol = protocol

    def read(self, body: bytes) -> Asked:
        """Raises Refusal."""
        return self._protocol.read(body)._replace(probabilities=False)

    def write(self, asked: Asked, answers: Answers) -> Reply:  # noqa: ARG002
        written = io.StringIO(newline="")
        writer = csv.writer(written, lineterminator="\n")
        for one in answers.predictions or ():
            writer.writerow([_cell(value) for value in (one if isinstance(one, (tuple, list)) else [one])])
        return Reply(200, written.getvalue().encode(), CSV, predictions=answers.predictions)


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode() if value is not None else ""
