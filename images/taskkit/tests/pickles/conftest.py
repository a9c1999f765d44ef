import pytest

from taskkit.model_manifest import Environment, Estimator, GoldenSummary, ModelManifest, Onnx, Source, TrainingRun


def manifest(project=(), packages=()):
    return ModelManifest(
        schema_version="1", files={}, signature=None, signature_reason="", metrics={}, dataset=None, source=Source(),
        estimator=Estimator("a.B", "model.pkl", "pickle", "model.pkl", "other", project, packages),
        run=TrainingRun("train.py", (), {}), environment=Environment("", "", {}), onnx=Onnx("off"), golden=GoldenSummary(0, True),
    )  # fmt: skip


@pytest.fixture
def make_manifest():
    return manifest


@pytest.fixture
def no_project():
    return manifest()
