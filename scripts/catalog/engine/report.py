"""The table that a run ends with: rows of plain text, and their rendering where there is no terminal."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from catalog.engine.outcomes import Reason, RunOutcome, Status, TaskOutcome
from catalog.engine.substitution import Value

HEADER = ("task", "status", "reason", "time", "results")
_WIDEST_RESULT = 64
_SHORTEST_VALUE = 12
_LONGEST_RESULT = 400


@dataclass(frozen=True)
class Row:
    """One task: the cells of the table, and whether it went well, badly, or did not run."""

    task: str
    status: Status
    reason: str
    time: str
    results: tuple[str, ...]


def duration(seconds: float) -> str:
    """For people: ``0.4s``, ``2m05s``, ``1h02m``."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"


def shortened(value: Value, longest: int) -> str:
    """A result's value on one line, its middle left out when it is long (ends tell digests and names apart)."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = "".join(c if c.isprintable() else " " for c in text.strip("\n"))
    if len(text) <= longest:
        return text
    head = (longest - 1) * 2 // 3
    return f"{text[:head]}…{text[-(longest - 1 - head) :]}"


def result_lines(results: Mapping[str, Value], widest: int) -> tuple[str, ...]:
    """``name=value`` for each result that is not empty, the value shortened to what is left of the width."""
    return tuple(
        f"{name}={shortened(value, max(_SHORTEST_VALUE, widest - len(name) - 1))}"
        for name, value in results.items()
        if value != ""
    )


def run_results(outcome: RunOutcome) -> list[tuple[str, str]]:
    """A pipeline's own results that are not empty; those of a TaskRun stand in its row already."""
    results = outcome.results if outcome.kind == "PipelineRun" else {}
    return [(name, shortened(value, _LONGEST_RESULT)) for name, value in results.items() if value != ""]


def rows(outcome: RunOutcome, widest: int = _WIDEST_RESULT) -> list[Row]:
    """A row for each task in the order of the pipeline, below a matrix one for each of its TaskRuns; ``widest`` is
    what there is for ``name=value``."""
    found = []
    for task in outcome.tasks:
        found.append(_row(task, task.name, widest))
        if len(task.children) > 1:
            found += [_row(child, f"  {child.name}  {child.display_name}".rstrip(), widest) for child in task.children]
    return found


def _row(task: TaskOutcome, name: str, widest: int) -> Row:
    reason = "" if task.reason == task.status else str(task.reason)
    if task.reason in {Reason.STEP_FAILED, Reason.IGNORED}:
        reason = f"{reason}, exit code {task.exit_code}"
    if task.attempts > 1:
        reason = f"{reason}, {task.attempts} attempts".lstrip(", ")
    ran = task.status in {Status.SUCCEEDED, Status.FAILED}
    return Row(
        task=name,
        status=task.status,
        reason=reason,
        time=duration(task.seconds) if ran else "",
        results=result_lines(task.results, widest),
    )


def headline(outcome: RunOutcome) -> str:
    """``PipelineRun demo: Succeeded in 3.1s``, with the reason where it says more than the status."""
    reason = "" if outcome.reason == outcome.status else f" ({outcome.reason})"
    return f"{outcome.kind} {outcome.name}: {outcome.status}{reason} in {duration(outcome.seconds)}"


def explanations(outcome: RunOutcome, last_lines: Mapping[str, str] | None = None) -> list[str]:
    """Why tasks failed or could not run, one line each, and what is wrong with the run beyond them."""
    found = []
    several = (one for task in outcome.tasks for one in (task.children if len(task.children) > 1 else (task,)))
    for task in several:
        if task.message and task.status is not Status.SUCCEEDED:
            found.append(f"{task.name}: {task.message}")
            if last := (last_lines or {}).get(task.name):
                found.append(f"{task.name}: its last line: {last}")
    own = {task.message for task in outcome.tasks}
    if not outcome.succeeded and outcome.message and outcome.message not in own and len(outcome.tasks) != 1:
        found.append(f"{outcome.name}: {outcome.message}")
    return found


def text_table(outcome: RunOutcome) -> list[str]:
    """The table as aligned lines of text."""
    lines: list[Sequence[str]] = [HEADER]
    for row in rows(outcome):
        first, *more = row.results or ("",)
        lines.append((row.task, str(row.status), row.reason, row.time, first))
        lines += [("", "", "", "", text) for text in more]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(HEADER))]
    return [_aligned(line, widths) for line in lines]


def _aligned(cells: Iterable[str], widths: Iterable[int]) -> str:
    return "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _width(text: str) -> int:
    """Columns on a terminal."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c) for c in text)
