"""One truth: what the local engine and a cluster make of the same run, side by side.

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

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PATH = re.compile(r"(?<![\w.])/(?:tekton|workspace|tmp)(?:/[\w.-]+)+")


@dataclass(frozen=True)
class Compared:
    """One test on both; ``differences`` is empty when they agree."""

    name: str
    local: RunOutcome
    cluster: RunOutcome

    @property
    def differences(self) -> tuple[str, ...]:
        return tuple(_differences(self.local, self.cluster))


def _differences(local: RunOutcome, cluster: RunOutcome) -> Iterator[str]:
    for what in ("status", "reason"):
        yield from _unequal(what, getattr(local, what), getattr(cluster, what))
    yield from _unequal("results", _masked(local.results), _masked(cluster.results))
    mine, theirs = local.every(), cluster.every()
    for name in dict.fromkeys((*mine, *theirs)):
        here, there = mine.get(name), theirs.get(name)
        if there is None and here is not None and here.status is Status.NOT_RUN:
            continue  # a cluster has no word for it
        if here is None or there is None:
            yield f"task {name}: {'only on the cluster' if here is None else 'only here'}"
            continue
        for what, one, other in zip(_COMPARED, _seen(here), _seen(there), strict=True):
            yield from _unequal(f"task {name}: {what}", one, other)


_COMPARED = ("status", "reason", "exit code", "attempts", "results")


_ENDED = {Reason.TASK_TIMEOUT, Reason.TASK_CANCELLED}


def _seen(task: TaskOutcome) -> tuple[Any, ...]:
    # A TaskRun that never had a process has no exit code here, and -1 where a cluster lists its steps all the same.
    # Whether a task that was ended had begun is a matter of how busy the machine was.
    code = None if task.exit_code == -1 or task.reason in _ENDED else task.exit_code
    ran = task.status in {Status.SUCCEEDED, Status.FAILED}
    return str(task.status), str(task.reason), code, task.attempts if ran else 1, _masked(task.results)


def _masked(results: Mapping[str, Any]) -> str:
    text = json.dumps(dict(sorted(results.items())), ensure_ascii=False)
    return _PATH.sub("<path>", _DIGEST.sub("sha256:<digest>", text))


def _unequal(what: str, local: Any, cluster: Any) -> Iterator[str]:
    if local != cluster:
        yield f"{what}: {local} here, {cluster} on the cluster"


def table(compared: Iterable[Compared], rejected: Iterable[tuple[str, str, str]] = ()) -> str:
    """Markdown. ``rejected``: documents that must be refused, each with the words of the local engine and Tekton's."""
    lines = ["| test | status | reason | tasks | results | here and on the cluster |", "|---|---|---|---|---|---|"]
    for one in compared:
        told = "; ".join(one.differences) or "the same"
        cells = (one.name, one.local.status, one.local.reason, _tasks(one.local), _masked(one.local.results), told)
        lines.append("| " + " | ".join(_cell(str(cell)) for cell in cells) + " |")
    words = [f"| {name} | {_cell(local)} | {_cell(cluster)} |" for name, local, cluster in rejected]
    if words:
        lines += ["", "| refused | here | by Tekton |", "|---|---|---|", *words]
    return "\n".join(lines) + "\n"


def _tasks(outcome: RunOutcome) -> str:
    return ", ".join(f"{task.name}: {task.reason}{_code(task)}" for task in outcome.tasks)


def _code(task: TaskOutcome) -> str:
    return f" {task.exit_code}" if task.exit_code else ""


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("{}", "")
