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
    """scikit-learn as in training, numpy's major too and its minor not older. Raises TaskError.

    A pickle of another scikit-learn may load and answer differently without a word
    (https://scikit-learn.org/stable/model_persistence.html, "InconsistentVersionWarning").
    """
    here, there = installed_packages(), manifest.environment.packages
    trained, found = there.get("scikit-learn"), here.get("scikit-learn")
    if trained and found != trained:
        raise TaskError(f"the model was trained with scikit-learn {trained}, but {found or 'none'} is installed here",
                        "train again with this version, or serve with an image that has that one")  # fmt: skip
    trained, found = there.get("numpy", ""), here.get("numpy", "")
    if trained and (_release(found)[0] != _release(trained)[0] or _release(found) < _release(trained)):
        raise TaskError(f"the model was trained with numpy {trained}, but {found} is installed here",
                        "serve with the same major version and at least the same minor version")  # fmt: skip


def _release(version: str) -> tuple[int, int]:
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)
