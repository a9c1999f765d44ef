"""The algebra of the gate: rules, a candidate's metrics and a baseline in; checks and a verdict out. No I/O.

Every bound of every rule gives one check, unless the metric itself is missing or not a number: that gives one failed
check of the kind ``present``. Equality passes, everywhere. A check of severity ``warning`` is shown and
decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Literal

from metric_gate.baseline import Baseline
from metric_gate.directions import direction_of, near_matches
from metric_gate.metrics_document import Metrics
from metric_gate.numbers_as_written import Number, minus, plain, shorter, times
from metric_gate.rules_document import RELATIVE, Bound, Rule
from taskkit.errors import UsageError
from taskkit.gate_report import Check, Verdict

_ZERO = Number("0", Decimal(0))


def default_rules(candidate: Metrics, baseline: Baseline) -> tuple[Rule, ...]:
    """``max_drop: 0`` for every metric of known direction that candidate and baseline share.

    Without a baseline: for every metric of known direction of the candidate, so that the report says what would have
    been compared. Raises UsageError where there is a baseline and nothing to compare.
    """
    rules = tuple(
        Rule(metric, {"max_drop": _ZERO}, direction)
        for metric in candidate
        if (direction := direction_of(metric)) and (baseline.kind == "none" or metric in baseline.metrics)
    )
    if rules or baseline.kind == "none":
        return rules
    shared = [metric for metric in candidate if metric in baseline.metrics]
    pasted = f"{shared[0]}: {{max_drop: 0, direction: higher}}" if shared else _paste(candidate)
    raise UsageError(
        f"there is a baseline, but nothing to compare: the candidate has {_names(candidate)}, the baseline has "
        f"{_names(baseline.metrics)}, and " + ("nothing is known of their direction" if shared else "they share none"),
        f"give rules, for example: {pasted}",
    )


def _paste(candidate: Metrics) -> str:
    first = next((metric for metric in candidate if metric in candidate.numbers), None)
    return f"{first}: {{min: {candidate.numbers[first].text}}}" if first else "accuracy: {min: 0.9}"


def _names(metrics: Iterable[str]) -> str:
    return ", ".join(metrics) or "no metrics"


def check_all(rules: Sequence[Rule], candidate: Metrics, baseline: Baseline) -> tuple[Check, ...]:
    """The checks in the order of the rules.

    Raises UsageError for a baseline value that is no number, and for a ratio to a baseline of 0.
    """
    return tuple(check for rule in rules for check in _checks_of(rule, candidate, baseline))


def _checks_of(rule: Rule, candidate: Metrics, baseline: Baseline) -> Iterable[Check]:
    value = candidate.numbers.get(rule.metric)
    if value is None:
        yield Check(
            metric=rule.metric, rule="present", bound="", direction=rule.direction, severity=rule.severity,
            candidate=candidate.others.get(rule.metric, ""), baseline="", verdict="fail",
            message=_why_absent(rule.metric, candidate),
        )  # fmt: skip
        return
    for bound, limit in rule.bounds.items():
        before = _before(rule, bound, limit, baseline) if bound in RELATIVE else None
        verdict, message = _decide(rule, bound, limit.value, value, before, baseline)
        yield Check(
            metric=rule.metric, rule=bound, bound=limit.text, direction=rule.direction, severity=rule.severity,
            candidate=value.text, baseline=before.text if before else "", verdict=verdict, message=message,
        )  # fmt: skip


def _why_absent(metric: str, candidate: Metrics) -> str:
    if metric in candidate.others:
        return f"{metric} is {candidate.others[metric]}, not a finite number"
    instead = where_instead(metric, candidate, candidate) or f"the model has {_names(candidate)}"
    return f"{metric} is missing; {instead}"


def where_instead(metric: str, candidate: Metrics, names: Iterable[str]) -> str:
    """Where a metric that the candidate lacks may be found: further down, or as one of ``names``; else empty."""
    inner = [name for name in candidate.inner if name.endswith(f".{metric}")]
    if inner:
        return f"it stands further down as {inner[0]}, and metrics are the numbers at the top level"
    near = near_matches(metric, names)
    return f"did you mean {' or '.join(near)}?" if near else ""


def _before(rule: Rule, bound: Bound, limit: Number, baseline: Baseline) -> Number | None:
    if wrong := baseline.metrics.others.get(rule.metric):
        raise UsageError(f"the baseline of '{rule.metric}' is {wrong}, not a finite number",
                         "correct it, or take it away to have no baseline for it")  # fmt: skip
    before = baseline.metrics.numbers.get(rule.metric)
    if before is not None and bound == "max_drop_ratio" and not before.value:
        raise UsageError(f"{rule.metric}.max_drop_ratio {limit.text} means nothing: its baseline is {before.text}",
                         "use max_drop for this metric")  # fmt: skip
    return before


def _decide(
    rule: Rule, bound: Bound, limit: Decimal, value: Number, before: Number | None, baseline: Baseline
) -> tuple[Literal["pass", "fail", "no-baseline"], str]:
    if bound == "min":
        return _said(
            value.value >= limit,
            f"{value.text} is at least {plain(limit)}",
            f"{value.text} is less than {plain(limit)}",
        )
    if bound == "max":
        return _said(
            value.value <= limit, f"{value.text} is at most {plain(limit)}", f"{value.text} is more than {plain(limit)}"
        )
    if before is None:
        return "no-baseline", _why_no_baseline(rule.metric, baseline)
    gain = minus(value.value, before.value) if rule.direction == "higher" else minus(before.value, value.value)
    allowed = times(limit, abs(before.value)) if bound == "max_drop_ratio" else limit
    needed = limit if bound == "min_gain" else -allowed
    change = f"{value.text} is {_change(gain, needed)} {before.text}"
    if bound == "min_gain":
        return _said(gain >= needed, change, f"{change}, and must be better by {plain(limit)}")
    share = f" ({plain(limit)} of |{before.text}|)" if bound == "max_drop_ratio" else ""
    stated = f"may be worse by {shorter(allowed, beside=abs(gain))}{share}" if allowed else "may not be worse"
    return _said(gain >= needed, change, f"{change}, and {stated}")


def _said(holds: bool, good: str, bad: str) -> tuple[Literal["pass", "fail"], str]:
    return ("pass", good) if holds else ("fail", bad)


def _change(gain: Decimal, needed: Decimal) -> str:
    """The gain in words; in few digits, unless just the others tell on which side of ``needed`` it lies."""
    if not gain:
        return "equal to"
    shown = shorter(abs(gain), beside=abs(needed))
    return f"{shown} {'better' if gain > 0 else 'worse'} than"


def _why_no_baseline(metric: str, baseline: Baseline) -> str:
    if baseline.kind == "none":
        return "there is no baseline"
    near = near_matches(metric, baseline.metrics)
    meant = f"; it has {', '.join(near)}" if near else ""
    return f"the baseline has no {metric}{meant}"


def worst(checks: Iterable[Check]) -> Literal["pass", "fail", "no-baseline"]:
    """The worst verdict of the checks that count; ``fail`` is worse than ``no-baseline``."""
    verdicts = {check.verdict for check in checks if check.severity == "error"}
    return "fail" if "fail" in verdicts else "no-baseline" if "no-baseline" in verdicts else "pass"


def verdict_of(
    checks: Sequence[Check], on_missing_baseline: Literal["warn", "fail"], *, override: bool
) -> tuple[Verdict, bool]:
    """(verdict, approved). No checks at all decide nothing, which is ``no-baseline`` and never a pass.

    An override replaces ``fail`` and nothing else: a missing baseline that refuses still does.
    """
    verdict = worst(checks) if checks else "no-baseline"
    missing_refuses = on_missing_baseline == "fail"
    if verdict == "fail" and override:
        left = worst(check for check in checks if check.verdict != "fail")
        if not (left == "no-baseline" and missing_refuses):
            return "overridden", True
    approved = verdict == "pass" or (verdict == "no-baseline" and not missing_refuses)
    return verdict, approved
