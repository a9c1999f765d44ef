"""What was measured as tables of Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sides import ImageSize, Ran

TARGET = 0.7
"""Of the recipe's time, at most."""


@dataclass(frozen=True)
class Measured:
    """``recipe`` and ``ours``: one run of each per round, in this order."""

    recipe: Sequence[Ran]
    ours: Sequence[Ran]
    warming: Mapping[str, float]
    """Seconds of the runs before the first round, which count for nothing."""
    sizes: Mapping[str, ImageSize]
    answers: Mapping[str, Sequence[object]]
    """What each image predicted for one row."""
    tekton: str
    kaniko: str
    processors: int


def seconds(runs: Sequence[Ran]) -> list[float]:
    return [each.times.total for each in runs]


def ratios(measured: Measured) -> list[float]:
    """Ours by the recipe's, of each round."""
    return [own / other for own, other in zip(seconds(measured.ours), seconds(measured.recipe), strict=True)]


def ratio(measured: Measured) -> float:
    """Of the medians."""
    return statistics.median(seconds(measured.ours)) / statistics.median(seconds(measured.recipe))


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Median, least, greatest."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def verdict(measured: Measured) -> str:
    found = ratio(measured)
    met = "met" if found <= TARGET else "missed"
    return (
        f"Ours takes {found:.2f} of the recipe's time (medians; {spread(ratios(measured), 2)} round by round). "
        f"The target, at most {TARGET:g}: {met}."
    )


def text(measured: Measured) -> str:
    loads = [each.times.load for each in (*measured.recipe, *measured.ours)]
    rounds = len(measured.ours)
    how = (
        f"{rounds} round{'s' if rounds > 1 else ''} after one run of each to warm up; Tekton {measured.tekton}, one node, "
        f"{measured.processors} processors, load average {min(loads):.1f} to {max(loads):.1f} when runs began. The recipe "
        f"builds with kaniko {measured.kaniko}; what its `pip install` asks for is in its images already."
    )
    parts = ([verdict(measured)], [how], _totals(measured), _rounds(measured), _tasks(measured))
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _totals(measured: Measured) -> list[str]:
    lines = ["| | seconds, from PipelineRun to image | image, MB in the registry | of it new, kB | answers |",
             "|---|--:|--:|--:|---|"]  # fmt: skip
    for name, runs in (("recipe", measured.recipe), ("ours", measured.ours)):
        size = measured.sizes[name]
        lines.append(f"| {name} | {spread(seconds(runs))} | {size.whole / 1e6:.1f} | {size.above / 1e3:.1f} | "
                     f"{', '.join(map(str, measured.answers[name]))} |")  # fmt: skip
    return lines


def _rounds(measured: Measured) -> list[str]:
    lines = ["| round | recipe, s | load | ours, s | load | ours / recipe |", "|--:|--:|--:|--:|--:|--:|"]
    pairs = zip(measured.recipe, measured.ours, ratios(measured), strict=True)
    for number, (other, own, found) in enumerate(pairs, start=1):
        cells = (f"{each.times.total:.1f} | {each.times.load:.1f}" for each in (other, own))
        lines.append(f"| {number} | {' | '.join(cells)} | {found:.2f} |")
    return lines


def _tasks(measured: Measured) -> list[str]:
    how = (
        "Where the time goes, means of the rounds in seconds (the cluster's clocks tell whole seconds, so means of few rounds "
        "are good to half a second or so):"
    )
    head = "| | task | until its pod is there | until its step starts | step | until Tekton saw the end | together |"
    lines = [how, "", head, "|---|---|--:|--:|--:|--:|--:|"]
    for name, runs in (("recipe", measured.recipe), ("ours", measured.ours)):
        columns = [[0.0] * 5]
        for place, task in enumerate(runs[0].times.tasks):
            found = [each.times.tasks[place] for each in runs]
            spans = [(one.until_pod, one.starting, one.running, one.ending, one.total) for one in found]
            columns.append([statistics.fmean(span) for span in zip(*spans, strict=True)])
            lines.append(f"| {name} | {task.task} | {_cells(columns[-1])} |")
        closing = statistics.fmean(each.times.closing for each in runs)
        sums = [sum(values) for values in zip(*columns, strict=True)]
        lines.append(f"| **{name}** | all, and {closing:.1f} after the last | {_cells(sums)} |")
    return lines


def _cells(values: Sequence[float]) -> str:
    return " | ".join(f"{value:.1f}" for value in values)
