"""Approved models of any size, made without training: what the gate left behind, as model-serve-build finds it.

Run with the Python of model-server's environment: ``models.py FOLDER SIZE METRIC`` prints the approval.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import msgspec
import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from taskkit.environment import installed_packages, platform_name, python_version
from taskkit.gate_report import Baseline, GateReport, approval_of
from taskkit.model_directory import file_entries
from taskkit.model_manifest import (
    Dataset,
    Environment,
    Estimator,
    GoldenSummary,
    ModelManifest,
    Onnx,
    Source,
    TrainingRun,
)


def make(folder: Path, size: int, metric: float) -> str:
    """A workspace with a model of about ``size`` bytes; another ``metric``, another model. Gives the approval."""
    model = folder / "model"
    model.mkdir(parents=True, exist_ok=True)
    estimator = LogisticRegression(max_iter=500).fit(*load_iris(return_X_y=True))
    # Other bytes in every model: else buildah finds its layer of the round before, and builds nothing.
    estimator.padding_ = np.random.default_rng(round(metric * 1e6)).integers(0, 255, size, dtype=np.uint8)
    with (model / "model.pkl").open("wb") as file:
        pickle.dump(estimator, file)
    manifest = ModelManifest(
        schema_version="1", files=file_entries(model), signature=None, signature_reason="not observed",
        estimator=Estimator("sklearn.linear_model._logistic.LogisticRegression", "model.pkl", "pickle", "model.pkl", "classifier"),
        metrics={"accuracy": metric}, dataset=Dataset("data/iris.csv", "0" * 64, 10), source=Source("", "", None),
        run=TrainingRun("src/train.py", (), {}), onnx=Onnx("off"), golden=GoldenSummary(0, True),
        environment=Environment(python_version(), platform_name(), installed_packages()),
    )  # fmt: skip
    (model / "model.json").write_bytes(manifest.to_json())
    report = GateReport("1", "pass", True, manifest.digest, {"accuracy": str(metric)}, (), Baseline("none", {}), {},
                        "default", "warn")  # fmt: skip
    (folder / "gate").mkdir(exist_ok=True)
    content = msgspec.structs.replace(report).to_json()
    (folder / "gate" / "report.json").write_bytes(content)
    return approval_of(content)


if __name__ == "__main__":
    print(make(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
