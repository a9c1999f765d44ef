"""gate/report.json: what the gate decided and why. Its sha256 is the approval.

It holds no clock and no path of the machine. The published JSON Schema is ``schemas/gate-report.schema.json``.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from taskkit.canonical import canonical_json, digest_of
from taskkit.errors import TaskError

Verdict = Literal["pass", "fail", "no-baseline", "overridden"]
Direction = Literal["higher", "lower"]


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule of one metric. Numbers are decimal strings as they were written, so that nothing is rounded."""

    metric: str
    rule: Literal["min", "max", "max_drop", "max_drop_ratio", "min_gain", "present"]
    """present: what is checked first and for every rule; shown only where the metric is missing or no finite number."""
    bound: str
    direction: Direction | None
    severity: Literal["error", "warning"]
    candidate: str
    """The number; what stands in its place, such as NaN; empty where the candidate does not have the metric."""
    baseline: str
    """Empty where the rule needs none or there is none."""
    verdict: Literal["pass", "fail", "no-baseline"]
    message: str


class Baseline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``kind``: how the baseline was given; none: not bound or empty."""

    kind: Literal["none", "metrics-file", "model-directory", "metric-files"]
    metrics: dict[str, str]
    model_digest: str = ""
    dataset_sha256: str = ""
    same_dataset: bool | None = None
    """Whether it was measured on the candidate's data; None where one of the two does not say."""


class Override(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reason: str
    replaced: Literal["fail"]


class GateReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema_version: Literal["1"]
    verdict: Verdict
    """The worst of all checks of severity error, unless a reason was given to override ``fail``."""
    approved: bool
    """Whether the report stands for an approval: pass, overridden, or no-baseline where that only warns."""
    model_digest: str
    """``sha256:<hex>`` of the model.json that was decided on."""
    metrics: dict[str, str]
    """The candidate's finite numbers, as they were written."""
    checks: tuple[Check, ...]
    baseline: Baseline
    rules: dict[str, dict[str, str]]
    """The rules as they were applied, numbers as decimal strings."""
    rules_from: Literal["rules", "rules-file", "default"]
    on_missing_baseline: Literal["warn", "fail"]
    override: Override | None = None
    notes: tuple[str, ...] = ()
    """What a reader should know and what decided nothing, one sentence each."""

    def to_json(self) -> bytes:
        """The canonical bytes that are written to gate/report.json."""
        return canonical_json(msgspec.to_builtins(self))


def approval_of(content: bytes) -> str:
    """The approval that a report's bytes stand for: their digest."""
    return digest_of(content)


def parse_report(content: bytes, where: str) -> GateReport:
    """Reads a report. ``where`` names the file in errors. Raises TaskError."""
    try:
        return msgspec.json.decode(content, type=GateReport)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TaskError(
            f"{where} is not a gate report ({error})", "it must be the one that metric-gate wrote"
        ) from error
