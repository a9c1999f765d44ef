"""One truth: what two engines make of the same run, side by side: the local engine and a cluster, or two versions.

Compared are the run's status, reason and results, and of each of its tasks status, reason, exit code, attempts and
results; messages and times may differ. What can only differ (digests of what different Pythons made, and the texts of
paths) is masked. Reasons are those of the newest Tekton.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from catalog.engine.outcomes import Reason, RunOutcome, Status, TaskOutcome

_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
_PATH = re.compile(r"(?<![\w.])/(?:tekton|workspace|tmp)(?:/[\w.-]+)+")


@dataclass(frozen=True)
class Compared:
    """One test on both; ``differences`` is empty when they agree."""

    name: str
    local: RunOutcome
    cluster: RunOutcome

    @property
    def differences(self) -> tuple[str, ...]:
        return tuple(differences(self.local, self.cluster, "here", "on the cluster"))


def differences(one: RunOutcome, other: RunOutcome, place: str, other_place: str) -> Iterator[str]:
    """What differs, in words; the places say where each was seen."""

    def unequal(what: str, first: Any, second: Any) -> Iterator[str]:
        if first != second:
            yield f"{what}: {first} {place}, {second} {other_place}"

    for what in ("status", "reason"):
        yield from unequal(what, getattr(one, what), getattr(other, what))
    yield from unequal("results", masked(one.results), masked(other.results))
    mine, theirs = one.every(), other.every()
    for name in dict.fromkeys((*mine, *theirs)):
        first, second = mine.get(name), theirs.get(name)
        if second is None and first is not None and first.status is Status.NOT_RUN:
            continue  # a cluster has no word for it
        if first is None or second is None:
            yield f"task {name}: only {other_place if first is None else place}"
            continue
        for what, seen, seen_there in zip(_COMPARED, _seen(first), _seen(second), strict=True):
            yield from unequal(f"task {name}: {what}", seen, seen_there)


_COMPARED = ("status", "reason", "exit code", "attempts", "results")


_ENDED = {Reason.TASK_TIMEOUT, Reason.TASK_CANCELLED}


def _seen(task: TaskOutcome) -> tuple[Any, ...]:
    # A TaskRun that never had a process has no exit code here, and -1 where a cluster lists its steps all the same.
    # Whether a task that was ended had begun is a matter of how busy the machine was.
    code = None if task.exit_code == -1 or task.reason in _ENDED else task.exit_code
    ran = task.status in {Status.SUCCEEDED, Status.FAILED}
    return str(task.status), str(task.reason), code, task.attempts if ran else 1, masked(task.results)


def masked(results: Mapping[str, Any]) -> str:
    """Results as JSON, without what can only differ."""
    text = json.dumps(dict(sorted(results.items())), ensure_ascii=False)
    return _PATH.sub("<path>", _DIGEST.sub("<digest>", text))


def table(compared: Iterable[Compared]) -> str:
    """Markdown: a line for each test."""
    lines = ["| test | status | reason | tasks | results | here and on the cluster |", "|---|---|---|---|---|---|"]
    for one in compared:
        told = "; ".join(one.differences) or "the same"
        results = masked(one.local.results) if one.local.results else ""
        lines.append(row(one.name, one.local.status, one.local.reason, _tasks(one.local), results, told))
    return "\n".join(lines) + "\n"


def messages(compared: Iterable[Compared]) -> str:
    """Markdown: what is said of runs and tasks that failed, here and there."""
    lines = ["| test | task | here | on the cluster |", "|---|---|---|---|"]
    for one in compared:
        there = one.cluster.every()
        for name, task in one.local.every().items():
            if task.failed and name in there:
                lines.append(row(one.name, name, task.message, there[name].message))
        if not one.local.succeeded and one.local.kind == "PipelineRun":
            lines.append(row(one.name, "(the run)", one.local.message, one.cluster.message))
    return "\n".join(lines) + "\n"


def _tasks(outcome: RunOutcome) -> str:
    return ", ".join(f"{task.name}: {task.reason}{_code(task)}" for task in outcome.tasks)


def _code(task: TaskOutcome) -> str:
    return f" {task.exit_code}" if task.exit_code else ""


def row(*cells: object) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(_cell(str(cell)) for cell in cells)} |"


def _cell(text: str) -> str:
    text = _DIGEST.sub("<digest>", text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return " ".join(text.split())
