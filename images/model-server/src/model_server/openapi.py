"""The OpenAPI document of one model: its columns by name with what training saw, examples from its golden rows.

Written by hand instead of generated from route functions: the routes that matter are bytes in and bytes out, and their
types come from the signature, not from Python annotations. https://spec.openapis.org/oas/v3.1.1.html
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from model_server.column_schemas import Schema, example_row, prediction_schema, row_list_schema, row_schema
from model_server.loading import LoadedModel
from model_server.tensor_metadata import DATATYPES, ModelMetadata
from taskkit.model_signature import Signature


def openapi_document(loaded: LoadedModel, metadata: ModelMetadata) -> dict[str, Any]:
    manifest = loaded.checked.manifest
    schemas = {
        "Refusal": _REFUSAL,
        "Problem": _PROBLEM,
        "Fault": _FAULT,
        "Tensor": _TENSOR,
        "OutputTensor": _OUTPUT_TENSOR,
    }
    paths = _health_paths() | _tensor_paths(loaded, metadata)
    if manifest.signature is not None:
        schemas |= _row_schemas(manifest.signature)
        paths |= _row_paths(loaded, metadata, manifest.signature)
    elif metadata.predict_route:
        paths.pop(metadata.predict_route, None)
    if metadata.health_route:
        paths[metadata.health_route] = _probe("Should requests be sent here? (AIP_HEALTH_ROUTE)")
    metrics = ", ".join(f"{name} {value}" for name, value in manifest.metrics.items())
    return {
        "openapi": "3.1.0",
        "info": {
            "title": metadata.name,
            "version": metadata.version,
            "description": f"{manifest.estimator.class_name}, model digest `{loaded.checked.digest}`"
            + (f", {metrics}" if metrics else ""),
        },
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(description: str, schema: Schema, example: Any = None) -> dict[str, Any]:
    media: dict[str, Any] = {"schema": schema}
    if example is not None:
        media["example"] = example
    return {"description": description, "content": {"application/json": media}}


_REFUSAL: Schema = {
    "type": "object",
    "properties": {
        "error": {"type": "string", "description": "what is wrong, in one sentence"},
        "problems": {"type": "array", "items": _ref("Problem")},
    },
    "required": ["error"],
}
_PROBLEM: Schema = {
    "type": "object",
    "properties": {
        "row": {"type": ["integer", "null"], "description": "counted from 0"},
        "column": {"type": ["string", "null"]},
        "problem": {"type": "string"},
        "got": {"description": "the value, shortened"},
        "allowed": {"type": ["string", "null"]},
    },
    "required": ["row", "column", "problem", "got", "allowed"],
}
_FAULT: Schema = {
    "type": "object",
    "properties": {"error": {"type": "string"}, "id": {"type": "string", "description": "also in the server's log"}},
    "required": ["error", "id"],
}
_TENSOR: Schema = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        "datatype": {"enum": list(DATATYPES)},
        "data": {"type": "array", "description": "flat or nested, row-major; null is a missing value"},
        "parameters": {"type": ["object", "null"]},
    },
    "required": ["name", "shape", "datatype", "data"],
}
_OUTPUT_TENSOR: Schema = {
    "type": "object",
    "properties": {**_TENSOR["properties"], "data": {"type": "array", "description": "flat, row-major"}},
    "required": ["name", "shape", "datatype", "data"],
}
_REFUSALS: dict[str, Any] = {
    "400": _json("not JSON", _ref("Refusal")),
    "413": _json("the body is too large", _ref("Refusal")),
    "415": _json("the body is not declared as JSON", _ref("Refusal")),
    "422": _json("values that don't fit, each with row and column", _ref("Refusal")),
    "500": _json("a fault of the server or the model's own code", _ref("Fault")),
    "503": _json("too many requests wait, or the server is ending; see Retry-After", _ref("Refusal")),
    "504": _json("no answer within the time limit", _ref("Refusal")),
}


def _row_schemas(signature: Signature) -> dict[str, Schema]:
    forms: list[Schema] = [_ref("Row"), _ref("RowList")]
    if len(signature.columns) == 1:
        forms.append(
            {"description": "the value itself", **row_schema(signature)["properties"][signature.columns[0].name]}
        )
    answer: dict[str, Schema] = {"predictions": {"type": "array", "items": prediction_schema(signature.outputs)}}
    if signature.outputs.probabilities:
        labels = list(signature.outputs.labels or ())
        chances = {
            "type": "array",
            "items": {"type": ["number", "null"]},
            "minItems": len(labels),
            "maxItems": len(labels),
        }
        answer["probabilities"] = {
            "type": "array",
            "items": chances,
            "description": "for each row, in the order of labels",
        }
        answer["labels"] = {"const": labels}
    return {
        "Row": row_schema(signature),
        "RowList": row_list_schema(signature),
        "RowForm": {"anyOf": forms},
        "Predictions": {
            "type": "object",
            "properties": answer,
            "required": list(answer),
            "additionalProperties": False,
        },
    }


def _row_paths(loaded: LoadedModel, metadata: ModelMetadata, signature: Signature) -> dict[str, Any]:
    rows: Schema = {"type": "array", "items": _ref("RowForm"), "minItems": 1}
    names = [column.name for column in signature.columns]
    golden = loaded.golden.rows if loaded.golden else ()
    one, several = example_row(signature, golden), [list(row) for row in golden[:3]]
    several = several or [one]
    answer = _json("one prediction per row", _ref("Predictions"), _example_answer(loaded, signature))
    by_name = dict(zip(names, one, strict=True))
    examples: dict[str, Any] = {"one row": {"value": by_name}}
    if len(several) > 1:
        examples["several rows"] = {"value": [dict(zip(names, row, strict=True)) for row in several]}
    examples["values in column order"] = {"value": {"rows": several}}
    if len(names) == 1:
        examples["plain values"] = {"value": [row[0] for row in several]}
    forms = [_ref("RowForm"), rows, _envelope("rows", rows), _envelope("instances", rows)]
    split = {"columns": names, "data": several}
    text = "".join([_csv_line(names), *(_csv_line(row) for row in several)])
    v1 = _json("one prediction per row", _envelope("predictions", {"type": "array"}))
    asked = {
        **_envelope("instances", rows),
        "properties": {"instances": rows, "parameters": {
            "type": ["object", "null"], "properties": {"probabilities": {
                "type": ["boolean", "null"] if signature.outputs.probabilities else "null"}}},
            "signature_name": {}},
    }  # fmt: skip

    def predict_v1(summary: str, name: str) -> dict[str, Any]:
        return {"post": _operation(summary, name, asked, {"rows": {"value": {"instances": several}}}, v1)}

    paths = {
        "/predict": {"post": _operation("Predict rows", "predict", {"anyOf": forms}, examples, answer)},
        f"/v1/models/{metadata.name}:predict": predict_v1("Predict rows (KServe V1, Vertex AI)", "predict_v1"),
        "/invocations": {"post": _operation(
            "Predict rows (MLflow, SageMaker)", "invocations",
            {"anyOf": [*forms, *(_beside(_envelope(name, content)) for name, content in (
                ("dataframe_records", rows), ("dataframe_split", _split_schema(names)),
                ("inputs", {"anyOf": [rows, _ref("Row")]})))]},
            {"split": {"value": {"dataframe_split": split}}, "records": {"value": {"dataframe_records": [by_name]}}},
            answer, text)},
    }  # fmt: skip
    if route := metadata.predict_route:
        paths[route] = predict_v1("Predict rows (V1, AIP_PREDICT_ROUTE)", "predict_v1_route")
    return paths


def _envelope(name: str, content: Schema) -> Schema:
    return {"type": "object", "properties": {name: content}, "required": [name], "additionalProperties": False}


def _beside(envelope: Schema) -> Schema:
    """MLflow lets these stand beside the rows."""
    return {**envelope, "properties": {**envelope["properties"], "params": {}, "parameters": {}}}


def _split_schema(names: Sequence[str]) -> Schema:
    rows = {"type": "array", "items": _ref("RowList"), "minItems": 1}
    return {"type": "object", "required": ["data"],
            "properties": {"columns": {"const": list(names)}, "data": rows}}  # fmt: skip


def _csv_line(values: Sequence[object]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow(
        str(value).lower() if isinstance(value, bool) else value for value in values
    )
    return written.getvalue()


def _operation(
    summary: str, name: str, schema: Schema, examples: dict[str, Any], answer: dict[str, Any], text: str = ""
) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": schema, "examples": examples}}
    if text:
        content["text/csv"] = {"schema": {"type": "string"}, "examples": {"with names": {"value": text}}}
        answers = answer["content"] | {"text/csv": {"schema": {"type": "string"}}}
        answer = answer | {"content": answers}
    return {
        "summary": summary,
        "operationId": name,
        "requestBody": {"required": True, "content": content},
        "responses": {"200": answer, **_REFUSALS},
    }


def _example_answer(loaded: LoadedModel, signature: Signature) -> dict[str, Any] | None:
    golden = loaded.golden
    if golden is None:
        return None
    answer: dict[str, Any] = {"predictions": list(golden.predictions[:1])}
    if golden.probabilities is not None:
        answer["probabilities"] = [list(row) for row in golden.probabilities[:1]]
        answer["labels"] = list(signature.outputs.labels or ())
    return answer


def _probe(summary: str, *, may_refuse: bool = True) -> dict[str, Any]:
    answers = {"200": _json("yes", {"type": "object"})}
    if may_refuse:
        answers["503"] = _json("not now: the server is ending", {"type": "object"})
    return {"get": {"summary": summary, "responses": answers}}


def _health_paths() -> dict[str, Any]:
    return {
        "/livez": _probe("Does the process answer?", may_refuse=False),
        "/readyz": _probe("Should requests be sent here?"),
        "/health": _probe("Ready, with model and digest"),
        "/ping": _probe("Should requests be sent here? (SageMaker, MLflow)"),
        "/metrics": {"get": {"summary": "Counters for Prometheus", "responses": {
            "200": {"description": "text", "content": {"text/plain": {"schema": {"type": "string"}}}}}}},
        "/v2/health/live": _probe("Does the process answer?", may_refuse=False),
        "/v2/health/ready": _probe("Should requests be sent here?"),
    }  # fmt: skip


def _tensor_paths(loaded: LoadedModel, metadata: ModelMetadata) -> dict[str, Any]:
    def read(summary: str) -> dict[str, Any]:
        return {"get": {"summary": summary, "responses": {"200": _json(summary, {"type": "object"})}}}

    request: Schema = {
        "type": "object",
        "properties": {
            "id": {"type": ["string", "null"]},
            "parameters": {"type": ["object", "null"]},
            "inputs": {"type": "array", "items": _ref("Tensor"), "minItems": 1,
                       "description": "one tensor per column, or one matrix of all columns"},
            "outputs": {"type": ["array", "null"], "items": {
                "type": "object", "required": ["name"],
                "properties": {"name": {"enum": [tensor.name for tensor in metadata.outputs]}},
            }},
        },
        "required": ["inputs"],
    }  # fmt: skip
    response: Schema = {
        "type": "object",
        "properties": {
            "model_name": {"const": metadata.name},
            "model_version": {"const": metadata.version},
            "id": {"type": "string"},
            "outputs": {"type": "array", "items": _ref("OutputTensor")},
        },
        "required": ["model_name", "model_version", "outputs"],
    }
    media: dict[str, Any] = {"schema": request}
    if (signature := loaded.checked.manifest.signature) is not None:
        media["example"] = _example_tensors(loaded, signature, metadata)
    infer = {
        "summary": "Infer (Open Inference Protocol v2)",
        "requestBody": {"required": True, "content": {"application/json": media}},
        "responses": {"200": _json("one tensor per output", response), **_REFUSALS},
    }
    model = f"/v2/models/{metadata.name}"
    return {
        "/v1/models": read("Names of models (V1)"),
        f"/v1/models/{metadata.name}": read("Is the model ready? (V1)"),
        "/v2": read("Server"),
        "/v2/models": read("Names of models"),
        model: read("Inputs and outputs of the model"),
        f"{model}/ready": read("Is the model ready?"),
        f"{model}/infer": {"post": infer},
        f"{model}/versions/{metadata.version}": read("Inputs and outputs of this version"),
        f"{model}/versions/{metadata.version}/ready": read("Is this version ready?"),
        f"{model}/versions/{metadata.version}/infer": {"post": infer},
    }


def _example_tensors(loaded: LoadedModel, signature: Signature, metadata: ModelMetadata) -> dict[str, Any]:
    row = example_row(signature, loaded.golden.rows if loaded.golden else ())
    if len(metadata.inputs) == 1 and len(row) > 1:
        [matrix] = metadata.inputs
        return {"inputs": [matrix.document() | {"shape": [1, len(row)], "data": row}]}
    return {"inputs": [tensor.document() | {"shape": [1], "data": [value]}
                       for tensor, value in zip(metadata.inputs, row, strict=True)]}  # fmt: skip
