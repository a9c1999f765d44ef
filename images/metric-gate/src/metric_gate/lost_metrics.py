"""Metrics that the default rule would compare, had the model not lost them: renamed, moved further down, or gone.

They decide nothing, but nobody should take such a pass for a comparison. The notes of the report are the one source:
the lines of verdict are read from them, so report.json alone says what report.md and the summary say.
"""

from __future__ import annotations

from collections.abc import Sequence

from metric_gate.baseline import Baseline
from metric_gate.decision import where_instead
from metric_gate.directions import direction_of
from metric_gate.metrics_document import Metrics

_HEAD = "not compared: "
_REMEDY = "; give it a rule to demand it"


def lost(candidate: Metrics, baseline: Baseline) -> list[str]:
    """Names of the baseline's metrics of known direction that the candidate does not have, sorted."""
    return [metric for metric in baseline.metrics if metric not in candidate and direction_of(metric)]


def note_on_lost(metric: str, candidate: Metrics, baseline: Baseline) -> str:
    """A name that the baseline has, too, is another metric and not what this one is called now."""
    renamed = [name for name in candidate if name not in baseline.metrics]
    instead = where_instead(metric, candidate, renamed)
    return f"{_HEAD}{metric} (the model has no {metric}{f'; {instead}' if instead else ''}){_REMEDY}"


def not_compared(notes: Sequence[str]) -> str:
    """What a line of verdict says of lost metrics: the first, and how many more; empty where there is none."""
    told = [note.removesuffix(_REMEDY) for note in notes if note.startswith(_HEAD) and note.endswith(_REMEDY)]
    more = f" and {len(told) - 1} more" if len(told) > 1 else ""
    return f"{told[0]}{more}" if told else ""
