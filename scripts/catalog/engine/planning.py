"""From documents to a plan: what would run, with everything known before the first process starts."""

from __future__ import annotations

import json
import re
import secrets
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from catalog.engine import durations, images, matrix, references
from catalog.engine import params as parameters
from catalog.engine.sources import SourceError, Sources
from catalog.engine.steps import merged
from catalog.engine.substitution import IndexOutOfBoundsError, Replacements, Value
from catalog.engine.workspaces import FOLDER, Volumes, unavailable

NAMESPACE = "default"
DEFAULT_TIMEOUT = 3600.0
"""Seconds, of TaskRuns and PipelineRuns (docs/taskruns.md#configuring-the-failure-timeout)."""
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # of Kubernetes' generated names
_LONGEST_NAME = 63
_WORKSPACE_USED = re.compile(r"""\$\(workspaces(?:\.([\w-]+)|\[["']([^"']+)["']\])\.""")


class PlanError(ValueError):
    """Nothing can be run; ``problems`` says why, one line each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True)
class Timeouts:
    """Seconds; 0 means no limit, None that nothing is said."""

    pipeline: float | None = None
    tasks: float | None = None
    finally_: float | None = None

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Timeouts:
        """docs/pipelineruns.md#configuring-a-failure-timeout: two of the three determine the third."""
        given = {key: durations.seconds(str(text)) or 0.0 for key, text in body.items()}
        pipeline = given.get("pipeline", DEFAULT_TIMEOUT)
        tasks, last = given.get("tasks"), given.get("finally")
        if given.get("pipeline"):
            tasks = pipeline - last if tasks is None and last else tasks
            last = pipeline - tasks if last is None and tasks else last
        return cls(pipeline, tasks, last)

    def for_task(self, own: str | None, is_finally: bool) -> float:
        """A task's own timeout, else the run's where that is longer than the default (pipelineRunTimeout)."""
        if own is not None:
            return durations.seconds(own) or 0.0
        limit = self.finally_ if is_finally else self.tasks
        return limit if limit is not None and (limit == 0 or limit > DEFAULT_TIMEOUT) else DEFAULT_TIMEOUT


@dataclass(frozen=True)
class PlannedTask:
    """A task that may run; ``body`` is the pipeline task's with params and context in place (empty for a TaskRun)."""

    name: str
    run_name: str
    task_name: str
    spec: Mapping[str, Any]
    body: Mapping[str, Any] = field(default_factory=dict)
    is_finally: bool = False
    timeout: float = DEFAULT_TIMEOUT


@dataclass(frozen=True)
class Plan:
    """A TaskRun or PipelineRun ready to be started."""

    kind: str
    name: str
    tasks: tuple[PlannedTask, ...]
    params: Mapping[str, Value]
    bindings: Mapping[str, Mapping[str, Any]]
    timeouts: Timeouts = field(default_factory=Timeouts)
    retries: int = 0
    results: tuple[Mapping[str, Any], ...] = ()
    context: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    path: Path = Path()
    notices: tuple[str, ...] = ()

    def bindings_for(self, body: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
        """The workspaces of a TaskRun, or those that a pipeline task passes on."""
        if self.kind == "TaskRun":
            return tuple(self.bindings.values())
        wanted = {use["name"]: use for use in body.get("workspaces") or ()}
        found = []
        for name, use in wanted.items():
            binding = self.bindings.get(use.get("workspace") or name)
            if binding is not None:
                path = "/".join(filter(None, (binding.get("subPath"), use.get("subPath"))))
                found.append({**binding, "name": name, "subPath": path})
        return tuple(found)

    def known_steps(self, task: PlannedTask, combination: Mapping[str, Value] | None = None) -> list[dict[str, Any]]:
        """The steps of a task with the params that are known before it runs in place, of a matrix those of one run."""
        given = {**(combination or {}), **parameters.given(task.body.get("params"))} if task.body else self.params
        values = parameters.task_values(parameters.specs(task.spec), given)
        spec = parameters.task_replacements(values).task_spec(task.spec)
        return merged(spec["steps"], spec.get("stepTemplate"))

    def images(self, task: PlannedTask) -> tuple[str, ...]:
        """The images that the steps of a task name."""
        steps = (step for one in matrix.known_runs(task.body) for step in self.known_steps(task, one))
        return tuple(dict.fromkeys(str(step.get("image") or "") for step in steps))

    def folders(self, volumes: Volumes) -> dict[str, Path]:
        """Where the run's workspaces that more than one task sees lie on this machine."""
        lasting = {name: b for name, b in self.bindings.items() if FOLDER in b or "persistentVolumeClaim" in b}
        return {name: volumes.workspace(binding, name) for name, binding in lasting.items()}


def plan(body: Mapping[str, Any], path: Path, sources: Sources, folders: Mapping[str, Path] | None = None) -> Plan:
    """The plan of a TaskRun or PipelineRun document; ``folders`` are workspaces given on the command line.

    Raises PlanError with everything that stands against it.
    """
    metadata = body.get("metadata") or {}
    name = metadata.get("name") or _generated(metadata.get("generateName") or "run-")
    run = _Run(body["spec"], name, path, sources, dict(folders or {}), dict(metadata.get("annotations") or {}))
    try:
        made = run.pipeline_run() if body["kind"] == "PipelineRun" else run.task_run()
        for task in made.tasks:
            made.known_steps(task)
        return made
    except (SourceError, parameters.ParamError, IndexOutOfBoundsError) as error:
        raise PlanError([f"{path}: {body['kind']} {name}: {error}"]) from None


def _generated(prefix: str) -> str:
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(5))


@dataclass
class _Run:
    spec: Mapping[str, Any]
    name: str
    path: Path
    sources: Sources
    folders: dict[str, Path]
    annotations: dict[str, str]
    notices: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def task_run(self) -> Plan:
        reference = self.spec.get("taskRef")
        document = self.sources.resolve("Task", reference) if reference else None
        spec = document.body["spec"] if document else self.spec["taskSpec"]
        bindings = self._bindings(spec, parameters.task_values(parameters.specs(spec), self._given))
        if document is None:
            spec = _with_workspaces(spec, bindings, set(bindings))
        values = self._values(spec)
        task_name = document.name if document else self.name
        timeout = durations.seconds(str(self.spec["timeout"])) if "timeout" in self.spec else DEFAULT_TIMEOUT
        task = PlannedTask(self.name, self.name, task_name, spec, timeout=timeout or 0.0)
        self._check_task(task, bindings)
        return self._plan(
            "TaskRun",
            tasks=(task,),
            params=values,
            bindings=bindings,
            retries=int(self.spec.get("retries") or 0),
            context={"context.taskRun.namespace": NAMESPACE, "context.taskRun.uid": str(uuid.uuid4())},
        )

    def pipeline_run(self) -> Plan:
        reference = self.spec.get("pipelineRef")
        document = self.sources.resolve("Pipeline", reference) if reference else None
        spec = document.body["spec"] if document else self.spec["pipelineSpec"]
        bindings = self._bindings(spec, self._given)
        values = parameters.pipeline_values(parameters.specs(spec), self._values(spec))
        context: dict[str, Value] = {
            "context.pipelineRun.name": self.name,
            "context.pipelineRun.namespace": NAMESPACE,
            "context.pipelineRun.uid": str(uuid.uuid4()),
            "context.pipeline.name": document.name if document else self.name,
        }
        bound: dict[str, Value] = {f"workspaces.{w['name']}.bound": "false" for w in spec.get("workspaces") or ()}
        bound |= {f"workspaces.{name}.bound": "true" for name in bindings}
        timeouts = Timeouts.of(self.spec.get("timeouts") or {})
        tasks = []
        for section, is_finally in (("tasks", False), ("finally", True)):
            for written in spec.get(section) or ():
                body = _task_body(written, values, (Replacements(context), Replacements(bound)))
                tasks.append(self._pipeline_task(body, bindings, is_finally, timeouts))
        plan = self._plan(
            "PipelineRun",
            tasks=tuple(tasks),
            params=values,
            bindings=bindings,
            timeouts=timeouts,
            results=tuple(spec.get("results") or ()),
            context={"context.taskRun.namespace": NAMESPACE, "context.taskRun.uid": str(uuid.uuid4())},
        )
        for task in tasks:
            self._check_task(task, {b["name"]: b for b in plan.bindings_for(task.body)})
        if self.problems:
            raise PlanError(self.problems)
        return plan

    def _plan(self, kind: str, **fields: Any) -> Plan:
        """Raises PlanError when there are problems."""
        bindings: Mapping[str, Mapping[str, Any]] = fields["bindings"]
        self.problems += [self._line(text) for text in unavailable(bindings.values(), self.sources.given)]
        if kind == "TaskRun" and self.problems:
            raise PlanError(self.problems)
        return Plan(
            kind=kind,
            name=self.name,
            path=self.path,
            annotations=self.annotations,
            notices=tuple(self.notices),
            **fields,
        )

    def _line(self, text: str) -> str:
        return f"{self.path}: {self.name}: {text}"

    @property
    def _given(self) -> dict[str, Value]:
        return parameters.given(self.spec.get("params"))

    def _values(self, spec: Mapping[str, Any]) -> dict[str, Value]:
        """The params given to the run, images of this catalog that nobody gave being looked for on this machine."""
        values = self._given
        declared = parameters.specs(spec)
        self.problems += [self._line(text) for text in parameters.problems(declared, values)]
        local, notices = images.local_defaults(declared, values, spec, self.sources.tree)
        self.notices += notices
        return {**values, **local}

    def _bindings(self, spec: Mapping[str, Any], values: Mapping[str, Value]) -> dict[str, Mapping[str, Any]]:
        """The run's workspaces by name, with params filled in; claims that are to be made get a name.

        ``values``: a PipelineRun's own params only, no defaults of its Pipeline.
        """
        bindings: dict[str, Mapping[str, Any]] = {}
        filled = parameters.replacements(values)
        for written in self.spec.get("workspaces") or ():
            binding = filled.deep(written)
            name = binding["name"]
            if "volumeClaimTemplate" in binding:
                kept = {key: value for key, value in binding.items() if key in {"name", "subPath"}}
                bindings[name] = {**kept, "persistentVolumeClaim": {"claimName": f"pvc-{self.name}-{name}"}}
            else:
                bindings[name] = binding
        for name, folder in self.folders.items():
            bindings[name] = {"name": name, FOLDER: str(folder)}
        required = [w["name"] for w in spec.get("workspaces") or () if not w.get("optional")]
        self.problems += [
            self._line(f"workspace {name} is not bound; bind it in the run or use --workspace {name}=<folder>")
            for name in required
            if name not in bindings
        ]
        return bindings

    def _pipeline_task(
        self, body: dict[str, Any], bindings: Mapping[str, Any], is_finally: bool, timeouts: Timeouts
    ) -> PlannedTask:
        name = body["name"]
        run_name = f"{self.name}-{name}"[:_LONGEST_NAME]
        timeout = timeouts.for_task(body.get("timeout"), is_finally)
        if reference := body.get("taskRef"):
            document = self.sources.resolve("Task", reference)
            spec = document.body["spec"]
            return PlannedTask(name, run_name, document.name, spec, body, is_finally, timeout)
        spec = body["taskSpec"]
        mapped = {use["name"] for use in body.get("workspaces") or ()}
        used = _used_workspaces(spec) & bindings.keys()
        spec = _with_workspaces(spec, bindings, used)
        uses = [*(body.get("workspaces") or ()), *({"name": n, "workspace": n} for n in sorted(used - mapped))]
        return PlannedTask(
            name, run_name, run_name, spec, {**body, "taskSpec": spec, "workspaces": uses}, is_finally, timeout
        )

    def _check_task(self, task: PlannedTask, bindings: Mapping[str, Any]) -> None:
        given = {param["name"] for param in task.body.get("params") or ()}
        given |= {param["name"] for param in matrix.params_of(task.body.get("matrix"))}
        self.problems += [self._line(f"task {task.name}: {text}") for text in _against(task.body)]
        for declared in task.spec.get("workspaces") or ():
            if declared["name"] not in bindings and not declared.get("optional") and task.body:
                self.problems.append(self._line(f"task {task.name}: its workspace {declared['name']} is not bound"))
        if task.body:
            declared = parameters.specs(task.spec)
            for spec in declared:
                if spec.default is None and spec.name not in given:
                    self.problems.append(self._line(f"task {task.name}: param {spec.name} ({spec.type}) is not given"))
            known = _known(declared, parameters.given(task.body.get("params")))
            wrong = parameters.problems((spec for spec in declared if spec.name in known), known)
            self.problems += [self._line(f"task {task.name}: {text}") for text in wrong]


def _known(declared: Iterable[parameters.ParamSpec], given: Mapping[str, Value]) -> dict[str, Value]:
    """The values whose type is known before the run: a text with a variable may yet become an array or object."""
    types = {spec.name: spec.type for spec in declared}
    return {
        name: value
        for name, value in given.items()
        if name in types and not (isinstance(value, str) and "$(" in value and types[name] != "string")
        if not (isinstance(value, str) and (whole := references.whole(value)) and whole.root == "tasks")
    }


def _against(body: Mapping[str, Any]) -> list[str]:
    """What a pipeline task's fields stand against once the params are in place (validatePipelineSpecAfter…)."""
    found = []
    on_error = body.get("onError") or "stopAndFail"
    if on_error not in {"continue", "stopAndFail"}:
        found.append(f"onError {on_error!r} is no way to treat an error; 'continue' or 'stopAndFail'")
    elif on_error == "continue" and int(body.get("retries") or 0) > 0:
        found.append("onError 'continue' and retries exclude each other; remove one")
    if matrix.is_matrixed(body):
        if wrong := matrix.wrong_type(body["matrix"]):
            found.append(f"{wrong}; write it as a list, or as $(params.<array>[*])")
        if (number := matrix.count(body["matrix"])) > matrix.MOST:
            found.append(f"its matrix makes {number} runs, more than {matrix.MOST}; split it")
    return found


def _task_body(
    written: Mapping[str, Any], values: Mapping[str, Value], later: Iterable[Replacements]
) -> dict[str, Any]:
    """A pipeline task with the run's params, context and workspace variables in place.

    An inline spec sees the pipeline's params too, those that the task itself gives first (propagateParams).
    """
    phases = [parameters.replacements(values), *later]
    body = dict(written)
    for phase in phases:
        if "params" in body:
            body["params"] = phase.params(body["params"])
        if "when" in body:
            body["when"] = phase.when(body["when"])
        if "matrix" in body:
            body["matrix"] = phase.matrix(body["matrix"])
        # The runs of a matrix are called after their own params, not after the pipeline's.
        keys = ("workspaces", "taskRef", "onError", *(() if matrix.is_matrixed(body) else ("displayName",)))
        for key in keys:
            if key in body:
                body[key] = phase.deep(body[key])
    if "taskSpec" in body:
        own = {name: value for name, value in parameters.given(body.get("params")).items() if name in values}
        spec = body["taskSpec"]
        for phase in (parameters.replacements({**values, **own}), *phases[1:]):
            spec = phase.task_spec(spec)
        body["taskSpec"] = spec
    return body


def _used_workspaces(spec: Mapping[str, Any]) -> set[str]:
    return {dotted or quoted for dotted, quoted in _WORKSPACE_USED.findall(json.dumps(spec).replace('\\"', '"'))}


def _with_workspaces(spec: Mapping[str, Any], bindings: Mapping[str, Any], names: set[str]) -> Mapping[str, Any]:
    """An inline spec with the bound workspaces that it uses without declaring them (propagated workspaces)."""
    declared = [w["name"] for w in spec.get("workspaces") or ()]
    extra = [{"name": name} for name in sorted(names & bindings.keys()) if name not in declared]
    return {**spec, "workspaces": [*(spec.get("workspaces") or ()), *extra]}
