"""What was aimed for, beside what was measured."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from measuring import Measured
from report import rate, ratios

HEAD = "| target | wanted | /predict | /v2 |\n|---|--:|--:|--:|"
OURS = ("ours /predict", "ours /v2")
PEERS = ("MLServer", "KServe")
AGAINST = {"M1": (30, 8), "M2": (150, 45), "M3": (300, 90), "M4": (30, 5), "M5": (5, 1.3)}
"""Times as many requests per second, one row each, as the recipe and as the best peer of the round."""
BATCH_AGAINST = {"M4": 1.0}
CONVERTED = ("M1", "M2", "M3")


def verdicts(measured: Sequence[Measured], beside: Mapping[str, Any]) -> str:
    """One model as a table."""
    return "\n".join([HEAD, *(f"| {row}" for row in rows(measured, beside))])


def rows(measured: Sequence[Measured], beside: Mapping[str, Any]) -> Iterator[str]:
    """One model's lines of a table, without their first bar."""
    for name, wanted, least, values in _targets(measured, beside):
        shown = [
            ("–" if value is None else f"{_short(value)} {_verdict(value, wanted, least=least)}") for value in values
        ]
        yield f"{name} | {'≥' if least else '≤'} {wanted:.3g} | {' | '.join(shown)} |"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _verdict(value: float, wanted: float, *, least: bool) -> str:
    return "met" if (value >= wanted if least else value <= wanted) else "**missed**"


def _targets(
    measured: Sequence[Measured], beside: Mapping[str, Any]
) -> Iterator[tuple[str, float, bool, list[float | None]]]:
    """(name, wanted, at least rather than at most, values of /predict and /v2)"""
    by_name = {one.server: one for one in measured}
    ours, recipe = [by_name.get(name) for name in OURS], by_name.get("recipe")
    peers = [by_name[name] for name in PEERS if name in by_name]
    model = measured[0].model
    against_recipe, against_peer = AGAINST[model]
    if recipe:
        yield (
            "requests/s against the recipe",
            against_recipe,
            True,
            [statistics.median(ratios(one.many, recipe.many, rate)) if one else None for one in ours],
        )
    if peers:
        best = [max(rate(peer.many[at]) for peer in peers) for at in range(len(peers[0].many))]
        yield (
            "requests/s against the best peer",
            against_peer,
            True,
            [
                _middle([rate(run) / other for run, other in zip(one.many, best, strict=True)]) if one else None
                for one in ours
            ],
        )
        best = [max(rate(peer.batch[at]) for peer in peers) for at in range(len(peers[0].batch))]
        yield (
            "rows/s of batches against the best peer",
            BATCH_AGAINST.get(model, 1.5),
            True,
            [
                _middle([rate(run) / other for run, other in zip(one.batch, best, strict=True)]) if one else None
                for one in ours
            ],
        )
    if recipe and model == "M1":
        yield (
            "p50 at one connection, share of the recipe's",
            0.06,
            False,
            [statistics.median(ratios(one.one, recipe.one, lambda run: run.p50)) if one else None for one in ours],
        )
    if recipe and model in CONVERTED:
        yield (
            "ready after, share of the recipe's",
            1 / 3,
            False,
            [one.start_seconds / recipe.start_seconds if one else None for one in ours],
        )
        yield (
            "resident memory, share of the recipe's",
            0.6,
            False,
            [one.idle_bytes / recipe.idle_bytes if one else None for one in ours],
        )
    if beside:
        yield "/livez under full load, p99 in ms", 20, False, [beside["livez_p99_ms"], None]
    if two := beside.get("workers"):
        yield "two workers against one, rows/s of batches", 1.6, True, [_middle(two), None]


def _middle(values: Sequence[float]) -> float:
    return statistics.median(values)
