"""A real model directory and gate report, made through taskkit as the other programs make them."""

import pickle
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

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

sys.path.insert(0, str(Path(__file__).parent))

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass(frozen=True)
class Workspace:
    path: Path
    manifest: ModelManifest
    approval: str

    @property
    def model(self):
        return self.path / "model"

    @property
    def report(self):
        return self.path / "gate" / "report.json"

    @property
    def digest(self):
        return self.manifest.digest


def manifest_of(directory: Path, **changes) -> ModelManifest:
    return msgspec.structs.replace(
        ModelManifest(
            schema_version="1",
            files=file_entries(directory),
            estimator=Estimator("sklearn.pipeline.Pipeline", "model.pkl", "pickle", "model.pkl", "classifier"),
            signature=None,
            signature_reason="not observed",
            metrics={"accuracy": 0.96},
            dataset=Dataset("data/iris.csv", "0" * 64, 10),
            source=Source("https://git.example/team/iris.git", COMMIT, False),
            run=TrainingRun("src/train.py", (), {}),
            environment=Environment(python_version(), platform_name(), installed_packages()),
            onnx=Onnx("off"),
            golden=GoldenSummary(0, True),
        ),
        **changes,
    )


def report_of(manifest: ModelManifest, **changes) -> GateReport:
    report = GateReport(
        "1", "pass", True, manifest.digest, {"accuracy": "0.96"}, (), Baseline("none", {}), {}, "default", "warn"
    )
    return msgspec.structs.replace(report, **changes)


@pytest.fixture(scope="session")
def trained() -> bytes:
    features, labels = load_iris(return_X_y=True)
    return pickle.dumps(make_pipeline(StandardScaler(), LogisticRegression()).fit(features, labels))


@pytest.fixture
def make_workspace(tmp_path, trained):
    """Makes a workspace: ``files`` beside the model, ``manifest`` and ``report`` fields that differ."""

    def make(files=None, manifest=None, report=None, folder="workspace") -> Workspace:
        root = tmp_path / folder
        model = root / "model"
        for name, content in {"model.pkl": trained, "metrics.json": b'{"accuracy":0.96}', **(files or {})}.items():
            (model / name).parent.mkdir(parents=True, exist_ok=True)
            (model / name).write_bytes(content)
        made = manifest_of(model, **(manifest or {}))
        (model / "model.json").write_bytes(made.to_json())
        (root / "gate").mkdir()
        content = report_of(made, **(report or {})).to_json()
        (root / "gate" / "report.json").write_bytes(content)
        return Workspace(root, made, approval_of(content))

    return make


@pytest.fixture
def workspace(make_workspace) -> Workspace:
    return make_workspace()


def text_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""


@pytest.fixture
def run_build(monkeypatch, capfd):
    """Runs the program in a workspace: (exit code, results, log, errors)."""
    from model_serve_build.command import PROGRAM, work
    from taskkit.command_line import run

    def invoke(workspace: Workspace, **options):
        monkeypatch.chdir(workspace.path)
        given = {"approval": workspace.approval, "image": "oci-layout:image", "base_image": "", **options}
        argv = []
        for name, value in given.items():
            option = name.replace("_", "-")
            argv += [f"--{option}", *value] if isinstance(value, tuple) else [f"--{option}={value}"]
        results = workspace.path / "results"
        results.mkdir(exist_ok=True)
        names = [result.name for result in PROGRAM.results]
        capfd.readouterr()
        code = run(PROGRAM, work, [*argv, "--result", *(f"{name}={results / name}" for name in names)])
        out, err = capfd.readouterr()
        return code, {name: text_of(results / name) for name in names}, out, err

    return invoke
