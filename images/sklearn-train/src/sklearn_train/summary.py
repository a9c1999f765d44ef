"""The few lines at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator

from taskkit.model_manifest import ModelManifest
from taskkit.model_signature import Column

_COLUMNS_SHOWN = 20


def summary_lines(manifest: ModelManifest, model_dir: str) -> Iterator[str]:
    estimator = manifest.estimator
    yield ""
    yield f"model      {estimator.class_name}, {estimator.task.replace('_', ' ')}, saved as {estimator.original_name}"
    yield from _signature_lines(manifest)
    yield f"metrics    {', '.join(f'{name} {value:.6g}' for name, value in manifest.metrics.items())}"
    golden = manifest.golden
    if golden.rows:
        replayed = "replayed; " if golden.replays else "NOT replayed: "
        yield f"golden     {golden.rows} rows, {replayed}{golden.reason}".removesuffix("; ")
    else:
        yield f"golden     none: {golden.reason}"
    yield f"onnx       {_onnx(manifest)}"
    yield f"files      {model_dir}/: {', '.join(['model.json', *manifest.files])}"
    yield f"digest     {manifest.digest}"


def _signature_lines(manifest: ModelManifest) -> Iterator[str]:
    signature = manifest.signature
    if signature is None:
        yield f"input      unknown: {manifest.signature_reason}"
        return
    rows = f", fitted on {signature.rows} rows" if signature.rows else ""
    yield f"input      {signature.container} of {len(signature.columns)} columns{rows}"
    for column in signature.columns[:_COLUMNS_SHOWN]:
        yield f"             {_column(column)}"
    if len(signature.columns) > _COLUMNS_SHOWN:
        yield f"             and {len(signature.columns) - _COLUMNS_SHOWN} more"
    labels = signature.outputs.labels
    shown = f": {', '.join(str(label) for label in labels[:10])}" if labels else ""
    yield f"output     {signature.outputs.kind}{shown}"


def _column(column: Column) -> str:
    about = f"{column.name}: {column.dtype}"
    if column.categories is not None:
        about += f", {len(column.categories)} categories"
    elif column.minimum is not None:
        about += f", {column.minimum} to {column.maximum}"
    return about + (", may be missing" if column.nullable else "")


def _onnx(manifest: ModelManifest) -> str:
    onnx = manifest.onnx
    if onnx.status != "proved":
        return f"{onnx.status}: {onnx.reason}" if onnx.reason else onnx.status
    largest = "" if onnx.largest_difference is None else f", largest difference {onnx.largest_difference:.2g}"
    return f"proved equal on {onnx.rows_compared} rows{largest}"
