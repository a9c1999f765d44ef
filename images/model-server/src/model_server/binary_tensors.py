"""Tensor data as bytes behind the JSON of a request or an answer: the protocol's binary tensor data extension.

https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
The header Inference-Header-Content-Length tells how long the JSON is. Numbers are little-endian; of texts each is
preceded by its length in four bytes. NaN is a missing value, as null is in JSON.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from model_server.refusals import Refusal, Reply, decoded
from model_server.tensor_metadata import DATATYPES

HEADER = b"inference-header-content-length"
MEDIA_TYPE = b"application/octet-stream"
_LENGTH = 4


class _Tensor(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    data: list[Any] | None = None
    parameters: dict[str, Any] | None = None


class _Request(msgspec.Struct):
    inputs: list[_Tensor]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[dict[str, Any]] | None = None


_DECODER = msgspec.json.Decoder(_Request)


def as_json_would_be(body: bytes, length: int) -> dict[str, Any]:
    """A request with every tensor's data in its place. Raises Refusal."""
    if length > len(body):
        raise Refusal(400, f"Inference-Header-Content-Length is {length}, but the body has {len(body)} bytes")
    request: _Request = decoded(body[:length], _DECODER)
    at, inputs = length, []
    for tensor in request.inputs:
        document: dict[str, Any] = {"name": tensor.name, "shape": tensor.shape, "datatype": tensor.datatype}
        parameters = dict(tensor.parameters or {})
        size = parameters.pop("binary_data_size", None)
        if size is not None:
            _check_size(tensor, size, len(body) - at)
            tensor.data = list(_values(tensor, body[at : at + size]))
            at += size
        if tensor.data is not None:
            document["data"] = tensor.data
        inputs.append(document | ({"parameters": parameters} if parameters else {}))
    if at != len(body):
        raise Refusal(400, f"there are {len(body) - at} bytes behind the last tensor")
    return {"id": request.id, "inputs": inputs, "outputs": request.outputs, "parameters": request.parameters}


def _check_size(tensor: _Tensor, size: Any, left: int) -> None:
    if tensor.data is not None:
        raise Refusal(400, f"tensor '{tensor.name}' has data and a binary_data_size; send one of them")
    if type(size) is not int or not 0 <= size <= left:
        raise Refusal(400, f"tensor '{tensor.name}' has binary_data_size {size!r}, but {left} bytes are left")


def _values(tensor: _Tensor, content: bytes) -> Sequence[Any]:
    kind, dtype = DATATYPES.get(tensor.datatype, ("", ""))
    if kind == "string":
        return list(_texts(tensor.name, content))
    if not kind:
        return []  # the datatype is refused by its name later on
    little = np.dtype(dtype).newbyteorder("<")
    if len(content) % little.itemsize:
        raise Refusal(400, f"tensor '{tensor.name}' has {len(content)} bytes, which are no {tensor.datatype} values")
    if kind == "boolean":
        return [bool(value) for value in content]
    values = np.frombuffer(content, little)
    if kind == "number" and not np.isfinite(values).all():
        if np.isinf(values).any():
            raise Refusal(422, f"tensor '{tensor.name}' holds numbers that are infinite")
        return [None if math.isnan(value) else value for value in values.tolist()]
    found: list[Any] = values.tolist()
    return found


def _texts(name: str, content: bytes) -> Iterator[str]:
    at = 0
    while at < len(content):
        start = at + _LENGTH
        at = start + int.from_bytes(content[at:start], "little")
        if start > len(content) or at > len(content):
            raise Refusal(400, f"the texts of tensor '{name}' are longer than its bytes")
        try:
            yield content[start:at].decode()
        except UnicodeDecodeError as error:
            raise Refusal(422, f"tensor '{name}' holds a text that is not UTF-8: {error}") from error


def wanted_as_bytes(
    parameters: dict[str, Any] | None, outputs: Sequence[Any] | None, names: Collection[str]
) -> frozenset[str]:
    """Names of the outputs that are asked for in binary: each for itself, or all."""
    everything = (parameters or {}).get("binary_data_output")
    told = {one.name: (one.parameters or {}).get("binary_data", everything) for one in outputs or ()}
    return frozenset(name for name in names if told.get(name, everything) is True)


def binary_reply(
    start: bytes, outputs: Sequence[dict[str, Any]], binary: Collection[str], predictions: list[Any] | None
) -> Reply:
    """``start`` is the JSON before the outputs; ``outputs`` hold their data."""
    parts, shown = [], []
    for output in outputs:
        if output["name"] in binary:
            content = _bytes_of(output["datatype"], output["data"])
            parts.append(content)
            output = {name: value for name, value in output.items() if name != "data"}  # noqa: PLW2901
            output["parameters"] = {"binary_data_size": len(content)}
        shown.append(output)
    head = start + b'"outputs":' + msgspec.json.encode(shown) + b"}"
    headers = ((HEADER, b"%d" % len(head)),)
    return Reply(200, b"".join([head, *parts]), MEDIA_TYPE, headers, predictions=predictions)


def _bytes_of(datatype: str, values: Sequence[Any]) -> bytes:
    kind, dtype = DATATYPES[datatype]
    if kind == "string":
        texts = [str(value).encode() for value in values]
        return b"".join(len(text).to_bytes(_LENGTH, "little") + text for text in texts)
    if kind == "number":
        values = [math.nan if value is None else value for value in values]
    return np.asarray(values, np.dtype(dtype).newbyteorder("<")).tobytes()
