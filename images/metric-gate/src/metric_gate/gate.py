"""One decision, from files to a report: verifies the model directory, reads rules and baseline, decides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from metric_gate.baseline import Baseline, as_written, read_baseline
from metric_gate.decision import check_all, default_rules, verdict_of
from metric_gate.directions import direction_of
from metric_gate.lost_metrics import lost, note_on_lost
from metric_gate.metrics_document import Metrics, parse_metrics
from metric_gate.rules_document import MAX_BYTES, Rule, parse_rules
from taskkit import gate_report
from taskkit.canonical import digest_of
from taskkit.errors import IntegrityError, TaskError, UsageError
from taskkit.gate_report import GateReport
from taskkit.model_directory import METRICS, verify
from taskkit.model_manifest import ModelManifest


@dataclass(frozen=True)
class Question:
    """What the gate is asked. ``rules`` is YAML; ``rules_file`` and ``baseline`` are None and empty where not given."""

    model_directory: Path
    rules: str = ""
    rules_file: Path | None = None
    baseline: str = ""
    on_missing_baseline: Literal["warn", "fail"] = "warn"
    override: str = ""


def decide(question: Question) -> tuple[GateReport, ModelManifest]:
    """The report on one model, and its manifest.

    Raises UsageError (rules, baseline), IntegrityError and TaskError (model directory).
    """
    rules, rules_from = _rules(question)
    manifest, digest = verify(question.model_directory)
    candidate = _candidate(question.model_directory, manifest)
    baseline = read_baseline(question.baseline)
    if rules is None:
        rules = default_rules(candidate, baseline)
    checks = check_all(rules, candidate, baseline)
    reason = " ".join(question.override.split())
    verdict, approved = verdict_of(checks, question.on_missing_baseline, override=bool(reason))
    same_dataset = _same_dataset(manifest, baseline)
    notes = [*_notes_on_rules(rules, rules_from, candidate, baseline), *_notes_on_data(same_dataset)]
    if reason and verdict != "overridden":
        notes.append(f"the override was not used: {_why_not_overridden(verdict)}")
    report = GateReport(
        schema_version="1",
        verdict=verdict,
        approved=approved,
        model_digest=digest,
        metrics=as_written(candidate.numbers),
        checks=checks,
        baseline=gate_report.Baseline(
            baseline.kind,
            as_written(baseline.metrics.numbers),
            baseline.model_digest,
            baseline.dataset_sha256,
            same_dataset,
        ),
        rules={rule.metric: rule.as_applied() for rule in rules},
        rules_from=rules_from,
        on_missing_baseline=question.on_missing_baseline,
        override=gate_report.Override(reason, "fail") if verdict == "overridden" else None,
        notes=tuple(notes),
    )
    return report, manifest


def _rules(question: Question) -> tuple[tuple[Rule, ...] | None, Literal["rules", "rules-file", "default"]]:
    """Rules as given, or None for the default rule."""
    inline = parse_rules(question.rules, "rules")
    if question.rules_file is None:
        return inline, "rules" if inline else "default"
    if inline:
        raise UsageError("both rules and rules-file are given", "keep one of the two")
    where = f"rules-file {question.rules_file}"
    try:
        with question.rules_file.open("rb") as stream:
            text = stream.read(4 * MAX_BYTES + 1).decode("utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"{where} can't be read ({error.strerror})", "give the path of a file in the workspace"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{where} is not UTF-8 text (byte {error.start})", "save it as UTF-8") from error
    rules = parse_rules(text, where)
    if rules is None:
        raise UsageError(f"{where} holds no rules", "add one, or leave rules-file out for the default rule")
    return rules, "rules-file"


def _candidate(directory: Path, manifest: ModelManifest) -> Metrics:
    """The candidate's metrics; none where the training wrote no metrics.json."""
    if METRICS not in manifest.files:
        return Metrics()
    path = directory / METRICS
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TaskError(f"{path} can't be read ({error.strerror})", "check the permissions of the workspace") from error
    if digest_of(content) != f"sha256:{manifest.files[METRICS].sha256}":
        raise IntegrityError(f"{path} changed while the gate was reading it", "see what else writes to the workspace")
    return parse_metrics(content, str(path))


def _same_dataset(manifest: ModelManifest, baseline: Baseline) -> bool | None:
    if manifest.dataset is None or not baseline.dataset_sha256:
        return None
    return manifest.dataset.sha256 == baseline.dataset_sha256


def _notes_on_rules(
    rules: tuple[Rule, ...], rules_from: str, candidate: Metrics, baseline: Baseline
) -> list[str]:  # fmt: skip
    notes = []
    for rule in rules:
        usual = direction_of(rule.metric)
        if usual and rule.direction != usual:
            notes.append(f"{rule.metric}: the rule says that {rule.direction} is better; by its name, {usual} is")
    if rules_from != "default":
        return notes
    if not [*candidate]:
        notes.append("the model has no metrics: its training script wrote no metrics.json, or an empty one")
    if baseline.kind == "none":
        return notes
    compared = {rule.metric for rule in rules}
    notes += [f"{metric}: not compared, because its direction is not known; give it a rule with a direction"
              for metric in candidate if metric in baseline.metrics and metric not in compared]  # fmt: skip
    known = lost(candidate, baseline)
    notes += [note_on_lost(metric, candidate, baseline) for metric in known]
    notes += [f"{metric}: not compared, because the candidate does not have it; give it a rule to demand it"
              for metric in baseline.metrics if metric not in candidate and metric not in known]  # fmt: skip
    return notes


def _notes_on_data(same_dataset: bool | None) -> list[str]:
    if same_dataset is False:
        return ["the baseline was measured in a training on other data (its dataset has another sha256)"]
    return []


def _why_not_overridden(verdict: str) -> str:
    if verdict == "fail":
        return "it replaces failed rules, and a baseline is missing too, which on-missing-baseline: fail refuses"
    return f"it replaces only the verdict fail, and the verdict is {verdict}"
