"""The gate's folder: report.json, whose sha256 is the approval, report.md, and on approval baseline.yaml."""

from __future__ import annotations

from pathlib import Path

from metric_gate.baseline_document import baseline_document
from metric_gate.report_text import markdown
from taskkit.errors import UsageError
from taskkit.gate_report import GateReport, approval_of
from taskkit.model_directory import replacing
from taskkit.model_manifest import ModelManifest

REPORT = "report.json"
MARKDOWN = "report.md"
NEXT_BASELINE = "baseline.yaml"


def own_directory(directory: Path, model_directory: Path) -> Path:
    """``directory``, after a look that replacing it as a whole loses nothing. Both are relative to the workspace.

    Raises UsageError where it is or holds the workspace's root or the model directory, lies in that, or holds anything
    that is not the gate's.
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
    strange = sorted(entry.name for entry in directory.iterdir() if entry.name not in (REPORT, MARKDOWN, NEXT_BASELINE))
    if strange:
        raise UsageError(f"report-dir '{directory}' holds '{strange[0]}', which is no report", own)
    return directory


def write_report(report: GateReport, manifest: ModelManifest, directory: Path) -> str:
    """Writes the files and returns the digest of the report. Raises TaskError."""
    content = report.to_json()
    document = baseline_document(report, manifest) if report.approved else None
    with replacing(directory) as fresh:
        (fresh / REPORT).write_bytes(content)
        (fresh / MARKDOWN).write_text(markdown(report), encoding="utf-8")
        if document:
            (fresh / NEXT_BASELINE).write_text(document, encoding="utf-8")
    return approval_of(content)
