"""Every report that the gate writes is what the published schema says."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import taskkit

SCHEMAS = Path(taskkit.__file__).parent / "schemas"


@pytest.mark.parametrize(
    "options",
    [
        [], ["--baseline=baseline"], ["--baseline=champion"], ["--rules=accuracy: {min: 1}"],
        ["--rules=accuracy: {min: 1}", "--override=why"], ["--rules=nothing: {max: 1e-3, severity: warning}"],
        ["--on-missing-baseline=fail"], ["--baseline=renamed"],
    ],
)  # fmt: skip
def test_a_report_fits_its_schema(workspace, options):
    model = workspace.model({"accuracy": 0.95})
    workspace.model({"accuracy": 0.9}, "champion")
    workspace.baseline(accuracy="0.9")
    (workspace.root / "renamed").write_text('{"accuracy": 0.9, "Accuracy": 0.9, "f1": 0.9}')
    workspace.gate(*options)
    for schema, file in (("gate-report", workspace.root / "gate" / "report.json"), ("model", model / "model.json")):
        validator = Draft202012Validator(json.loads((SCHEMAS / f"{schema}.schema.json").read_text()))
        assert [error.message for error in validator.iter_errors(json.loads(file.read_text()))] == []


def test_the_schema_refuses_what_the_reader_refuses(workspace):
    workspace.model({"accuracy": 0.95})
    workspace.gate()
    report = json.loads((workspace.root / "gate" / "report.json").read_text())
    validator = Draft202012Validator(json.loads((SCHEMAS / "gate-report.schema.json").read_text()))
    assert not validator.is_valid(report | {"extra": 1})
    assert not validator.is_valid(report | {"verdict": "fine"})
