"""A checked model directory to an engine that may answer: versions, import, golden rows, in this order."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from model_server.checked_files import CheckedModel, check_versions
from model_server.engine import EstimatorEngine, RefusedInputError
from taskkit.errors import TaskError
from taskkit.estimator_io import first_difference
from taskkit.model_directory import CODE, GOLDEN
from taskkit.model_signature import GoldenRows
from taskkit.pickles import load


@dataclass(frozen=True)
class LoadedModel:
    """A checked model with its engine. ``golden`` is None where golden rows were not made."""

    checked: CheckedModel
    engine: EstimatorEngine
    golden: GoldenRows | None
    replayed: int
    """Golden rows that gave the same answers here."""
    warnings: tuple[str, ...]


def load_model(checked: CheckedModel, *, golden_check: str) -> LoadedModel:
    """Raises TaskError, also where golden rows give other answers and ``golden_check`` is ``fail``.

    What code/ and wheels/ hold must be importable already.
    """
    check_versions(checked.manifest)
    path = checked.directory / checked.manifest.estimator.file
    estimator = load(path, checked.manifest, checked.directory / CODE)
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
    except Exception as error:  # noqa: BLE001  whatever project code raises
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
