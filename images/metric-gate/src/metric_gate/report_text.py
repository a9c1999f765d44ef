"""The report for people: a table and a line of verdict for the screen, and Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from metric_gate.lost_metrics import not_compared
from taskkit.gate_report import Check, GateReport

SUMMARY_BYTES = 300
"""A Tekton result shares 4 KB with everything else of its pod."""

_HEADER = ("metric", "candidate", "baseline", "rule", "verdict")
_WIDEST = 40
_GREEN, _YELLOW, _RED, _END = "\033[32m", "\033[33m", "\033[31m", "\033[0m"


def screen_lines(report: GateReport, *, colours: bool = False) -> list[str]:
    """Table, notes, and the line of verdict."""
    lines = _table([_cells(check) for check in report.checks], colours=colours) if report.checks else []
    lines += [f"note: {_printable(note)}" for note in report.notes]
    verdict = _painted(report.verdict, report.verdict) if colours else report.verdict
    decided = f"{verdict}, {'approved' if report.approved else 'refused'}"
    return [*lines, f"verdict: {decided}: {brief_reason(report)}{_left_out(report)}"]


def summary(report: GateReport) -> str:
    """One short line for a Tekton result, at most SUMMARY_BYTES long; half of it is kept for what was not compared."""
    told = f"{report.verdict}: {brief_reason(report)}"
    left_out = _cut(_left_out(report), max(SUMMARY_BYTES // 2, SUMMARY_BYTES - len(told.encode())))
    return _cut(told, SUMMARY_BYTES - len(left_out.encode())) + left_out


def _cut(text: str, most: int) -> str:
    """The text in at most ``most`` bytes."""
    content = text.encode()
    return text if len(content) <= most else content[: most - 3].decode(errors="ignore") + "…"


def _left_out(report: GateReport) -> str:
    """What follows the reason where the model lost metrics, else empty."""
    said = not_compared(report.notes)
    return f"; {_printable(said)}" if said else ""


def reason(report: GateReport) -> str:
    """Why the verdict is what it is, in one line: every failed check that counts, or how many hold."""
    return _printable("; ".join(_reasons(report)))


def brief_reason(report: GateReport) -> str:
    """As ``reason``, with the first check alone and the number of the others."""
    told = _reasons(report)
    most = 2 if report.override else 1
    more = f" (and {len(told) - most} more)" if len(told) > most else ""
    return _printable("; ".join(told[:most])) + more


def _reasons(report: GateReport) -> list[str]:
    if report.verdict == "pass":
        return [_why_passed(report.checks)]
    if not report.checks:
        return ["there is no baseline and no rule, and the model has no metric of known direction"]
    blame = "no-baseline" if report.verdict == "no-baseline" else "fail"
    blamed = [_sentence(check) for check in _counting(report.checks) if check.verdict == blame]
    return [report.override.reason, *blamed] if report.override else blamed


def _sentence(check: Check) -> str:
    return check.message if check.rule == "present" else f"{check.metric}: {check.message}"


def _why_passed(checks: Sequence[Check]) -> str:
    counting = _counting(checks)
    warned = [check.metric for check in checks if check.severity == "warning" and check.verdict != "pass"]
    held = f"{len(counting)} of {len(counting)} checks hold" if counting else "no check decides"
    return held + (f", with a warning for {', '.join(warned)}" if warned else "")


def _counting(checks: Sequence[Check]) -> list[Check]:
    return [check for check in checks if check.severity == "error"]


def _cells(check: Check) -> tuple[str, ...]:
    verdict = check.verdict if check.severity == "error" or check.verdict == "pass" else f"{check.verdict} (warning)"
    cells = (
        check.metric,
        check.candidate or "missing",
        check.baseline or "-",
        f"{check.rule} {check.bound}".strip(),
        verdict,
    )
    return tuple(_clipped(_printable(cell)) for cell in cells)


def _clipped(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _printable(text: str) -> str:
    """Names and texts come from users' files: no line breaks, no control codes for the terminal."""
    return "".join(letter if letter.isprintable() else "�" for letter in " ".join(text.split()))


def _table(rows: Sequence[Sequence[str]], *, colours: bool) -> list[str]:
    widths = [max(len(row[at]) for row in (_HEADER, *rows)) for at in range(len(_HEADER))]
    lines = []
    for row in (_HEADER, *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        if colours and row is not _HEADER:
            cells[-1] = _painted(row[-1], row[-1])
        lines.append("  ".join(cells).rstrip())
    return lines


def _painted(text: str, verdict: str) -> str:
    colour = _GREEN if verdict == "pass" else _RED if verdict == "fail" else _YELLOW
    return f"{colour}{text}{_END}"


def markdown(report: GateReport) -> str:
    """The report as Markdown: verdict, table of checks with their reasons, notes, and what was decided on."""
    lines = [
        f"# Metric gate: {report.verdict}, {'approved' if report.approved else 'refused'}",
        "",
        _escaped(f"{reason(report)}{_left_out(report)}"),
        "",
    ]
    if report.checks:
        lines += _row(*_HEADER, "why")
        lines += _row(*["---"] * 6)
        for check in report.checks:
            lines += _row(*map(_escaped, _cells(check)), _escaped(_printable(check.message)))
        lines.append("")
    lines += [f"- Note: {_escaped(_printable(note))}" for note in report.notes]
    if report.override:
        lines.append(f"- Overridden, with the reason: {_escaped(_printable(report.override.reason))}")
    baseline = {"none": "none", "metrics-file": "a metrics file", "metric-files": "one value per metric"}
    lines.append(f"- Rules: from {report.rules_from}; without a baseline: {report.on_missing_baseline}")
    lines.append(f"- Baseline: {baseline.get(report.baseline.kind, f'model `{report.baseline.model_digest}`')}")
    lines.append(f"- Model: `{report.model_digest}`")
    return "\n".join(lines) + "\n"


def _row(*cells: str) -> list[str]:
    return ["| " + " | ".join(cells) + " |"]


def _escaped(text: str) -> str:
    for special in "\\`*_[]<>|#~":
        text = text.replace(special, f"\\{special}")
    return text
