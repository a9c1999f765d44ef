"""Bodies of /predict decoded straight to rows, with types, ranges and names checked by the JSON decoder itself.

A decoder is made for each model from its columns. It takes only what needs no second thought; for everything else the
answer is None, and `row_protocol` reads the body again, value by value, so that every problem can be named. Whatever is
taken here is read there to the same rows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from model_server.row_reading import FLOAT_LIMITS, integer_range
from taskkit.estimator_io import Row
from taskkit.model_signature import Column, Signature

_INT64 = 2**63
_ENVELOPE = re.compile(rb'\s*\{\s*"(?:rows|instances)"\s*:\s*\[')
_NOT_FOR_DECODERS = re.compile(r'["\\\x00-\x1f]')  # msgspec takes no such names for fields


def typed_rows(signature: Signature) -> TypedRows | None:
    """None for columns whose values need more than the decoder can check."""
    types = [_value_type(column) for column in signature.columns]
    names = [column.name for column in signature.columns]
    if not all(types) or any(_NOT_FOR_DECODERS.search(name) for name in names) or len(set(names)) != len(names):
        return None
    return TypedRows(names, types)


class TypedRows:
    def __init__(self, names: Sequence[str], types: Sequence[Any]) -> None:
        fields = [(f"c{at}", kind) for at, kind in enumerate(types)]
        renamed = {f"c{at}": name for at, name in enumerate(names)}
        self._named: Any = msgspec.defstruct(
            "Row", fields, rename=renamed, forbid_unknown_fields=True, frozen=True, gc=False
        )
        listed: Any = tuple.__class_getitem__(tuple(types))
        # msgspec 0.22 misreads a tuple beside a bounded number: rows of one value come plain here, in a list they
        # are left to row_protocol.
        form: Any = self._named | (listed if len(types) > 1 else types[0])
        rows: Any = msgspec.defstruct("Rows", [("rows", list[form])], forbid_unknown_fields=True)
        instances: Any = msgspec.defstruct("Instances", [("instances", list[form])], forbid_unknown_fields=True)
        self._one = msgspec.json.Decoder(self._named).decode
        self._list_row = msgspec.json.Decoder(listed).decode if len(types) > 1 else None
        self._several = msgspec.json.Decoder(list[form]).decode
        self._rows = msgspec.json.Decoder(rows).decode
        self._instances = msgspec.json.Decoder(instances).decode
        self._tuple = msgspec.structs.astuple

    def read(self, body: bytes) -> list[Row] | None:
        """Rows in column order; None where the body is not plainly rows, or holds none."""
        try:
            if body[:1] == b"{":
                if _ENVELOPE.match(body) is None:
                    return [self._tuple(self._one(body))]
                return self._plain(self._envelope(body)) or None
            if body[:1] == b"[":
                return self._plain(self._list(body)) or None
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        return None

    def read_instances(self, body: bytes) -> list[Row] | None:
        """The same for ``{"instances": [rows]}`` and nothing else."""
        try:
            return self._plain(self._instances(body).instances) or None
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None

    def _envelope(self, body: bytes) -> list[Any]:
        try:
            found: list[Any] = self._instances(body).instances
        except msgspec.ValidationError:
            found = self._rows(body).rows
        return found

    def _list(self, body: bytes) -> list[Any]:
        if self._list_row is not None and body[1:2] not in b"[{ \n\r\t":
            return [self._list_row(body)]
        found: list[Any] = self._several(body)
        return found

    def _plain(self, rows: list[Any]) -> list[Row]:
        named, as_tuple = self._named, self._tuple
        if rows and type(rows[0]) is named:
            try:
                return list(map(as_tuple, rows))
            except TypeError:  # objects and lists together
                pass
        return [as_tuple(row) if type(row) is named else row if type(row) is tuple else (row,) for row in rows]


def _value_type(column: Column) -> Any:
    """What the decoder checks of a column, None where it can't."""
    kind: Any
    if column.kind == "number":
        limit = FLOAT_LIMITS.get(column.dtype.lower())
        kind = float if limit is None else Annotated[float, msgspec.Meta(ge=-limit, le=limit)]
    elif column.kind == "integer":
        least, most = integer_range(column.dtype)
        if most >= _INT64:  # bounds of Meta are int64
            return None
        kind = Annotated[int, msgspec.Meta(ge=least, le=most)]
    else:
        plain: dict[str, Any] = {"boolean": bool, "string": str}
        kind = plain.get(column.kind)
        if kind is None:
            return None
    return kind | None if column.nullable else kind
