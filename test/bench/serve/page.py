"""What docs/benchmarks.md shows of the servers: its tables, between comments, and its chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from contestants import ROOT
from measuring import BATCH, Measured
from report import chart, median, processor, rate, ratios, spread
from targets import HEAD, rows

PAGE = ROOT / "docs" / "benchmarks.md"
CHART = ROOT / "docs" / "benchmarks.svg"


def write(measured: Sequence[Measured], besides: Mapping[str, Mapping[str, Any]], titles: Mapping[str, str]) -> None:
    """``besides`` and ``titles`` by model. Raises ValueError where the page has lost its comments."""
    text = PAGE.read_text(encoding="utf-8")
    text = _with(text, "servers", servers(measured, titles))
    text = _with(text, "targets", targets(measured, besides))
    PAGE.write_text(text, encoding="utf-8")
    CHART.write_text(chart(measured, titles), encoding="utf-8")


def _with(text: str, name: str, table: str) -> str:
    begin, end = f"<!-- {name}, by test/bench/serve --docs -->\n", f"\n<!-- end of {name} -->"
    before, rest = text.split(begin)
    return f"{before}{begin}{table}{end}{rest.split(end)[1]}"


def servers(measured: Sequence[Measured], titles: Mapping[str, str]) -> str:
    columns = ["", "requests/s", "× recipe", "× less CPU per request than the recipe", "p50 ms, one connection",
               f"rows/s, {BATCH:,} at a time", "ready after s", "memory MB"]  # fmt: skip
    lines = [f"| {' | '.join(columns)} |", f"|---|{'--:|' * (len(columns) - 1)}"]
    for model, title in titles.items():
        of_model = [one for one in measured if one.model == model]
        [recipe] = [one for one in of_model if one.server == "recipe"]
        lines.append(f"| **{model}: {title}** |{' |' * (len(columns) - 1)}")
        for one in sorted(of_model, key=lambda one: -median(one.many, rate)):
            cells = [
                one.server,
                f"{median(one.many, rate):,.0f}",
                spread(ratios(one.many, recipe.many, rate)),
                spread(ratios(recipe.many, one.many, processor), 0),
                f"{median(one.one, lambda run: run.p50):.2f}",
                f"{median(one.batch, rate) * BATCH:,.0f}" if one.batch else "–",
                f"{one.start_seconds:.1f}",
                f"{one.idle_bytes / 1e6:.0f}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def targets(measured: Sequence[Measured], besides: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        f"| {model}: {row}"
        for model, beside in besides.items()
        for row in rows([one for one in measured if one.model == model], beside)
    ]
    return "\n".join([HEAD, *lines])
