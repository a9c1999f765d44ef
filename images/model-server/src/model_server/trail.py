"""``--explain``: from the model that is served back to the gate's report, the metrics, the data, the commit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from model_server.checked_files import GATE_REPORT, check_files
from taskkit.gate_report import GateReport, approval_of
from taskkit.model_manifest import ModelManifest

_SHOWN_PACKAGES = ("scikit-learn", "numpy", "scipy", "pandas")


def explain(model_dir: Path, model_digest: str | None) -> str:
    """The trail as lines, after every file was checked. Raises TaskError."""
    checked = check_files(model_dir, model_digest)
    manifest = checked.manifest
    against = "as given from outside" if model_digest else "no digest was given from outside to check it against"
    lines = [
        ("model", f"{checked.digest} ({against})"),
        ("files", f"{len(manifest.files)} in {model_dir}, each as model.json says"),
        ("estimator", f"{manifest.estimator.class_name} in {manifest.estimator.file} ({manifest.estimator.format})"),
        *_gate_lines(checked.gate_report, model_dir),
        ("metrics", ", ".join(f"{name} {value}" for name, value in manifest.metrics.items()) or "none"),
        ("data", _data(manifest)),
        ("commit", _commit(manifest)),
        ("script", _script(manifest)),
        ("trained on", _environment(manifest)),
    ]
    return "\n".join(f"{name:10}  {text}" for name, text in lines)


def _gate_lines(report: GateReport | None, model_dir: Path) -> Iterator[tuple[str, str]]:
    if report is None:
        yield "gate", f"no {GATE_REPORT} beside the model: not known whether a gate approved it"
        return
    digest = approval_of((model_dir / GATE_REPORT).read_bytes())
    yield "gate", f"{report.verdict}, {'approved' if report.approved else 'NOT approved'}, report {digest}"
    for check in report.checks:
        baseline = f", baseline {check.baseline}" if check.baseline else ""
        yield (
            "",
            f"{check.metric} {check.candidate or 'missing'}: {check.rule} {check.bound}{baseline}: {check.verdict}",
        )
    if report.override is not None:
        yield "", f"overridden: {report.override.reason}"


def _data(manifest: ModelManifest) -> str:
    data = manifest.dataset
    return f"{data.path} sha256:{data.sha256} ({data.size} bytes)" if data is not None else "no dataset was named"


def _commit(manifest: ModelManifest) -> str:
    source = manifest.source
    if not source.commit:
        return "none: the workspace was no git checkout"
    state = {True: ", with uncommitted changes", False: "", None: ", not known whether clean"}[source.dirty]
    return f"{source.commit}{f' of {source.url}' if source.url else ''}{state}"


def _script(manifest: ModelManifest) -> str:
    given = ", ".join(f"{name}={value}" for name, value in manifest.run.hyperparameters.items())
    return f"{manifest.run.script}{f' with {given}' if given else ''}"


def _environment(manifest: ModelManifest) -> str:
    environment = manifest.environment
    packages = [f"{name} {environment.packages[name]}" for name in _SHOWN_PACKAGES if name in environment.packages]
    return ", ".join([f"Python {environment.python} ({environment.platform})", *packages])
