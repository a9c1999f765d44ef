"""A model directory to an engine that may answer: digests, versions, import, golden rows, in this order."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from taskkit.environment import installed_packages
from taskkit.errors import IntegrityError, TaskError
from taskkit.estimator_io import first_difference
from taskkit.gate_report import GateReport, parse_report
from taskkit.model_directory import GOLDEN, verify
from taskkit.model_manifest import ModelManifest
from taskkit.model_signature import GoldenRows

from model_server.engine import EstimatorEngine, RefusedInputError

GATE_REPORT = "gate-report.json"
"""Put beside the model by model-serve-build; not listed in model.json, since it comes later."""


@dataclass(frozen=True)
class CheckedModel:
    """A model directory whose every file is what model.json says, and model.json what the digest says."""

    directory: Path
    digest: str
    manifest: ModelManifest
    gate_report: GateReport | None


@dataclass(frozen=True)
class LoadedModel:
    """A checked model with its engine. ``golden`` is None where golden rows were not made."""

    checked: CheckedModel
    engine: EstimatorEngine
    golden: GoldenRows | None
    replayed: int
    """Golden rows that gave the same answers here."""
    warnings: tuple[str, ...]


def check_files(model_dir: Path, model_digest: str | None) -> CheckedModel:
    """Raises IntegrityError, TaskError."""
    manifest, digest = verify(model_dir, model_digest, besides=(GATE_REPORT,))
    report_file = model_dir / GATE_REPORT
    report = None
    if report_file.exists():
        report = parse_report(report_file.read_bytes(), str(report_file))
        if report.model_digest != digest:
            raise IntegrityError(f"{report_file} approves {report.model_digest}, but the model is {digest}",
                                 "build the image again from one run")  # fmt: skip
    return CheckedModel(model_dir, digest, manifest, report)


def check_versions(manifest: ModelManifest) -> None:
    """scikit-learn as in training, numpy's major too and its minor not older. Raises TaskError.

    A pickle of another scikit-learn may load and answer differently without a word
    (https://scikit-learn.org/stable/model_persistence.html, "InconsistentVersionWarning").
    """
    here, there = installed_packages(), manifest.environment.packages
    trained = there.get("scikit-learn")
    if trained and here.get("scikit-learn") != trained:
        raise TaskError(f"the model was trained with scikit-learn {trained}, but {here.get('scikit-learn')} is installed here",
                        "train again with this version, or serve with an image that has that one")  # fmt: skip
    trained, found = there.get("numpy", ""), here.get("numpy", "")
    if trained and (_release(found)[0] != _release(trained)[0] or _release(found) < _release(trained)):
        raise TaskError(f"the model was trained with numpy {trained}, but {found} is installed here",
                        "serve with the same major version and at least the same minor version")  # fmt: skip


def _release(version: str) -> tuple[int, ...]:
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)


def load_estimator(checked: CheckedModel) -> Any:
    """The estimator, from its file. Raises TaskError."""
    import joblib

    path = checked.directory / checked.manifest.estimator.file
    try:
        return joblib.load(path)
    except Exception as error:
        text = " ".join(str(error).split())
        raise TaskError(f"{path} can't be loaded ({type(error).__name__}: {text})", "train again with this image's packages") from error


def load_model(checked: CheckedModel, *, golden_check: str) -> LoadedModel:
    """Raises TaskError, also where golden rows give other answers and ``golden_check`` is ``fail``."""
    check_versions(checked.manifest)
    estimator = load_estimator(checked)
    if not hasattr(estimator, "predict"):
        raise TaskError(f"{checked.manifest.estimator.class_name} has no predict",
                        "save an estimator that predicts, for example a whole Pipeline")  # fmt: skip
    engine = EstimatorEngine(estimator, checked.manifest.signature)
    golden = _golden_rows(checked)
    summary = checked.manifest.golden
    if golden is None:
        return LoadedModel(checked, engine, None, 0, (f"no golden rows: {summary.reason or 'none were made'}",))
    if not summary.replays:
        return LoadedModel(checked, engine, golden, 0, (f"golden rows are not replayed: {summary.reason}",))
    difference = replay(engine, golden)
    if not difference:
        return LoadedModel(checked, engine, golden, len(golden.rows), ())
    problem = f"the model answers differently than in training: {difference}"
    if golden_check == "fail":
        raise TaskError(problem, "serve with the packages it was trained with; if its answers move with the clock, "
                                 "set GOLDEN_CHECK=warn")  # fmt: skip
    return LoadedModel(checked, engine, golden, 0, (f"{problem} (GOLDEN_CHECK=warn)",))


def replay(engine: EstimatorEngine, golden: GoldenRows) -> str:
    """Where the answers to the golden rows differ: a sentence, empty if nowhere."""
    try:
        answers = engine.answer(golden.rows, probabilities=golden.probabilities is not None)
    except RefusedInputError as refused:
        return f"the golden rows were refused: {refused}"
    except Exception as error:  # whatever project code raises
        return f"the golden rows raised {type(error).__name__}: {' '.join(str(error).split())}"
    if golden.probabilities is not None and answers.probabilities is None:
        return "it gives no probabilities"
    return first_difference(golden, answers.predictions or [], answers.probabilities)


def _golden_rows(checked: CheckedModel) -> GoldenRows | None:
    if GOLDEN not in checked.manifest.files or checked.manifest.signature is None:
        return None
    path = checked.directory / GOLDEN
    try:
        golden = msgspec.json.decode(path.read_bytes(), type=GoldenRows)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TaskError(f"{path} does not hold golden rows ({error})", "train again") from error
    return golden if golden.rows else None


def warn(text: str) -> None:
    """A warning, as one line on stderr."""
    print(f"model-server: warning: {' '.join(text.split())}", file=sys.stderr, flush=True)
