"""A checked model directory to an engine that may answer: the fastest one that proves itself on the golden rows.

ONNX Runtime    where training proved model.onnx equal; the estimator is then not even loaded
scikit-learn    the estimator itself; what it answers to the golden rows decides whether anything is served. Then
                `prepared_engine` makes it faster where the answers stay the same
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from model_server.checked_files import CheckedModel, check_versions, has_scikit_learn
from model_server.engine import Engine
from model_server.golden_replay import replay, replay_one_by_one
from taskkit.errors import TaskError
from taskkit.model_directory import CODE, GOLDEN, ONNX, why_not_converted
from taskkit.model_signature import GoldenRows

if TYPE_CHECKING:
    from model_server.estimator_engine import EstimatorEngine

AUTO, ONNX_ONLY, ESTIMATOR = "auto", "onnx", "sklearn"
ENGINES = (AUTO, ONNX_ONLY, ESTIMATOR)


@dataclass(frozen=True)
class LoadedModel:
    """A checked model with its engine. ``golden`` is None where golden rows were not made."""

    checked: CheckedModel
    engine: Engine
    golden: GoldenRows | None
    replayed: int
    """Golden rows that gave the same answers here."""
    warnings: tuple[str, ...]


def load_model(
    checked: CheckedModel, *, golden_check: str, engine: str = AUTO, prepare_imports: Callable[[], None] | None = None
) -> LoadedModel:
    """Raises TaskError, also where golden rows give other answers and ``golden_check`` is ``fail``.

    ``prepare_imports`` makes what code/ and wheels/ hold importable; called only where the estimator is loaded.
    """
    golden, summary = _golden_rows(checked), checked.manifest.golden
    about_golden = ""
    if golden is None:
        about_golden = f"no golden rows: {summary.reason or 'none were made'}"
    elif not summary.replays:
        about_golden = f"golden rows are not replayed: {summary.reason}"
    said = (about_golden,) if about_golden else ()
    if engine != ESTIMATOR:
        converted, reason = _converted_engine(checked, golden)
        if converted is not None:
            return LoadedModel(checked, converted, golden, len(golden.rows) if golden else 0, said)
        if engine == ONNX_ONLY:
            raise TaskError(f"the model can't be served by ONNX Runtime: {reason}",
                            "set ENGINE=auto, or train with onnx: require")  # fmt: skip
        if not has_scikit_learn():
            raise TaskError(f"the model can't be served by ONNX Runtime: {reason}; and there is no scikit-learn here",
                            "build the image with runtime: sklearn")  # fmt: skip
        if checked.manifest.onnx.status == "proved":
            said = (f"served by scikit-learn, since {reason}", *said)
    if prepare_imports is not None:
        prepare_imports()
    loaded, estimator = _estimator_engine(checked)
    if golden is None or not summary.replays:
        return LoadedModel(checked, loaded, golden, 0, said)
    difference = replay(loaded, golden)
    if not difference:
        return LoadedModel(checked, _prepared(loaded, estimator, checked, golden), golden, len(golden.rows), said)
    problem = f"the model answers differently than in training: {difference}"
    if golden_check == "fail":
        raise TaskError(problem, "serve with the packages it was trained with; if its answers move with the clock, "
                                 "set GOLDEN_CHECK=warn")  # fmt: skip
    return LoadedModel(checked, loaded, golden, 0, (*said, f"{problem} (GOLDEN_CHECK=warn)"))


def _converted_engine(checked: CheckedModel, golden: GoldenRows | None) -> tuple[Engine | None, str]:
    """model.onnx as an engine, or None and why not. Answers to golden rows decide, together and each alone."""
    manifest, signature = checked.manifest, checked.manifest.signature
    why_not = why_not_converted(manifest)
    if why_not or signature is None:
        return None, why_not
    try:
        from model_server.onnx_engine import OnnxEngine

        engine = OnnxEngine(checked.directory / ONNX, signature)
    except Exception as error:  # noqa: BLE001  ONNX Runtime raises what it likes; scikit-learn is still there
        return None, f"model.onnx can't be loaded ({type(error).__name__}: {' '.join(str(error).split())})"
    if golden is None:
        return engine, ""
    tolerance = max(golden.relative_tolerance, manifest.onnx.relative_tolerance or 0.0)
    tolerant = msgspec.structs.replace(golden, relative_tolerance=tolerance)
    difference = replay(engine, tolerant) or replay_one_by_one(engine, tolerant)
    return (None, f"model.onnx answers differently: {difference}") if difference else (engine, "")


def _estimator_engine(checked: CheckedModel) -> tuple[EstimatorEngine, Any]:
    """The engine and its estimator. Raises TaskError."""
    check_versions(checked.manifest)
    from model_server.estimator_engine import EstimatorEngine
    from taskkit.pickles import load

    path = checked.directory / checked.manifest.estimator.file
    estimator = load(path, checked.manifest, checked.directory / CODE)
    if not hasattr(estimator, "predict"):
        raise TaskError(f"{checked.manifest.estimator.class_name} has no predict",
                        "save an estimator that predicts, for example a whole Pipeline")  # fmt: skip
    return EstimatorEngine(estimator, checked.manifest.signature), estimator


def _prepared(plain: EstimatorEngine, estimator: Any, checked: CheckedModel, golden: GoldenRows) -> Engine:
    """Code of the project's own is left as it is: what it relies on can't be known."""
    described, signature = checked.manifest.estimator, checked.manifest.signature
    if signature is None or described.project_globals or described.package_globals:
        return plain
    from model_server.prepared_engine import prepared_engine

    return prepared_engine(plain, estimator, signature, golden)


def _golden_rows(checked: CheckedModel) -> GoldenRows | None:
    if GOLDEN not in checked.manifest.files or checked.manifest.signature is None:
        return None
    path = checked.directory / GOLDEN
    try:
        golden = msgspec.json.decode(path.read_bytes(), type=GoldenRows)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TaskError(f"{path} does not hold golden rows ({error})", "train again") from error
    return golden if golden.rows else None
