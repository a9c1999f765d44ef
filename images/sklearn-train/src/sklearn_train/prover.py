"""Replays the golden rows, and converts the model to ONNX if that is wanted, where nothing has loaded it before."""

from __future__ import annotations

import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from sklearn_train.documents import Description, ExamineRequest, Proof
from taskkit.estimator_io import answers, estimator_input, first_difference
from taskkit.model_directory import GOLDEN, ONNX
from taskkit.model_manifest import Onnx
from taskkit.model_signature import GoldenRows, Signature

SECONDS = 120
MEMORY = 4 << 30


def limit() -> None:
    """From now on this process ends by SIGALRM after ``SECONDS``, and gets no more than ``MEMORY`` bytes."""
    signal.alarm(SECONDS)
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = MEMORY if most == resource.RLIM_INFINITY else min(MEMORY, most)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, most))


def prove(request: ExamineRequest, description: Description) -> Iterator[Proof]:
    """What is known before the conversion, which may not end, and after it."""
    sys.path[:0] = request.model_imports
    estimator, reason = _loaded(request.model_file)
    replays, signature = False, description.signature
    if estimator is not None and signature is not None and description.golden_rows:
        replays, reason = _replay(estimator, Path(request.target) / GOLDEN, signature)
    if request.onnx:
        yield Proof(replays, reason, Onnx("skipped", "the conversion did not end"))
        yield Proof(replays, reason, _convert(estimator, request, signature))
    else:
        yield Proof(replays, reason, Onnx("off"))


def _loaded(file: str) -> tuple[Any, str]:
    from sklearn_train.model_loading import load_model

    try:
        return load_model(Path(file), Path(file).name, "").estimator, ""
    except Exception as error:  # noqa: BLE001 - whatever project code raises
        return None, f"loading it in another process failed: {type(error).__name__}: {' '.join(str(error).split())}"


def _replay(estimator: Any, file: Path, signature: Signature) -> tuple[bool, str]:
    """(whether the golden rows in ``file`` give the same answers here, why not)."""
    golden = msgspec.json.decode(file.read_bytes(), type=GoldenRows)
    try:
        found = answers(estimator, estimator_input(signature, golden.rows),
                        probabilities=golden.probabilities is not None)  # fmt: skip
    except Exception as error:  # noqa: BLE001
        return False, f"replaying raised {type(error).__name__}: {' '.join(str(error).split())[:300]}"
    difference = first_difference(golden, *found)
    return not difference, f"a second process answered differently: {difference}" if difference else ""


def _convert(estimator: Any, request: ExamineRequest, signature: Signature | None) -> Onnx:
    from sklearn_train.onnx_conversion import convert

    if signature is None:
        return Onnx("skipped", "there is no signature")
    if estimator is None:
        return Onnx("skipped", "the model could not be loaded")
    rows = _observed_rows(estimator, signature, request.observations)
    try:
        content, onnx = convert(estimator, signature, rows)
    except MemoryError:
        return Onnx("skipped", f"it took more than {MEMORY >> 30} GiB")
    if content:
        (Path(request.target) / ONNX).write_bytes(content)
    return onnx


def _observed_rows(estimator: Any, signature: Signature, observations: str) -> list[tuple[Any, ...]]:
    import pickle

    from sklearn_train.signature_of import example_rows, matching_fit

    if signature.source != "fit":
        return []
    observed = pickle.loads(Path(observations).read_bytes())  # noqa: S301 - written by our own observer
    record, _ = matching_fit(estimator, observed["fits"])
    return example_rows(record.seen.sample, signature.container) if record and record.seen.sample is not None else []
