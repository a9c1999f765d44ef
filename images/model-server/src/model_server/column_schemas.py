"""JSON Schemas of values, by the signature. What the server enforces is a constraint, what training saw is a hint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from model_server.row_reading import FLOAT_LIMITS, allowed_text, integer_range
from taskkit.model_signature import Column, Label, Outputs, Signature

Schema = dict[str, Any]

_TYPES = {"number": "number", "integer": "integer", "boolean": "boolean", "string": "string", "datetime": "string"}


def column_schema(column: Column) -> Schema:
    """One value. Ranges and categories of training are a description and examples: other values are allowed too."""
    kind = _TYPES[column.kind]
    schema: Schema = {"type": [kind, "null"] if column.nullable else kind}
    if column.kind == "integer":
        schema["minimum"], schema["maximum"] = integer_range(column.dtype)
    elif column.kind == "number" and (limit := FLOAT_LIMITS.get(column.dtype.lower())):
        schema["minimum"], schema["maximum"] = -limit, limit
    elif column.kind == "datetime" and "," in column.dtype:
        schema["format"] = "date-time"  # RFC 3339 wants an offset from UTC, which only dtypes with a time zone have
    if column.categories:
        hint = [*column.categories, None] if column.nullable else list(column.categories)
        schema = {"anyOf": [{"enum": hint, "title": "seen in training"}, schema]}
    schema["description"] = allowed_text(column)
    examples = list(column.categories or ()) or [seen for seen in (column.minimum, column.maximum) if seen is not None]
    return schema | {"examples": examples} if examples else schema


def row_schema(signature: Signature) -> Schema:
    """A row as an object by column name."""
    return {
        "type": "object",
        "properties": {column.name: column_schema(column) for column in signature.columns},
        "required": [column.name for column in signature.columns],
        "additionalProperties": False,
    }


def row_list_schema(signature: Signature) -> Schema:
    """A row as a list of values in column order."""
    return {
        "type": "array",
        "prefixItems": [column_schema(column) | {"title": column.name} for column in signature.columns],
        "minItems": len(signature.columns),
        "maxItems": len(signature.columns),
    }


def prediction_schema(outputs: Outputs) -> Schema:
    """What predict gives for one row; null stands for a number that is not finite."""
    if outputs.labels is not None:
        return {"enum": list(outputs.labels)}
    kind = _TYPES[outputs.kind]
    one: Schema = {"type": [kind, "null"] if kind == "number" else kind}
    if outputs.width == 1:
        return one
    return {"type": "array", "items": one, "minItems": outputs.width, "maxItems": outputs.width}


def example_row(signature: Signature, golden: Sequence[Sequence[Label | None]]) -> list[Label | None]:
    """The first golden row; without golden rows what training saw, or a plain value of the column's kind."""
    return list(golden[0]) if golden else [_example(column) for column in signature.columns]


def _example(column: Column) -> Label:
    if column.categories:
        return column.categories[0]
    if column.minimum is not None:
        return column.minimum
    plain: dict[str, Label] = {"number": 0.5, "integer": 1, "boolean": True, "string": "text"}
    return plain.get(column.kind, "2026-01-31T12:00:00")
