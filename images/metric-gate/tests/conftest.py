import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from metric_gate.command import main
from taskkit.gate_report import GateReport, approval_of, parse_report
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


def write_model(directory: Path, metrics: str | None, dataset_sha256: str = "a" * 64) -> Path:
    """A model directory as sklearn-train leaves it; ``metrics`` is the text of metrics.json, None for no such file."""
    directory.mkdir(parents=True)
    (directory / "model.pkl").write_bytes(b"stands for a model: the gate never opens it")
    if metrics is not None:
        (directory / "metrics.json").write_text(metrics)
    manifest = ModelManifest(
        schema_version="1",
        files=file_entries(directory),
        estimator=Estimator("sklearn.svm.SVC", "model.pkl", "pickle", "model.pkl", "classifier"),
        signature=None,
        signature_reason="nothing was fitted",
        metrics={},
        dataset=Dataset("data/iris.csv", dataset_sha256, 4000),
        source=Source(commit="c0ffee" * 6 + "c0ff"),
        run=TrainingRun("src/train.py", (), {}),
        environment=Environment("3.13.2", "linux-x86_64-glibc", {"scikit-learn": "1.9.1"}),
        onnx=Onnx("off"),
        golden=GoldenSummary(0, replays=False),
    )
    (directory / "model.json").write_bytes(manifest.to_json())
    return directory


@dataclass
class Run:
    exit_code: int
    out: str
    err: str
    results: dict[str, str]
    report: GateReport | None


class Workspace:
    """A workspace with a model in it, and the program to run there as Tekton does."""

    def __init__(self, root: Path, capsys) -> None:
        self.root, self.capsys = root, capsys

    def model(self, metrics: str | dict[str, object] | None, name: str = "model", **more: str) -> Path:
        text = json.dumps(metrics) if isinstance(metrics, dict) else metrics
        return write_model(self.root / name, text, **more)

    def baseline(self, **values: str) -> None:
        """A mounted ConfigMap: links into a dated folder behind ``..data``, as the kubelet makes it."""
        inner = self.root / "baseline" / "..2026_11_23_20_00_00.1"
        inner.mkdir(parents=True)
        (inner.parent / "..data").symlink_to(inner.name)
        for key, value in values.items():
            (inner / key).write_text(value)
            (inner.parent / key).symlink_to(f"..data/{key}")

    def gate(self, *options: str) -> Run:
        results = self.root / "results"
        results.mkdir(exist_ok=True)
        names = ("verdict", "approval", "summary")
        self.capsys.readouterr()
        code = main([*options, "--result", *(f"{name}={results / name}" for name in names)])
        out, err = self.capsys.readouterr()
        path = self.root / "gate" / "report.json"
        report = parse_report(path.read_bytes(), "gate/report.json") if path.exists() else None
        files = {name: results / name for name in names}
        return Run(
            code, out, err, {name: file.read_text() if file.exists() else "" for name, file in files.items()}, report
        )

    def report_names(self) -> list[str]:
        """The files of the gate's folder; none where there is no such folder."""
        return sorted(path.name for path in (self.root / "gate").glob("*"))

    def approval(self) -> str:
        return approval_of((self.root / "gate" / "report.json").read_bytes())


@pytest.fixture
def workspace(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    return Workspace(tmp_path, capsys)
