"""What answers in the image: scikit-learn, or ONNX Runtime alone for a model proved equal. It decides on the base.

An empty ``base-image`` means an image of the model alone, whatever answers it elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from taskkit.errors import TaskError, UsageError
from taskkit.model_directory import why_not_converted
from taskkit.model_manifest import ModelManifest

Asked = Literal["auto", "onnx", "sklearn"]


@dataclass(frozen=True)
class Runtime:
    """``name`` is onnx or sklearn; ``base`` the reference of the image to build on, empty for none, ``param`` where it
    was given. ``engine`` is what the server is told, empty where it may take the fastest that proves itself."""

    name: Literal["onnx", "sklearn"]
    reason: str
    base: str
    param: str = "base-image"
    engine: str = ""


def chosen_runtime(asked: Asked, manifest: ModelManifest, *, base: str, onnx_base: str, app: str) -> Runtime:
    """Raises UsageError, TaskError where ``onnx`` is asked of what can't do without scikit-learn."""
    why_not = "app is code of the project, which may import scikit-learn" if app else why_not_converted(manifest)
    if asked == "sklearn":
        return Runtime("sklearn", "asked for", base, engine="" if app else "sklearn")
    if asked == "onnx" and app:
        raise UsageError(f"runtime is 'onnx', but {why_not}", "set runtime to auto, or serve without app")
    if asked == "onnx" and why_not:
        raise TaskError(
            f"runtime is 'onnx', but the model can't be served by ONNX Runtime: {why_not}",
            "set runtime to auto, or train with onnx: require",
        )
    if why_not:
        return Runtime("sklearn", why_not, base)
    reason = "asked for" if asked == "onnx" else _proof(manifest)
    if not (base and onnx_base):
        return Runtime(
            "onnx" if asked == "onnx" else "sklearn", reason if asked == "onnx" else "base-image-onnx is empty", base
        )
    return Runtime("onnx", reason, onnx_base, "base-image-onnx")


def _proof(manifest: ModelManifest) -> str:
    onnx = manifest.onnx
    difference = f", largest difference {onnx.largest_difference:.1e}" if onnx.largest_difference is not None else ""
    return f"model.onnx is proved equal on {onnx.rows_compared} rows{difference}"
