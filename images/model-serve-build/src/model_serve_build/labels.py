"""Labels, annotations and environment of the image.

Labels (in the config) and annotations (on manifest and index) are the same. OCI's own keys tell title, source, revision
and base; ours, below ``dev.sklearn-catalog.``, lead from the image back to the gate, the data and the commit.
"""

from __future__ import annotations

from model_serve_build.approval import ApprovedModel
from model_serve_build.runtime import Runtime
from taskkit.canonical import canonical_json
from taskkit.oci.documents import Descriptor
from taskkit.oci.references import LayoutReference, Reference

OWN = "dev.sklearn-catalog."
OCI = "org.opencontainers.image."
METRICS_LIMIT = 2048
"""Metrics beyond this many bytes are left to /models/metrics.json: annotations travel with every pull."""


def image_annotations(
    model: ApprovedModel, model_name: str, base: Reference | None, base_root: Descriptor | None, runtime: Runtime
) -> dict[str, str]:
    """Every key with a value; what is not known is left out. A layout's path is the builder's own and not told."""
    manifest, estimator = model.manifest, model.manifest.estimator
    metrics = canonical_json(manifest.metrics).decode().strip()
    values = {
        OCI + "title": model_name,
        OCI + "description": f"{estimator.class_name} approved by metric-gate ({model.report.verdict})",
        OCI + "source": manifest.source.url,
        OCI + "revision": manifest.source.commit,
        OCI + "base.name": "" if base is None or isinstance(base, LayoutReference) else _without_digest(base),
        OCI + "base.digest": base_root.digest if base_root else "",
        OWN + "model.name": model_name,
        OWN + "model.digest": model.model_digest,
        OWN + "model.class": estimator.class_name,
        OWN + "model.format": estimator.format,
        OWN + "model.task": estimator.task,
        OWN + "model.metrics": metrics if len(metrics) <= METRICS_LIMIT else "",
        OWN + "dataset.sha256": manifest.dataset.sha256 if manifest.dataset else "",
        OWN + "source.dirty": {True: "true", False: "false", None: ""}[manifest.source.dirty],
        OWN + "gate.report": model.approval,
        OWN + "gate.verdict": model.report.verdict,
        OWN + "runtime": runtime.name if base else "",
        OWN + "runtime.reason": runtime.reason if base else "",
        OWN + "trained.python": manifest.environment.python,
        OWN + "trained.scikit-learn": manifest.environment.packages.get("scikit-learn", ""),
    }
    return {name: value for name, value in values.items() if value}


def _without_digest(base: Reference) -> str:
    return str(base).partition("@")[0]


def environment(model: ApprovedModel, model_name: str, app: str, runtime: Runtime) -> dict[str, str]:
    """What the server reads: where the model is, and the digest that its files are checked against."""
    values = {"MODEL_DIR": "/models", "MODEL_DIGEST": model.model_digest, "MODEL_NAME": model_name, "APP": app,
              "ENGINE": runtime.engine if runtime.base else ""}  # fmt: skip
    return {name: value for name, value in values.items() if value}
