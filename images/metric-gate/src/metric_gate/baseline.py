"""What the candidate is compared with. Given as a folder, in one of three forms:

* one file per metric with its value as text: how a ConfigMap looks when it is mounted;
* ``metrics.json``, as a training script writes it;
* a whole model directory, which also says what data it was measured on.

Not given, an empty folder, and an empty file all mean that there is no baseline (value).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from metric_gate.metrics_document import Metrics, parse_metrics
from metric_gate.numbers_as_written import Number, number
from taskkit.canonical import digest_of
from taskkit.errors import IntegrityError, UsageError
from taskkit.model_directory import METRICS, read_manifest
from taskkit.model_manifest import MANIFEST

MAX_VALUE_BYTES = 4096
_NOT_METRICS = ("lost+found",)


@dataclass(frozen=True)
class Baseline:
    """``metrics.others`` holds what stands where a number should be; it matters when a rule asks for it."""

    kind: Literal["none", "metrics-file", "model-directory", "metric-files"] = "none"
    metrics: Metrics = field(default_factory=Metrics)
    model_digest: str = ""
    dataset_sha256: str = ""


def read_baseline(given: str) -> Baseline:
    """The baseline in the folder ``given``, or in the metrics file ``given``; an empty path means none.

    Raises UsageError where the path does not exist or holds something else; IntegrityError where a model directory's
    metrics are not those of its manifest.
    """
    if not given:
        return Baseline()
    path = Path(given)
    try:
        if path.is_file():
            return _metrics_file(path)
        if not (path / METRICS).is_file():
            return _metric_files(path)
        return _model_directory(path) if (path / MANIFEST).is_file() else _metrics_file(path / METRICS)
    except OSError as error:
        raise UsageError(
            f"baseline {error.filename or path} can't be read ({error.strerror})",
            "bind the workspace baseline to a ConfigMap or a folder, or leave it out",
        ) from error


def _metrics_file(path: Path) -> Baseline:
    content = path.read_bytes()
    return Baseline("metrics-file", parse_metrics(content, str(path))) if content.strip() else Baseline()


def _model_directory(path: Path) -> Baseline:
    content = (path / METRICS).read_bytes()
    manifest, digest = read_manifest(path)
    listed = manifest.files.get(METRICS)
    if listed is None or digest_of(content) != f"sha256:{listed.sha256}":
        raise IntegrityError(f"baseline {path / METRICS} is not the one that {path / MANIFEST} lists",
                             "give the model directory as it was trained")  # fmt: skip
    dataset = manifest.dataset.sha256 if manifest.dataset else ""
    return Baseline("model-directory", parse_metrics(content, str(path / METRICS)), digest, dataset)


def _metric_files(path: Path) -> Baseline:
    """Dot entries are ignored: in a mounted ConfigMap ``..data`` and its like hold the same files once more."""
    root = path.resolve()
    entries = [entry for entry in sorted(path.iterdir()) if not entry.name.startswith(".")]
    files = {entry.name: entry for entry in entries if entry.is_file()}
    folders = [entry.name for entry in entries if entry.is_dir() and entry.name not in _NOT_METRICS]
    if folders and not files:
        raise UsageError(f"baseline {path} holds the folder '{folders[0]}', but no {METRICS} and no file per metric",
                         "bind the folder that holds them, for example with subPath")  # fmt: skip
    numbers: dict[str, Number] = {}
    others: dict[str, str] = {}
    for name, file in files.items():
        if root not in file.resolve().parents:
            raise UsageError(f"baseline {file} is a link that leads out of {path}", "put the value itself there")
        text = _value(file)
        found = number(text)
        if found:
            numbers[name] = found
        elif text:
            others[name] = f"'{text[:40]}'"
    return Baseline("metric-files", Metrics(numbers, others)) if numbers or others else Baseline()


def _value(file: Path) -> str:
    with file.open("rb") as stream:
        content = stream.read(MAX_VALUE_BYTES + 1)
    if len(content) > MAX_VALUE_BYTES:
        return f"more than {MAX_VALUE_BYTES} bytes"
    return content.decode("utf-8", "replace").strip()


def as_written(metrics: Mapping[str, Number]) -> dict[str, str]:
    """For the report: numbers by name, as they were written."""
    return {name: value.text for name, value in sorted(metrics.items())}
