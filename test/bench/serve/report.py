"""Tables and a chart of what was measured: ratios per round, their median, and how far the rounds were apart."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from html import escape

from load import Run
from measuring import BATCH, Measured

Value = Callable[[Run], float]


def ratios(one: Sequence[Run], other: Sequence[Run], value: Value) -> list[float]:
    return [value(first) / value(second) for first, second in zip(one, other, strict=True) if value(second)]


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Median, least, greatest."""
    if not values:
        return "–"
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def median(runs: Sequence[Run], value: Value) -> float:
    return statistics.median(value(run) for run in runs) if runs else math.nan


def rate(run: Run) -> float:
    return run.requests_per_second


def processor(run: Run) -> float:
    return run.processor_microseconds


def table(measured: Sequence[Measured]) -> str:
    """One model as a table of Markdown; every ratio is against the recipe in the same round."""
    recipe = next((one for one in measured if one.server == "recipe"), None)
    columns = [
        measured[0].model, "requests/s, 32 connections", "× recipe", "CPU µs/request", "× less CPU than the recipe",
        "p99 ms", "p50 ms, 1 connection", "p50, share of the recipe's", f"rows/s, {BATCH} at a time", "ready after s",
        "memory MB", "answers",
    ]  # fmt: skip
    lines = [f"| {' | '.join(columns)} |", f"|---|{'--:|' * (len(columns) - 2)}---|"]
    for one in sorted(measured, key=lambda one: -median(one.many, rate)):
        many = spread(ratios(one.many, recipe.many, rate)) if recipe else "–"
        single = spread(ratios(one.one, recipe.one, lambda run: run.p50), 3) if recipe else "–"
        cheaper = spread(ratios(recipe.many, one.many, processor)) if recipe else "–"
        batch = f"{median(one.batch, rate) * BATCH:,.0f}" if one.batch else "–"
        lines.append(
            f"| {one.server} | {median(one.many, rate):,.0f} | {many} | "
            f"{median(one.many, processor):,.0f} | {cheaper} | {median(one.many, lambda run: run.p99):.1f} | "
            f"{median(one.one, lambda run: run.p50):.2f} | {single} | {batch} | {one.start_seconds:.2f} | "
            f"{one.idle_bytes / 1e6:.0f} | {one.what} |"
        )
    failures = sum(run.failures for one in measured for run in (*one.many, *one.one, *one.batch))
    lines.append(f"\nAnswers that were no 200, and errors of sockets: {failures}.")
    return "\n".join(lines)


def against_peers(measured: Sequence[Measured], ours: str = "ours /predict") -> str:
    """Our rate against the best peer of each round."""
    own = next((one for one in measured if one.server == ours), None)
    peers = [one for one in measured if one.server in {"MLServer", "KServe"}]
    if own is None or not peers:
        return "No peer was measured."
    best = [max(rate(one.many[at]) for one in peers) for at in range(len(own.many))]
    parts = [
        f"{spread([rate(run) / peer for run, peer in zip(own.many, best, strict=True)])} × the best peer in requests/s"
    ]
    if own.batch:
        best = [max(rate(one.batch[at]) for one in peers) for at in range(len(own.batch))]
        parts.append(
            f"{spread([rate(run) / peer for run, peer in zip(own.batch, best, strict=True)])} × in rows/s of batches"
        )
    return f"{ours}: {', '.join(parts)}."


def chart(measured: Sequence[Measured], titles: Mapping[str, str]) -> str:
    """Requests per second of all servers and models as SVG, on a logarithmic scale. ``titles`` by model."""
    models = list(dict.fromkeys(one.model for one in measured))
    bars = [(model, sorted((one for one in measured if one.model == model), key=lambda one: -median(one.many, rate)))
            for model in models]  # fmt: skip
    height = 50 + sum(34 + 22 * len(servers) for _, servers in bars)
    top = max(median(one.many, rate) for one in measured)
    decades = math.ceil(math.log10(max(top, 10)))

    def x(value: float) -> float:
        return 170 + 560 * max(0.0, math.log10(max(value, 1))) / decades

    start = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 {height}" role="img" font-family="system-ui, sans-serif" '
        'font-size="13"><title>Requests per second, 32 connections, one row each</title>'
        "<style>.ground{fill:#fff}.ink{fill:#1c2230}.soft{fill:#5a6476}.line{stroke:#d8dde6}.ours{fill:#2459c4}.peer{fill:#9aa5b8}"
        "@media (prefers-color-scheme: dark){.ground{fill:#12151c}.ink{fill:#e8ebf2}.soft{fill:#9aa5b8}.line{stroke:#323a4a}"
        ".ours{fill:#8fb2ff}.peer{fill:#5a6476}}</style>"
        f'<rect class="ground" width="820" height="{height}"/>'
    )
    parts = [start, '<text class="soft" x="10" y="18">requests per second</text>']
    parts += [f'<line class="line" x1="{x(10**power):.0f}" x2="{x(10**power):.0f}" y1="24" y2="{height - 12}"/>'
              f'<text class="soft" x="{x(10**power):.0f}" y="18" text-anchor="middle">{10**power:,}</text>'
              for power in range(decades + 1)]  # fmt: skip
    y = 40
    for model, servers in bars:
        parts.append(
            f'<text class="ink" x="10" y="{y + 12}" font-weight="600">{escape(f"{model}: {titles[model]}")}</text>'
        )
        y += 22
        for one in servers:
            value = median(one.many, rate)
            kind = "ours" if one.server.startswith("ours") else "peer"
            parts.append(
                f'<text class="ink" x="160" y="{y + 12}" text-anchor="end">{escape(one.server)}</text>'
                f'<rect class="{kind}" x="170" y="{y}" width="{x(value) - 170:.0f}" height="15" rx="2"/>'
                f'<text class="ink" x="{x(value) + 6:.0f}" y="{y + 12}">{value:,.0f}</text>'
            )
            y += 22
        y += 12
    return "".join([*parts, "</svg>\n"])
