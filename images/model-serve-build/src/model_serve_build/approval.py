"""From the approval to the model's files: the chain of digests.

approval = sha256 of gate/report.json → the report says yes and names the model digest → model.json has that digest →
every file has the digest that model.json lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from taskkit.errors import EXIT_REJECTED, IntegrityError, TaskError
from taskkit.gate_report import GateReport, approval_of, parse_report
from taskkit.model_directory import read_manifest, verify
from taskkit.model_manifest import ModelManifest

REPORT = "report.json"


class NotApprovedError(TaskError):
    """The gate's report does not approve."""

    exit_code = EXIT_REJECTED


@dataclass(frozen=True)
class ApprovedModel:
    """A model directory whose every file was just checked against what the gate approved."""

    directory: Path
    manifest: ModelManifest
    model_digest: str
    report: GateReport
    report_content: bytes
    approval: str


def approved_model(directory: Path, report_directory: Path, approval: str) -> ApprovedModel:
    """Raises IntegrityError where a digest differs, NotApprovedError where the report says no, else TaskError."""
    path = report_directory / REPORT
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TaskError(
            f"there is no gate report {path} ({error.strerror})", "run metric-gate first, with the same report-dir"
        ) from error
    found = approval_of(content)
    if found != approval:
        raise IntegrityError(*_wrong_approval(path, found, approval, directory))
    report = parse_report(content, str(path))
    if not _approves(report):
        raise NotApprovedError(
            f"{path} has the verdict '{report.verdict}', which does not approve {report.model_digest}",
            "see the report for the reason; train a better model or use the gate's override",
        )
    manifest, model_digest = verify(directory, report.model_digest)
    return ApprovedModel(directory, manifest, model_digest, report, content, approval)


def _approves(report: GateReport) -> bool:
    verdicts = {"pass", "overridden"} | ({"no-baseline"} if report.on_missing_baseline == "warn" else set())
    return report.approved and report.verdict in verdicts


def _wrong_approval(path: Path, found: str, approval: str, directory: Path) -> tuple[str, str]:
    try:
        model_digest = read_manifest(directory)[1]
    except TaskError:
        model_digest = ""
    if approval == model_digest:
        return (
            f"approval {approval} is the model's digest, not an approval",
            "wire metric-gate's result 'approval' to model-serve-build, not a result of sklearn-train",
        )
    return (
        f"{path} has digest {found}, but the approval is {approval}",
        "the report changed after the gate or is another run's; run metric-gate again and pass its result 'approval'",
    )
