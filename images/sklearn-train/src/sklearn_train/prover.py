"""Runs in a second fresh process: replays the golden rows, and converts the model to ONNX if that is wanted.

It starts beside the describer, imports what takes long, and waits for its request to appear.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from sklearn_train.documents import Proof, ProofRequest, read_document, write_document
from taskkit.estimator_io import answers, estimator_input, first_difference
from taskkit.model_manifest import Onnx
from taskkit.model_signature import GoldenRows, Signature


def main(request_file: str, answer_file: str, onnx: str) -> None:
    import joblib.numpy_pickle  # noqa: F401 - imported while the describer is at work
    import sklearn.pipeline  # noqa: F401

    if onnx != "off":
        # Its wheels report what they run to their maker, and leave an identifier in HOME, unless told otherwise.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime  # noqa: F401
        import skl2onnx  # noqa: F401
    sys.dont_write_bytecode = True  # in code/ compiled files would be files that nobody wrote
    while not Path(request_file).exists():
        time.sleep(0.01)
    request = read_document(Path(request_file), ProofRequest)
    sys.path[:0] = [request.code, *([request.overlay] if request.overlay else [])]
    estimator, reason = _loaded(request.model_file)
    replays, reason = _replay(estimator, request) if estimator is not None else (False, reason)
    pending = Onnx("skipped" if request.onnx_file else "off", "the conversion did not end" if request.onnx_file else "")
    write_document(Path(answer_file), Proof(replays, reason, pending))
    if request.onnx_file:
        write_document(Path(answer_file), Proof(replays, reason, _convert(estimator, request)))


def _loaded(file: str) -> tuple[Any, str]:
    from sklearn_train.model_loading import load_model

    try:
        return load_model(Path(file), Path(file).name, "").estimator, ""
    except Exception as error:  # noqa: BLE001 - whatever project code raises
        return None, f"loading it in another process failed: {type(error).__name__}: {' '.join(str(error).split())}"


def _replay(estimator: Any, request: ProofRequest) -> tuple[bool, str]:
    """(whether the golden rows give the same answers here, why not)."""
    if not request.golden or request.signature is None:
        return False, ""
    golden = msgspec.json.decode(Path(request.golden).read_bytes(), type=GoldenRows)
    try:
        found = answers(estimator, estimator_input(request.signature, golden.rows),
                        probabilities=golden.probabilities is not None)  # fmt: skip
    except Exception as error:  # noqa: BLE001
        return False, f"replaying raised {type(error).__name__}: {' '.join(str(error).split())[:300]}"
    difference = first_difference(golden, *found)
    return not difference, f"a second process answered differently: {difference}" if difference else ""


def _convert(estimator: Any, request: ProofRequest) -> Onnx:
    from sklearn_train.onnx_conversion import convert

    if request.signature is None:
        return Onnx("skipped", "there is no signature")
    if estimator is None:
        return Onnx("skipped", "the model could not be loaded")
    rows = _observed_rows(estimator, request.signature, request.observations)
    content, onnx = convert(estimator, request.signature, rows)
    if content:
        Path(request.onnx_file).write_bytes(content)
    return onnx


def _observed_rows(estimator: Any, signature: Signature, observations: str) -> list[tuple[Any, ...]]:
    import pickle

    from sklearn_train.signature_of import example_rows, matching_fit

    if signature.source != "fit":
        return []
    observed = pickle.loads(Path(observations).read_bytes())  # noqa: S301 - written by our own observer
    record = matching_fit(estimator, observed["fits"])
    return example_rows(record.seen.sample, signature.container) if record and record.seen.sample is not None else []
