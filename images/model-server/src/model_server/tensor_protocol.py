"""The body of ``/v2/models/<name>/infer``: tensors in, tensors out (Open Inference Protocol v2, REST).

A request holds either one tensor per column, or one matrix of all columns; see `tensor_metadata` for names. The name of
a matrix is free, as is the name of the only tensor of a model with one column. Data may be flat or nested, null is a
missing value. Without ``outputs`` everything the model gives is sent.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Sequence
from typing import Any

import msgspec

from model_server.binary_tensors import as_json_would_be, binary_reply, wanted_as_bytes
from model_server.engine import Answers
from model_server.exchange import Asked, BodyProtocol
from model_server.plain_columns import PlainColumn
from model_server.plain_tensors import PLAIN_CONTENT, PlainTensors
from model_server.refusals import Problems, Refusal, Reply, decoded
from model_server.row_reading import ColumnReader, Misfit, RowReader, value_reader
from model_server.tensor_metadata import DATATYPES, FITTING, PREDICT, PREDICT_PROBA, ModelMetadata, Tensor
from taskkit.estimator_io import Row
from taskkit.model_signature import Signature

NONE: frozenset[str] = frozenset()
MOST_DIMENSIONS = 32


class RequestTensor(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    data: list[Any]
    parameters: dict[str, Any] | None = None


class RequestedOutput(msgspec.Struct):
    name: str
    parameters: dict[str, Any] | None = None


class InferRequest(msgspec.Struct):
    inputs: list[RequestTensor]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[RequestedOutput] | None = None


class TensorProtocol:
    def __init__(self, metadata: ModelMetadata, signature: Signature | None) -> None:
        self._columns = ColumnTensors(signature) if signature is not None else None
        self._outputs = {tensor.name: tensor for tensor in metadata.outputs}
        self._everything = tuple(self._outputs)
        self._decoder = msgspec.json.Decoder(InferRequest)
        self._encode = msgspec.json.Encoder().encode
        model = {"model_name": metadata.name, "model_version": metadata.version}
        self._start = msgspec.json.encode(model).removesuffix(b"}") + b","

    def read(self, body: bytes) -> Asked:
        """Raises Refusal."""
        return self._asked(decoded(body, self._decoder))

    def _asked(self, request: InferRequest) -> Asked:
        wanted, binary = self._wanted(request.outputs), NONE
        if request.parameters or request.outputs:
            binary = wanted_as_bytes(request.parameters, request.outputs, wanted)
        rows = self._columns.rows(request.inputs) if self._columns is not None else plain_array(request.inputs)
        return Asked(rows, PREDICT in wanted, PREDICT_PROBA in wanted, (request.id, wanted, binary))

    def write(self, asked: Asked, answers: Answers) -> Reply:
        request_id, wanted, binary = asked.context
        found = {PREDICT: answers.predictions, PREDICT_PROBA: answers.probabilities}
        outputs = [response_tensor(self._outputs[name], found[name]) for name in wanted]
        start = self._start if request_id is None else self._start + b'"id":' + self._encode(request_id) + b","
        if binary:
            return binary_reply(start, outputs, binary, answers.predictions)
        return Reply(200, start + b'"outputs":' + self._encode(outputs) + b"}", predictions=answers.predictions)

    def with_bytes(self, length: int) -> BodyProtocol:
        """For requests whose JSON ends after ``length`` bytes, with data of tensors behind it."""
        return _WithBytes(self, length)

    def read_with_bytes(self, body: bytes, length: int) -> Asked:
        """Raises Refusal."""
        document = as_json_would_be(body, length)
        try:
            request = msgspec.convert(document, InferRequest)
        except msgspec.ValidationError as error:
            raise Refusal(422, f"the body does not have the expected structure: {error}") from error
        return self._asked(request)

    def _wanted(self, outputs: list[RequestedOutput] | None) -> Sequence[str]:
        if not outputs:
            return self._everything
        for output in outputs:
            if output.name not in self._outputs:
                raise Refusal(422, f"there is no output '{output.name}'; the model gives {', '.join(self._outputs)}")
        return list(dict.fromkeys(output.name for output in outputs))


class _WithBytes:
    def __init__(self, tensors: TensorProtocol, length: int) -> None:
        self._tensors = tensors
        self._length = length

    def read(self, body: bytes) -> Asked:
        return self._tensors.read_with_bytes(body, self._length)

    def write(self, asked: Asked, answers: Answers) -> Reply:
        return self._tensors.write(asked, answers)


class ColumnTensors:
    """Tensors to checked rows, by the signature."""

    def __init__(self, signature: Signature) -> None:
        self._reader = RowReader(signature)
        self._plain = PlainTensors(signature.columns)
        self._columns = {column.name: (reader, column.kind, PlainColumn(column)) for column, reader in
                         zip(signature.columns, self._reader.columns, strict=True)}  # fmt: skip

    def rows(self, inputs: Sequence[RequestTensor]) -> Sequence[Row]:
        """Rows in column order. Raises Refusal that lists every problem."""
        if not inputs:
            raise Refusal(422, f"there are no inputs; send {self._expected()}")
        if (rows := self._plain.rows(inputs)) is not None:
            return rows
        problems = Problems()
        if self._is_matrix(inputs):
            columns = self._from_matrix(inputs[0], problems)
        else:
            columns = self._from_columns(inputs, problems)
        problems.refuse_if_any()
        if not columns[0]:
            raise Refusal(422, "there are no rows; send at least one")
        return list(zip(*columns, strict=True))

    def _expected(self) -> str:
        names = self._reader.names
        return f"one tensor for each of the columns {', '.join(names)}, or one matrix of shape [rows, {len(names)}]"

    def _is_matrix(self, inputs: Sequence[RequestTensor]) -> bool:
        if len(inputs) != 1:
            return False
        return self._reader.width == 1 or (inputs[0].name not in self._columns and len(inputs[0].shape) == 2)

    def _from_matrix(self, tensor: RequestTensor, problems: Problems) -> list[list[Any]]:
        width = self._reader.width
        shape = [*tensor.shape, 1] if width == 1 and len(tensor.shape) == 1 else tensor.shape
        if len(shape) != 2 or shape[1] != width:
            raise Refusal(422, f"tensor '{tensor.name}' has shape {tensor.shape}; the model takes [rows, {width}]")
        flat = tensor_values(tensor)
        return [self._checked(name, tensor, flat[at::width], problems) for at, name in enumerate(self._reader.names)]

    def _from_columns(self, inputs: Sequence[RequestTensor], problems: Problems) -> list[list[Any]]:
        given = {tensor.name: tensor for tensor in inputs}
        if len(given) != len(inputs):
            raise Refusal(422, "two tensors have the same name")
        if not any(name in self._columns for name in given):
            raise Refusal(422, f"no tensor has the name of a column; send {self._expected()}")
        for name in given:
            if name not in self._columns:
                problems.add(None, name, "is not a column of the model", None, ", ".join(self._columns))
        for name, (reader, _, _) in self._columns.items():
            if name not in given:
                problems.add(None, name, "is missing", None, reader.allowed)
        for tensor in inputs:
            if len(tensor.shape) != 1 and tensor.shape[1:] != [1]:
                raise Refusal(
                    422, f"tensor '{tensor.name}' has shape {tensor.shape}; a column takes [rows] or [rows, 1]"
                )
        lengths = {tensor.shape[0] for tensor in inputs}
        if len(lengths) > 1:
            raise Refusal(422, f"tensors have different numbers of rows: {', '.join(map(str, sorted(lengths)))}")
        problems.refuse_if_any()
        return [self._checked(name, given[name], tensor_values(given[name]), problems) for name in self._columns]

    def _checked(self, name: str, tensor: RequestTensor, values: list[Any], problems: Problems) -> list[Any]:
        """Values of one column, each fitting the tensor's datatype and the column."""
        reader, kind, plain = self._columns[name]
        own_kind, own_dtype = kind_of(tensor)
        if (at_once := plain.values(values, own_kind, own_dtype)) is not None:
            return at_once
        if own_kind not in FITTING[kind]:
            problems.add(None, name, f"has the datatype {tensor.datatype}", tensor.datatype, reader.allowed)
            return []
        own = ColumnReader(name, True, value_reader(own_kind, own_dtype), tensor.datatype)
        found = []
        for at, value in enumerate(values):
            try:
                found.append(reader.value(own.value(value)))
            except Misfit as misfit:
                problems.add(at, name, str(misfit), value, reader.allowed)
        return found


def kind_of(tensor: RequestTensor) -> tuple[Any, str]:
    """Raises Refusal for an unknown datatype."""
    found = DATATYPES.get(tensor.datatype)
    if found is None:
        raise Refusal(
            422, f"tensor '{tensor.name}' has the datatype '{tensor.datatype}'; known are {', '.join(DATATYPES)}"
        )
    return found


def tensor_values(tensor: RequestTensor) -> list[Any]:
    """The data, flat and row-major, as many values as the shape says. Raises Refusal."""
    if any(size < 0 for size in tensor.shape) or not tensor.shape:
        raise Refusal(422, f"tensor '{tensor.name}' has shape {tensor.shape}; sizes are 0 or more")
    if tensor.parameters and "binary_data_size" in tensor.parameters:
        raise Refusal(400, f"tensor '{tensor.name}' has a binary_data_size, but there is no header "
                           "Inference-Header-Content-Length")  # fmt: skip
    nested = list in set(map(type, tensor.data))
    values = _flattened(tensor, tensor.data, tensor.shape) if nested else tensor.data
    if len(values) != math.prod(tensor.shape):
        raise Refusal(422, f"tensor '{tensor.name}' has {len(values)} values, but its shape {tensor.shape} means "
                           f"{math.prod(tensor.shape)}")  # fmt: skip
    return _decoded_content(tensor, values)


def _flattened(tensor: RequestTensor, part: Any, shape: Sequence[int]) -> list[Any]:
    if not shape:
        return [part]
    if not isinstance(part, list) or len(part) != shape[0]:
        raise Refusal(422, f"the nested data of tensor '{tensor.name}' does not have its shape {tensor.shape}")
    if len(shape) == 1:
        return part
    return [value for inner in part for value in _flattened(tensor, inner, shape[1:])]


def _decoded_content(tensor: RequestTensor, values: list[Any]) -> list[Any]:
    content = (tensor.parameters or {}).get("content_type")
    if content is None or (isinstance(content, str) and content in PLAIN_CONTENT):
        return values
    if content != "base64" or tensor.datatype != "BYTES":
        raise Refusal(422, f"tensor '{tensor.name}' has the content_type {content!r}; known are "
                           f"{', '.join(sorted(PLAIN_CONTENT))}, and base64 for BYTES")  # fmt: skip
    try:
        return [value if value is None else base64.b64decode(value, validate=True).decode() for value in values]
    except (TypeError, ValueError, binascii.Error) as error:
        raise Refusal(422, f"tensor '{tensor.name}' is not base64 of UTF-8 texts: {error}") from error


def plain_array(inputs: Sequence[RequestTensor]) -> Any:
    """The array that one tensor stands for, for a model whose columns are not known. Raises Refusal."""
    import numpy as np

    if len(inputs) != 1:
        raise Refusal(422, "the columns of this model are not known; send one tensor with all of them")
    tensor = inputs[0]
    if len(tensor.shape) > MOST_DIMENSIONS:
        raise Refusal(422, f"tensor '{tensor.name}' has {len(tensor.shape)} dimensions, more than {MOST_DIMENSIONS}")
    kind, dtype = kind_of(tensor)
    values = tensor_values(tensor)
    read, problems = ColumnReader(tensor.name, kind == "number", value_reader(kind, dtype), tensor.datatype), Problems()
    found = []
    per_row = math.prod(tensor.shape[1:]) or 1
    for at, value in enumerate(values):
        try:
            checked = read.value(value)
            found.append(math.nan if checked is None else checked)
        except Misfit as misfit:
            problems.add(at // per_row, None, str(misfit), value, tensor.datatype)
    problems.refuse_if_any()
    if not found:
        raise Refusal(422, "there are no rows; send at least one")
    return np.asarray(found, dtype="object" if kind == "string" else dtype).reshape(tensor.shape)


def response_tensor(tensor: Tensor, values: list[Any] | None) -> dict[str, Any]:
    """One output: shape by the answers, data flat."""
    if values is None:
        raise RuntimeError(f"there are no values for output {tensor.name}")
    if values and isinstance(values[0], (tuple, list)):
        shape = [len(values), len(values[0])]
        values = [value for row in values for value in row]
    else:
        shape = [len(values)]
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": shape, "data": values}
