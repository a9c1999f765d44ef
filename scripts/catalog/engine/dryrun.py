"""What would run, in words."""

from __future__ import annotations

import json
import shlex
from typing import Any

from catalog.engine import matrix, report
from catalog.engine.expectations import source_folder
from catalog.engine.planning import Plan, PlannedTask
from catalog.engine.programs import Programs
from catalog.engine.scheduling import Graph, Node
from catalog.engine.substitution import Value
from catalog.engine.workspaces import FOLDER


def describe(plan: Plan, programs: Programs) -> list[str]:
    """The plan as lines: its params, workspaces and limits, then each task with what it waits for and what it runs."""
    lines = [f"{plan.kind} {plan.name}  ({plan.path})"]
    lines += [f"  note: {notice}" for notice in plan.notices]
    lines += [f"  param {name} = {_shown(value)}" for name, value in plan.params.items()]
    lines += [f"  workspace {name}: {_binding(binding)}" for name, binding in plan.bindings.items()]
    if source := source_folder(plan, programs.tree):
        lines.append(f"  workspace source: gets a copy of {source}")
    if plan.kind == "PipelineRun":
        limits = (
            ("pipeline", plan.timeouts.pipeline),
            ("tasks", plan.timeouts.tasks),
            ("finally", plan.timeouts.finally_),
        )
        shown = [f"{name} {_limit(seconds)}" for name, seconds in limits if seconds is not None]
        lines.append(f"  timeouts: {', '.join(shown)}")
    graph = Graph(tuple(Node(task.name, task.body, task.is_finally) for task in plan.tasks))
    for task in plan.tasks:
        lines += _task(task, sorted(graph.parents[task.name]), plan, programs)
    return lines


def as_json(plan: Plan) -> dict[str, Any]:
    """The same for programs."""
    graph = Graph(tuple(Node(task.name, task.body, task.is_finally) for task in plan.tasks))
    return {
        "kind": plan.kind,
        "name": plan.name,
        "params": dict(plan.params),
        "workspaces": {name: _binding(binding) for name, binding in plan.bindings.items()},
        "notices": list(plan.notices),
        "tasks": [
            {
                "name": task.name,
                "finally": task.is_finally,
                "after": sorted(graph.parents[task.name]),
                "images": list(plan.images(task)),
                "timeout": task.timeout,
                "when": list(task.body.get("when") or ()),
                "params": list(task.body.get("params") or ()),
                **({"matrix": matrix.known_runs(task.body)} if matrix.is_matrixed(task.body) else {}),
            }
            for task in plan.tasks
        ],
    }


def _task(task: PlannedTask, parents: list[str], plan: Plan, programs: Programs) -> list[str]:
    order = "in finally" if task.is_finally else f"after {', '.join(parents)}" if parents else "at once"
    lines = [f"  task {task.name}: {order}, timeout {_limit(task.timeout)}"]
    for expression in task.body.get("when") or ():
        wanted = _shown(expression.get("values") or [])
        lines.append(f"    when {_shown(expression.get('input') or '')} {expression.get('operator')} {wanted}")
    lines += [f"    param {p['name']} = {_shown(p.get('value', ''))}" for p in task.body.get("params") or ()]
    if matrix.is_matrixed(task.body):
        combinations = matrix.known_runs(task.body)
        if combinations == [{}]:
            lines.append("    matrix: as many TaskRuns as the results of earlier tasks make")
        lines += [f"    matrix {place}: {_shown_combination(one)}" for place, one in enumerate(combinations) if one]
    bound = plan.bindings_for(task.body)
    lines += [f"    workspace {binding['name']}: {_binding(binding)}" for binding in bound] if task.body else []
    for number, step in enumerate(plan.known_steps(task)):
        image = str(step.get("image") or "")
        program = programs.check(image)
        where = f"programs of .venvs/{program}" if program else "this machine's programs"
        lines.append(f"    step {step.get('name') or number}: {_command(step)}  ({image}: {where})")
    return lines


def _shown_combination(values: Value) -> str:
    return ", ".join(f"{name} = {_shown(value)}" for name, value in values.items()) if isinstance(values, dict) else ""


def _command(step: Any) -> str:
    if step.get("script"):
        lines = len(str(step["script"]).splitlines())
        return f"script, {lines} line{'s' if lines > 1 else ''}"
    return shlex.join([*(step.get("command") or ()), *(step.get("args") or ())]).replace("\n", "\\n")


def _shown(value: Value) -> str:
    return json.dumps(value, ensure_ascii=False)


def _limit(seconds: float) -> str:
    return report.duration(seconds) if seconds else "none"


def _binding(binding: Any) -> str:
    where = f", subPath {binding['subPath']}" if binding.get("subPath") else ""
    if FOLDER in binding:
        return f"folder {binding[FOLDER]}{where}"
    if claim := binding.get("persistentVolumeClaim"):
        return f"claim {claim.get('claimName')} (a fresh folder for this run){where}"
    kinds = {"emptyDir": "a fresh folder for each task", "configMap": "ConfigMap", "secret": "Secret"}
    for kind, text in kinds.items():
        if kind in binding:
            name = (binding[kind] or {}).get("name") or (binding[kind] or {}).get("secretName") or ""
            return f"{text} {name}".strip() + where
    return f"{', '.join(sorted(binding.keys() - {'name', 'subPath'}))}{where}"
