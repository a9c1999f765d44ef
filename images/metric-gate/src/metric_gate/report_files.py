"""The gate's folder: report.json, whose sha256 is the approval, report.md, and on approval baseline.yaml."""

from __future__ import annotations

import os
from pathlib import Path

from metric_gate.baseline_document import baseline_document
from metric_gate.report_text import markdown
from taskkit.canonical import is_json_object
from taskkit.errors import UsageError
from taskkit.gate_report import GateReport, approval_of
from taskkit.model_directory import replacing
from taskkit.model_manifest import ModelManifest

REPORT = "report.json"
MARKDOWN = "report.md"
NEXT_BASELINE = "baseline.yaml"

# Of whatever schema version.
_ALWAYS_THERE = {"schema_version", "verdict", "approved", "model_digest", "checks"}


def own_directory(directory: Path, model_directory: Path) -> Path:
    """``directory``, after a look that replacing it as a whole loses nothing. Both are relative to the workspace.

    Raises UsageError where it is or holds the workspace's root or the model directory, lies in that, or holds anything
    that is not the gate's. Names prove nothing: people write a report.md, too. Beside the gate's lies a report.json.
    """
    own = "the folder is replaced as a whole: name one of its own, for example gate"
    if directory == Path() or directory in (model_directory, *model_directory.parents):
        raise UsageError(
            f"report-dir '{directory}' is or holds model-dir '{model_directory}' or the workspace itself", own
        )
    if model_directory in directory.parents:
        raise UsageError(f"report-dir '{directory}' lies in model-dir '{model_directory}'", own)
    if not directory.exists():
        return directory
    if not directory.is_dir():
        raise UsageError(f"report-dir '{directory}' is a file", own)
    held = sorted(directory.iterdir())
    for entry in held:
        if entry.name not in (REPORT, MARKDOWN, NEXT_BASELINE) or entry.is_dir():
            raise UsageError(f"report-dir '{directory}' holds '{entry.name}', which is no report", own)
    if held and not is_json_object(directory / REPORT, _ALWAYS_THERE):
        raise UsageError(f"report-dir '{directory}' holds '{held[0].name}', but no {REPORT} that the gate wrote",
                         f"{own}, or empty this one")  # fmt: skip
    return directory


def write_report(report: GateReport, manifest: ModelManifest, directory: Path) -> str:
    """Writes the files and returns the digest of the report. Raises TaskError."""
    content = report.to_json()
    document = baseline_document(report, manifest) if report.approved else None
    with replacing(directory) as fresh:
        _write_through(fresh / REPORT, content)
        (fresh / MARKDOWN).write_text(markdown(report), encoding="utf-8")
        if document:
            (fresh / NEXT_BASELINE).write_text(document, encoding="utf-8")
    return approval_of(content)


def _write_through(path: Path, content: bytes) -> None:
    """Onto the disk before the folder gets its name: with the empty file of a lost node it would not count as ours."""
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
