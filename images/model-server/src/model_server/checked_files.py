"""A model directory before anything of it is imported: digests, and versions of what will load it."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from taskkit.environment import installed_packages
from taskkit.errors import IntegrityError, TaskError
from taskkit.gate_report import GateReport, parse_report
from taskkit.model_directory import verify
from taskkit.model_manifest import ModelManifest
from taskkit.version_rules import misfits

GATE_REPORT = "gate-report.json"
"""Put beside the model by model-serve-build; not listed in model.json, since it comes later."""


@dataclass(frozen=True)
class CheckedModel:
    """A model directory whose every file is what model.json says, and model.json what the digest says."""

    directory: Path
    digest: str
    manifest: ModelManifest
    gate_report: GateReport | None


def check_files(model_dir: Path, model_digest: str | None) -> CheckedModel:
    """Raises IntegrityError, TaskError."""
    manifest, digest = verify(model_dir, model_digest, besides=(GATE_REPORT,))
    report_file = model_dir / GATE_REPORT
    report = None
    if report_file.exists():
        report = parse_report(report_file.read_bytes(), str(report_file))
        if report.model_digest != digest:
            raise IntegrityError(f"{report_file} is about {report.model_digest}, but the model is {digest}",
                                 "build the image again from one run")  # fmt: skip
    return CheckedModel(model_dir, digest, manifest, report)


def has_scikit_learn() -> bool:
    """Whether it is installed: the image model-server-onnx goes without."""
    return importlib.util.find_spec("sklearn") is not None


def check_versions(manifest: ModelManifest) -> None:
    """scikit-learn and numpy fit what training had. Raises TaskError."""
    if problems := list(misfits(manifest.environment.packages, installed_packages())):
        raise TaskError(f"what is installed here does not fit the model: {'; '.join(problems)}",
                        "serve with the packages it was trained with, or train again with these")  # fmt: skip
