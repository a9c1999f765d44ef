"""What the candidate is compared with. Given as a folder, in one of three forms:

* one file per metric with its value as text: how a ConfigMap looks when it is mounted;
* ``metrics.json``, as a training script writes it;
* a whole model directory, which also says what data it was measured on.

Not given, an empty folder, and an empty file all mean that there is no baseline (value). Anything else without a single
number is an error: whoever bound it meant the model to be compared with something.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from metric_gate.metrics_document import Metrics, parse_metrics
from metric_gate.numbers_as_written import Number, number
from taskkit.canonical import digest_of
from taskkit.errors import IntegrityError, TaskError, UsageError
from taskkit.model_directory import METRICS, read_manifest
from taskkit.model_manifest import MANIFEST

MAX_VALUE_BYTES = 4096
_SHOWN = 3
_SHORT = 14
_NOT_METRICS = ("lost+found",)
_UNDERSTOOD = f"understood are {METRICS}, a model directory, and one file per metric, named like it"


@dataclass(frozen=True)
class Baseline:
    """``metrics.others`` holds what stands where a number should be; it matters when a rule asks for it."""

    kind: Literal["none", "metrics-file", "model-directory", "metric-files"] = "none"
    metrics: Metrics = field(default_factory=Metrics)
    model_digest: str = ""
    dataset_sha256: str = ""


def read_baseline(given: str) -> Baseline:
    """The baseline in the folder ``given``, or in the metrics file ``given``; an empty path means none.

    Raises UsageError where the path does not exist, or holds something and not a single number; IntegrityError where a
    model directory's metrics are not those of its manifest; TaskError where metrics.json can't be read one way only.
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
    return Baseline("metrics-file", _some_numbers(content, path)) if content.strip() else Baseline()


def _some_numbers(content: bytes, path: Path) -> Metrics:
    metrics = parse_metrics(content, str(path))
    if not metrics.numbers:
        shown = [f"'{name}' ({metrics.others[name]})" for name in metrics]
        instead = f", but {_first(shown)}" if shown else ""
        inner = f"; {metrics.inner[0]} stands further down" if metrics.inner else ""
        raise UsageError(
            f"baseline {path} holds no number at its top level{instead}{inner}",
            'give metrics as numbers by name, for example {"accuracy": 0.95}, or leave it out',
        )
    return metrics


def _model_directory(path: Path) -> Baseline:
    content = (path / METRICS).read_bytes()
    manifest, digest = read_manifest(path)
    listed = manifest.files.get(METRICS)
    if listed is None or digest_of(content) != f"sha256:{listed.sha256}":
        raise IntegrityError(f"baseline {path / METRICS} is not the one that {path / MANIFEST} lists",
                             "give the model directory as it was trained")  # fmt: skip
    dataset = manifest.dataset.sha256 if manifest.dataset else ""
    return Baseline("model-directory", _some_numbers(content, path / METRICS), digest, dataset)


def _metric_files(path: Path) -> Baseline:
    """Dot entries are ignored: in a mounted ConfigMap ``..data`` and its like hold the same files once more."""
    root = path.resolve()
    entries = [
        entry for entry in sorted(path.iterdir()) if not entry.name.startswith(".") and entry.name not in _NOT_METRICS
    ]
    numbers: dict[str, Number] = {}
    others: dict[str, str] = {}
    for entry in entries:
        if not entry.is_file():
            continue
        if root not in entry.resolve().parents:
            raise UsageError(f"baseline {entry} is a link that leads out of {path}", "put the value itself there")
        text = _value(entry)
        found = number(text)
        if found:
            numbers[entry.name] = found
        elif text:
            others[entry.name] = f"'{text[:40]}'"
    if numbers:
        return Baseline("metric-files", Metrics(numbers, others))
    strange = [entry for entry in entries if entry.name in others or not entry.is_file()]
    if strange:
        shown = [f"'{entry.name}{'/' if entry.is_dir() else ''}'{_short(others.get(entry.name))}" for entry in strange]
        raise UsageError(f"baseline {path} holds {_first(shown)} and not one number; {_UNDERSTOOD}", _remedy(strange))
    return Baseline()


def _first(shown: Sequence[str]) -> str:
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more


def _short(content: str | None) -> str:
    """What may have been meant as a value, such as 0,95; nothing of a longer text."""
    return f" ({content})" if content and len(content) <= _SHORT and content.isprintable() else ""


def _remedy(entries: Sequence[Path]) -> str:
    for entry in entries:
        if (entry / METRICS).is_file():
            return f"bind {entry}, for example with subPath"
        if entry.name == MANIFEST:
            return "the training of this model wrote no metrics; give one with metrics, or leave the baseline out"
        if entry.suffix == ".json" and _are_metrics(entry):
            return f"rename '{entry.name}' to {METRICS}"
    return "put one of them there, or leave the baseline out"


def _are_metrics(file: Path) -> bool:
    try:
        return bool(parse_metrics(file.read_bytes(), str(file)).numbers)
    except (OSError, TaskError):
        return False


def _value(file: Path) -> str:
    with file.open("rb") as stream:
        content = stream.read(MAX_VALUE_BYTES + 1)
    if len(content) > MAX_VALUE_BYTES:
        return f"more than {MAX_VALUE_BYTES} bytes"
    return content.decode("utf-8", "replace").strip()


def as_written(metrics: Mapping[str, Number]) -> dict[str, str]:
    """For the report: numbers by name, as they were written."""
    return {name: value.text for name, value in sorted(metrics.items())}
