"""The contract between a Pipeline and its Tasks: what it passes on, and what two variants of it share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catalog.checks.manifests import manifests
from catalog.checks.tree_files import finding_at
from catalog.engine import references
from catalog.engine.documents import Document, Documents
from catalog.engine.findings import Finding


def findings(root: Path) -> list[Finding]:
    catalog = Documents(tuple(manifests(root)))
    pipelines = catalog.of_kind("Pipeline")
    return [found for one in pipelines for found in (*passed_on(one, catalog), *variant(one, catalog))]


def passed_on(pipeline: Document, catalog: Documents) -> Iterator[Finding]:
    """Params that go to a Task's param unchanged have its name, its type and its default."""
    spec = pipeline.body["spec"]
    own = {param["name"]: (index, param) for index, param in enumerate(spec.get("params") or [])}
    for index, called in enumerate(spec.get("tasks") or []):
        task = catalog.find("Task", (called.get("taskRef") or {}).get("name", ""))
        theirs = {param["name"]: param for param in (task.body["spec"].get("params") or [] if task else [])}
        for place, passed in enumerate(called.get("params") or []):
            name, target = _unchanged(passed.get("value")), theirs.get(passed["name"])
            if name not in own or not target or not task:
                continue
            if name != passed["name"]:
                where = pipeline.position(f"spec.tasks[{index}].params[{place}]")
                message = f"param {name} becomes {task.name}'s {passed['name']}"
                yield finding_at(where, "contract", message, "give it the Task's name")
            else:
                yield from _same(pipeline, *own[name], target, task.name)


def _unchanged(value: Any) -> str:
    """The name of the one param that a value is, whole; empty where it is more or less than that."""
    text = value[0] if isinstance(value, list) and len(value) == 1 else value
    reference = references.whole(text) if isinstance(text, str) else None
    if not reference or reference.root != "params" or (isinstance(value, list) and reference.index != "*"):
        return ""
    return reference.path[1]


def _same(pipeline: Document, index: int, own: dict[str, Any], theirs: dict[str, Any], task: str) -> Iterator[Finding]:
    for field in ("type", "default"):
        mine, wanted = own.get(field, "(none)"), theirs.get(field, "(none)")
        if mine != wanted:
            where = pipeline.position(f"spec.params[{index}].{field}")
            message = f"{own['name']}: {field} is {mine!r}, {task}'s is {wanted!r}"
            yield finding_at(where, "contract", message, "write the Task's")


def variant(clone: Document, catalog: Documents) -> Iterator[Finding]:
    """``clone-x`` is ``x`` behind a task ``fetch``: everything of x is there, unchanged, and no task besides fetch."""
    plain = catalog.find("Pipeline", clone.name.removeprefix("clone-"), near=clone.path)
    if not clone.name.startswith("clone-") or not plain:
        return
    for part in ("tasks", "params", "workspaces", "results", "finally"):
        theirs = [_shared(item) for item in plain.body["spec"].get(part) or []]
        mine = [_shared(item) for item in clone.body["spec"].get(part) or [] if item["name"] != "fetch"]
        where = clone.position(f"spec.{part}")
        if missing := [item["name"] for item in theirs if item not in mine]:
            message = f"{part} differ from {plain.name}'s: {', '.join(missing)}"
            yield finding_at(where, "variant", message, "write them as there, but for the runAfter of fetch")
        elif part in {"tasks", "finally"} and len(mine) != len(theirs):
            yield finding_at(where, "variant", f"it has {part} that {plain.name} has not", "add only fetch")


def _shared(item: dict[str, Any]) -> dict[str, Any]:
    """What two variants must have in common: all but the waiting for ``fetch``, and words."""
    after = [name for name in item.get("runAfter") or [] if name != "fetch"]
    kept = {key: value for key, value in item.items() if key not in {"runAfter", "description"}}
    return kept | ({"runAfter": after} if after else {})
