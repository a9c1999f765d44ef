"""``matrix``: one pipeline task fanned out into several TaskRuns, each with its own combination of params.

All is counted and combined as tektoncd/pipeline does it (pkg/apis/pipeline/v1/matrix_types.go, docs/matrix.md), its
peculiarities included, since a run must not differ between this machine and a cluster:

* how many TaskRuns there are is *counted* apart from the combinations that are made: an ``include`` that brings two
  new values is counted twice, and the TaskRun too many gets no values; combinations beyond the count are dropped;
* a matrix param that is a text where a list is expected (a string result asked for with ``[*]``) adds nothing;
* results come back as an array in the order of the TaskRuns' *names*: ``-10`` stands before ``-2``;
* ``$(tasks.x.matrix.length)`` is counted before results of other tasks are known.

:mod:`catalog.engine.validation.matrix` warns of each of these where it can be seen in the document. One limit is this
engine's own: more than 256 TaskRuns are refused when params make them, too, where Tekton counts only what is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

from catalog.engine import references
from catalog.engine.outcomes import Status, TaskOutcome
from catalog.engine.substitution import Replacements, Value

MOST = 256
"""TaskRuns of one matrix (``default-max-matrix-combinations-count`` of the config-defaults)."""

Combination = dict[str, str]
_LONGEST_NAME = 63


def params_of(matrix: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """All params that a matrix gives, those of its ``include`` last."""
    matrix = matrix or {}
    including = matrix.get("include") or ()
    return [*(matrix.get("params") or ()), *(param for one in including for param in one.get("params") or ())]


def is_matrixed(body: Mapping[str, Any]) -> bool:
    """Whether a pipeline task has a matrix that says something."""
    matrix = body.get("matrix") or {}
    return bool(matrix.get("params") or matrix.get("include"))


def count(matrix: Mapping[str, Any]) -> int:
    """How many TaskRuns Tekton makes of it (CountCombinations)."""
    lists = {param["name"]: _list(param) for param in matrix.get("params") or ()}
    including = matrix.get("include") or ()
    if not lists:
        return len(including)
    # Empty lists and texts count as nothing here; a task with an empty list is skipped before this matters.
    generated = prod(len(values) for values in lists.values() if values)
    return generated + sum(_counted(one, lists) for one in including)


def _counted(include: Mapping[str, Any], lists: Mapping[str, Sequence[str]]) -> int:
    """How many TaskRuns an entry of ``include`` adds: one for each new value that stands before a known one."""
    new = 0
    for param in include.get("params") or ():
        if param["name"] in lists:
            if param.get("value") in lists[param["name"]]:
                break
            new += 1
    return new


def fan_out(matrix: Mapping[str, Any]) -> list[Combination]:
    """The combinations, in Tekton's order: the last param changes slowest (FanOut)."""
    included = [{p["name"]: _text(p) for p in one.get("params") or ()} for one in matrix.get("include") or ()]
    if not matrix.get("params"):
        return included
    combinations: list[Combination] = []
    for param in matrix["params"]:
        before = combinations or [{}]
        combinations = [{**each, param["name"]: value} for value in _list(param) for each in before]
    for combination in combinations:
        for new in included:
            if all(combination.get(name, value) == value for name, value in new.items()):
                combination.update(new)
    for new in included:
        if new and not any(each.get(name) == value for each in combinations for name, value in new.items()):
            combinations.append(dict(new))
    return combinations


def runs(matrix: Mapping[str, Any]) -> list[Combination]:
    """The values that each TaskRun gets; empty for those that Tekton counts without having a combination for them."""
    found = fan_out(matrix)
    return [dict(sorted(found[place].items())) if place < len(found) else {} for place in range(count(matrix))]


def _list(param: Mapping[str, Any]) -> list[str]:
    value = param.get("value")
    return value if isinstance(value, list) else []


def _text(param: Mapping[str, Any]) -> str:
    value = param.get("value")
    return value if isinstance(value, str) else ""


def is_empty(matrix: Mapping[str, Any]) -> bool:
    """Whether a list has no entries, for which Tekton skips the task."""
    return any(param.get("value") == [] for param in matrix.get("params") or ())


def wrong_type(matrix: Mapping[str, Any]) -> str:
    """Why a matrix whose variables are replaced cannot be fanned out; empty when it can.

    A text that still holds a result's variable passes (ValidateParameterTypesInMatrix).
    """
    for param in matrix.get("params") or ():
        value = param.get("value", "")
        kept = isinstance(value, str) and any(one.path[2:3] == ("results",) for one in references.find(value))
        if not isinstance(value, list) and not kept:
            kind = "string" if isinstance(value, str) else "object"
            return f"the matrix param {param['name']} is of type {kind}, only arrays are fanned out"
    return ""


def known_runs(body: Mapping[str, Any]) -> list[Combination]:
    """What is known before the run starts: every TaskRun's values, or one empty combination when results decide."""
    if not is_matrixed(body):
        return [{}]
    texts = (str(param.get("value")) for param in params_of(body["matrix"]))
    if any(one.root == "tasks" for text in texts for one in references.find(text)):
        return [{}]
    return runs(body["matrix"])


def labels(name: str, number: int) -> list[str]:
    """How the TaskRuns are called: ``name-0``, ``name-1``, … or just the name when there is one."""
    if number == 1:
        return [name[:_LONGEST_NAME]]
    longest = _LONGEST_NAME - len(str(number)) - 1
    return [f"{name[:longest]}-{place}" for place in range(number)]


def display_name(body: Mapping[str, Any], values: Mapping[str, Value]) -> str:
    """What tells one TaskRun from the others: the names of its ``include`` entries, else the task's ``displayName``,
    else its own values (childReferences[].displayName)."""
    texts = {name: value for name, value in values.items() if isinstance(value, str)}
    own = Replacements({f"params.{name}": value for name, value in texts.items()})
    including = [one for one in body["matrix"].get("include") or () if one.get("name")]
    fitting = [one for one in including if all(texts.get(p["name"]) == _text(p) for p in one.get("params") or ())]
    if fitting:
        return " ".join(own.text(one["name"]) for one in fitting)
    if shown := body.get("displayName"):
        return own.text(str(shown))
    mine = {param["name"] for param in params_of(body["matrix"])} & texts.keys()
    return " ".join(f"{name}={texts[name]}" for name in sorted(mine))


def gathered(name: str, children: Sequence[TaskOutcome], *, is_finally: bool = False) -> TaskOutcome:
    """The outcome of the pipeline task from those of its TaskRuns, which come in their order.

    It failed when one did, with the reason of the first that failed. Each result becomes an array of what those
    TaskRuns wrote that wrote it; of arrays and objects there remain empty texts (createResultsCacheMatrixedTaskRuns).
    """
    failed = [child for child in children if child.failed]
    first = (failed or children)[0]
    results: dict[str, Value] = {}
    for child in sorted(children, key=lambda child: child.name):
        for result, value in child.results.items():
            entry = value if isinstance(value, str) else ""
            results[result] = [*results.get(result, ()), entry]
    return TaskOutcome(
        name=name,
        status=Status.FAILED if failed else Status.SUCCEEDED,
        reason=first.reason,
        message=f"{len(failed)} of {len(children)} failed; {first.name}: {first.message}" if failed else "",
        exit_code=first.exit_code,
        results=results,
        seconds=max(child.seconds for child in children),
        attempts=max(child.attempts for child in children),
        is_finally=is_finally,
        children=tuple(replace(child, is_finally=is_finally) for child in children),
    )


_LENGTH = re.compile(r"\$\((tasks\.([\w-]+)\.matrix(?:\.([\w-]+))?\.length)\)", re.ASCII)


def lengths(
    params: Iterable[Mapping[str, Any]],
    bodies: Mapping[str, Mapping[str, Any]],
    outcomes: Mapping[str, TaskOutcome],
) -> Replacements:
    """``$(tasks.x.matrix.length)`` and ``$(tasks.x.matrix.y.length)`` in the params of a task that is to start.

    ``bodies`` are the pipeline's tasks as they stand before any result is known. Of several in one param Tekton fills
    in the first (ApplyPipelineTaskContexts).
    """
    values: dict[str, Value] = {}
    for param in params:
        found = _LENGTH.search(str(param.get("value")))
        if found and found[2] in bodies:
            body = bodies[found[2]]
            values[f"tasks.{found[2]}.matrix.length"] = str(count(body["matrix"]) if is_matrixed(body) else 0)
            if found[3] and (outcome := outcomes.get(found[2])):
                written = outcome.results.get(found[3])
                values[found[1]] = str(len(written) if isinstance(written, list) else 0)
    return Replacements(values)
