"""From what a user asks for (files, params, folders) to plans: found, completed, checked, all before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from catalog.engine import expectations
from catalog.engine import params as parameters
from catalog.engine.documents import Document, Documents
from catalog.engine.expansion import variables_in
from catalog.engine.findings import Finding, Level, errors
from catalog.engine.params import ParamError
from catalog.engine.planning import Plan, PlanError, plan
from catalog.engine.programs import ProgramError, Programs
from catalog.engine.sources import SourceError, Sources
from catalog.engine.steps import merged
from catalog.tree import TREE, Tree

RUNS = ("TaskRun", "PipelineRun")
_CALLED_BY = {"Task": ("TaskRun", "taskRef"), "Pipeline": ("PipelineRun", "pipelineRef")}


@dataclass(frozen=True)
class Request:
    """What is to be run: all runs in the files (or the one named), or their only Pipeline or Task."""

    paths: Sequence[Path]
    params: Sequence[str] = ()
    workspaces: Mapping[str, Path] = field(default_factory=dict)
    only: str | None = None
    tree: Tree = TREE


@dataclass(frozen=True)
class Prepared:
    """Plans in the order of their documents, with the documents that their ConfigMaps and Secrets come from."""

    plans: tuple[Plan, ...]
    documents: Documents
    warnings: tuple[Finding, ...] = ()
    notices: tuple[str, ...] = ()


def prepare(request: Request, programs: Programs | None = None) -> Prepared:
    """Plans for a request. Raises PlanError with every problem found."""
    documents, findings = Documents.load(request.paths)
    if broken := errors(findings):
        raise PlanError(map(str, broken))
    sources = Sources(documents, request.tree)
    runs = [_completed(run, request, sources) for run in _runs(documents, request.only)]
    _check_all_used(request, runs, sources)
    others = tuple(document for document in documents if document.kind not in RUNS)
    found = _validated(Documents((*others, *runs)), sources)
    plans = _plans(runs, sources, request)
    programs = programs or Programs(request.tree)
    problems = [text for each in plans for text in _without_program(each, programs)]
    if problems:
        raise PlanError(dict.fromkeys(problems))
    everything = [*findings, *found]
    warnings = tuple(finding for finding in everything if finding.level is Level.WARNING)
    notices = (
        *sources.notices,
        *_foreign(plans, programs),
        *_without_effect(everything),
        *_variables_in_params(runs, plans),
    )
    return Prepared(plans, documents, warnings, notices)


def _variables_in_params(runs: Iterable[Document], plans: Iterable[Plan]) -> list[str]:
    """What Kubernetes, and so this engine, puts something else in place of."""
    steps = [
        step
        for plan in plans
        for task in plan.tasks
        for step in merged(task.spec["steps"], task.spec.get("stepTemplate"))
    ]
    known = {variable["name"] for step in steps for variable in step.get("env") or ()}
    any_name = any(step.get("envFrom") for step in steps)
    values = ((param.get("name"), param.get("value")) for run in runs for param in run.body["spec"].get("params") or [])
    found = {(name, variable) for name, value in values for text in _texts(value) for variable in variables_in(text)}
    return [
        f"param {name} holds $({variable}): where a step has such a variable, its value is put there, as on a cluster; "
        f"write $$({variable}) for the text itself"
        for name, variable in sorted(found) if any_name or variable in known
    ]  # fmt: skip


def _texts(value: object) -> list[str]:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    return [part for part in parts if isinstance(part, str)]


def _without_effect(findings: Iterable[Finding]) -> list[str]:
    """One line for all fields that mean nothing on this machine; what is noted otherwise stays as it is."""
    notes = [finding for finding in findings if finding.level is Level.NOTE]
    fields = [note.position.field.rpartition(".")[2] for note in notes if note.position.field != "kind"]
    found = [note.message for note in notes if note.position.field == "kind"]
    return [*found, f"without effect on this machine: {', '.join(fields)}"] if fields else found


def _runs(documents: Documents, only: str | None) -> list[Document]:
    """The runs among the documents, or one made for the only Pipeline or Task."""
    runs = [document for document in documents.of_kind(*RUNS) if only in {None, document.name}]
    if runs:
        return runs
    for kind in ("Pipeline", "Task"):
        candidates = [document for document in documents.of_kind(kind) if only in {None, document.name}]
        if len(candidates) == 1:
            return [_run_of(candidates[0])]
        if candidates:
            names = ", ".join(document.name for document in candidates)
            raise PlanError([f"there is more than one {kind} and no run that says which ({names}); use --only NAME"])
    there = ", ".join(document.title for document in documents) or "nothing"
    wanted = f" named {only}" if only else ""
    raise PlanError([f"no TaskRun, PipelineRun, Pipeline or Task{wanted} in the files given (there: {there})"])


def _run_of(document: Document) -> Document:
    kind, reference = _CALLED_BY[document.kind]
    annotations = (document.body.get("metadata") or {}).get("annotations") or {}
    kept = {key: value for key, value in annotations.items() if key.startswith(expectations.PREFIX)}
    body: dict[str, Any] = {
        "apiVersion": document.api_version,
        "kind": kind,
        "metadata": {"name": document.name, "annotations": kept},
        "spec": {reference: {"name": document.name}},
    }
    return replace(document, kind=kind, body=body)


def _callee(run: Document, sources: Sources) -> Mapping[str, Any]:
    """The spec that a run runs; empty where it cannot be found, which validation reports."""
    kind, name = ("Task", "task") if run.kind == "TaskRun" else ("Pipeline", "pipeline")
    spec = run.body.get("spec")
    reference = spec.get(f"{name}Ref") if isinstance(spec, dict) else None
    if isinstance(reference, dict):
        try:
            found = sources.resolve(kind, reference).body.get("spec")
        except SourceError:
            return {}
        return found if isinstance(found, dict) else {}
    inline = spec.get(f"{name}Spec") if isinstance(spec, dict) else None
    return inline if isinstance(inline, dict) else {}


def _completed(run: Document, request: Request, sources: Sources) -> Document:
    """The run with the params and workspaces of the command line in place of its own.

    A folder is written as an emptyDir, which Tekton's rules know; the plan puts the folder in its place.
    """
    callee = _callee(run, sources)
    spec = dict(run.body.get("spec") or {})
    declared = [param for param in _declared(callee) if any(_name(a) == param.name for a in request.params)]
    mine = [text for text in request.params if _name(text) in {param.name for param in declared}]
    try:
        values = parameters.from_command_line(declared, mine)
    except ParamError as error:
        raise PlanError([str(error)]) from None
    folders = {name for name in request.workspaces if name in _workspaces(callee)}
    if values:
        kept = [param for param in spec.get("params") or () if param.get("name") not in values]
        spec["params"] = [*kept, *({"name": name, "value": value} for name, value in values.items())]
    if folders:
        kept = [binding for binding in spec.get("workspaces") or () if binding.get("name") not in folders]
        spec["workspaces"] = [*kept, *({"name": name, "emptyDir": {}} for name in sorted(folders))]
    return replace(run, body={**run.body, "spec": spec})


def _name(assignment: str) -> str:
    return assignment.partition("=")[0]


def _declared(callee: Mapping[str, Any]) -> tuple[parameters.ParamSpec, ...]:
    try:
        return parameters.specs(callee)
    except (AttributeError, KeyError, TypeError):  # not of the right shape: validation says where
        return ()


def _workspaces(callee: Mapping[str, Any]) -> set[str]:
    found = callee.get("workspaces")
    return {w["name"] for w in found if isinstance(w, dict) and "name" in w} if isinstance(found, list) else set()


def _check_all_used(request: Request, runs: Iterable[Document], sources: Sources) -> None:
    """Options that no run knows are mistakes."""
    callees = [_callee(run, sources) for run in runs]
    if not any(callees):
        return
    params = {param.name for callee in callees for param in _declared(callee)}
    workspaces = {name for callee in callees for name in _workspaces(callee)}
    problems = []
    for text in request.params:
        if "=" not in text:
            problems.append(f"--param {text}: write it as name=value")
        elif _name(text) not in params:
            names = ", ".join(sorted(params)) or "none"
            problems.append(f"--param {text}: there is no param {_name(text)}; declared are: {names}")
    for name, folder in request.workspaces.items():
        if name not in workspaces:
            names = ", ".join(sorted(workspaces)) or "none"
            problems.append(f"--workspace {name}={folder}: there is no workspace {name}; declared are: {names}")
        elif not folder.is_dir():
            problems.append(f"--workspace {name}={folder}: there is no such folder; create it first")
    if problems:
        raise PlanError(problems)


def _validated(documents: Documents, sources: Sources) -> list[Finding]:
    """Everything wrong with the documents and with what they refer to in the tree. Raises PlanError."""
    from catalog.engine.support import unsupported
    from catalog.engine.validation import validate

    problems = _look_up(documents, sources)
    everything = documents + sources.catalog
    findings = [*validate(everything), *unsupported(everything)]
    if broken := errors(findings):
        raise PlanError([*map(str, broken), *problems])
    if problems:
        raise PlanError(problems)
    return findings


def _look_up(documents: Documents, sources: Sources) -> list[str]:
    """Resolves every reference of runs and pipelines, so that validation knows what they lead to."""
    problems: dict[str, None] = {}
    seen: set[int] = set()
    waiting = list(documents.of_kind(*RUNS, "Pipeline"))
    while waiting:
        document = waiting.pop()
        for kind, reference in _references(document.body.get("spec")):
            try:
                found = sources.resolve(kind, reference)
            except SourceError as error:
                problems[f"{document.path}: {document.title}: {error}"] = None
                continue
            if found.kind == "Pipeline" and id(found) not in seen:
                seen.add(id(found))
                waiting.append(found)
    return list(problems)


def _references(spec: Any) -> list[tuple[str, Mapping[str, Any]]]:
    found: list[tuple[str, Mapping[str, Any]]] = []
    if isinstance(spec, dict):
        for key, kind in (("taskRef", "Task"), ("pipelineRef", "Pipeline")):
            if isinstance(spec.get(key), dict) and not str(spec[key].get("name") or "").startswith("$("):
                found.append((kind, spec[key]))
        for key in ("pipelineSpec", "tasks", "finally"):
            found += _references(spec.get(key))
    elif isinstance(spec, list):
        found += [reference for item in spec for reference in _references(item)]
    return found


def _plans(runs: Iterable[Document], sources: Sources, request: Request) -> tuple[Plan, ...]:
    plans: list[Plan] = []
    problems: list[str] = []
    for run in runs:
        known = _workspaces(_callee(run, sources))
        folders = {name: folder.resolve() for name, folder in request.workspaces.items() if name in known}
        try:
            made = plan(run.body, run.path, sources, folders)
            expectations.source_folder(made, request.tree)
            plans.append(made)
        except PlanError as error:
            problems += error.problems
    if problems:
        raise PlanError(problems)
    return tuple(plans)


def _without_program(made: Plan, programs: Programs) -> list[str]:
    problems = []
    for image in (image for task in made.tasks for image in made.images(task)):
        try:
            programs.check(image)
        except ProgramError as error:
            problems.append(str(error))
    return problems


def _foreign(plans: Iterable[Plan], programs: Programs) -> list[str]:
    images = {i: None for made in plans for task in made.tasks for i in made.images(task) if not programs.check(i)}
    if not images:
        return []
    return [f"steps of {', '.join(images)} use this machine's own programs: images are not pulled here"]
