"""What a model takes and gives, in the words of the Open Inference Protocol v2.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from model_server.loading import LoadedModel
from taskkit.model_signature import Kind, Label, Signature, TaskKind

PREDICT = "predict"
PREDICT_PROBA = "predict_proba"
MATRIX = "input-0"
"""Name of the one tensor of models that take an array."""
VERSION_DIGITS = 12

# Datatypes of the protocol, as kind and dtype of a column that holds such values.
DATATYPES: dict[str, tuple[Kind, str]] = {
    "BOOL": ("boolean", "bool"),
    **{f"{name}{bits}": ("integer", f"{name.lower()}{bits}") for name in ("UINT", "INT") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": ("number", f"float{bits}") for bits in (16, 32, 64)},
    "BYTES": ("string", "str"),
}
# What a tensor's kind may be for a column's kind.
FITTING: dict[Kind, tuple[Kind, ...]] = {
    "number": ("number", "integer"), "integer": ("integer", "number"), "boolean": ("boolean",),
    "string": ("string",), "datetime": ("string",),
}  # fmt: skip


def datatype_of(kind: Kind, dtype: str) -> str:
    """The protocol's datatype for a column or an output."""
    if kind == "boolean":
        return "BOOL"
    if kind in {"string", "datetime"}:
        return "BYTES"
    match = re.fullmatch(r"(u?int|float)(8|16|32|64)", dtype.lower())
    if kind == "integer":
        return f"{match[1].upper()}{match[2]}" if match and match[1] != "float" else "INT64"
    return f"FP{match[2]}" if match and match[1] == "float" else "FP64"


@dataclass(frozen=True)
class Tensor:
    name: str
    datatype: str
    shape: tuple[int, ...]
    """-1 is any number."""
    parameters: dict[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        named: dict[str, Any] = {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}
        return named | {"parameters": self.parameters} if self.parameters else named


@dataclass(frozen=True)
class ModelMetadata:
    """``version`` is the start of the model digest's hex; requests may also name the whole digest."""

    name: str
    version: str
    known_versions: tuple[str, ...]
    platform: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    predict_route: str = ""
    """Path that speaks V1 as the settings have it; empty: none of its own."""
    health_route: str = ""
    """Path that says whether requests should be sent, likewise."""

    @property
    def rows_route(self) -> str:
        """A path that takes rows as /predict does."""
        return "/invocations" if self.predict_route == "/predict" else "/predict"

    def document(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "versions": [self.version],
            "platform": self.platform,
            "inputs": [tensor.document() for tensor in self.inputs],
            "outputs": [tensor.document() for tensor in self.outputs],
        }


def metadata_of(name: str, loaded: LoadedModel, *, predict_route: str = "", health_route: str = "") -> ModelMetadata:
    manifest, digest = loaded.checked.manifest, loaded.checked.digest
    signature = manifest.signature
    hexadecimal = digest.removeprefix("sha256:")
    version = hexadecimal[:VERSION_DIGITS]
    return ModelMetadata(
        name=name,
        version=version,
        known_versions=(version, hexadecimal, digest),
        platform=f"sklearn_{manifest.estimator.format}",
        inputs=_inputs(signature) if signature is not None else (Tensor(MATRIX, "FP64", (-1, -1)),),
        outputs=_outputs(signature, manifest.estimator.task, loaded.engine.labels, loaded.engine.gives_probabilities),
        predict_route=predict_route,
        health_route=health_route,
    )


def _inputs(signature: Signature) -> tuple[Tensor, ...]:
    columns = signature.columns
    if signature.container == "array-2d":
        return (Tensor(MATRIX, datatype_of(columns[0].kind, columns[0].dtype), (-1, len(columns))),)
    return tuple(Tensor(column.name, datatype_of(column.kind, column.dtype), (-1,)) for column in columns)


def _outputs(
    signature: Signature | None, task: TaskKind, labels: Sequence[Label] | None, probabilities: bool
) -> tuple[Tensor, ...]:
    if signature is not None:
        given = signature.outputs
        predict = Tensor(
            PREDICT, datatype_of(given.kind, given.dtype), (-1,) if given.width == 1 else (-1, given.width)
        )
    else:
        predict = Tensor(PREDICT, _likely_datatype(task, labels), (-1,))
    if not probabilities:
        return (predict,)
    named = {"labels": json.dumps(list(labels))} if labels else {}
    return (predict, Tensor(PREDICT_PROBA, "FP64", (-1, len(labels) if labels else -1), named))


def _likely_datatype(task: TaskKind, labels: Sequence[Label] | None) -> str:
    """Without a signature: by the labels that the estimator carries, or by what its kind gives."""
    if labels:
        return next(name for kind, name in ((bool, "BOOL"), (int, "INT64"), (float, "FP64"), (str, "BYTES"))
                    if isinstance(labels[0], kind))  # fmt: skip
    return "INT64" if task in {"clusterer", "outlier_detector"} else "FP64"
