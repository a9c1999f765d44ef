"""The rules of TaskRun and PipelineRun by themselves.

Sources: https://tekton.dev/docs/pipelines/taskruns/ and https://tekton.dev/docs/pipelines/pipelineruns/
"""

from __future__ import annotations

from catalog.engine import durations
from catalog.engine.documents import FieldPath
from catalog.engine.findings import Level
from catalog.engine.validation import graph
from catalog.engine.validation.declarations import Declared, check_param_name, given, own_scope
from catalog.engine.validation.parts import Part, Sheet, duplicates
from catalog.engine.validation.pipelines import Around, check_pipeline_spec
from catalog.engine.validation.steps import check_reference
from catalog.engine.validation.tasks import Setting, check_task_spec

SOURCES = ("volumeClaimTemplate", "persistentVolumeClaim", "emptyDir", "configMap", "secret", "projected", "csi")
_NEEDED = {
    "persistentVolumeClaim": "claimName",
    "configMap": "name",
    "secret": "secretName",
    "projected": "sources",
    "csi": "driver",
}
_HOUR = 3600.0


def check_task_run(sheet: Sheet, spec: Part) -> None:
    _check_one_of(sheet, spec, "taskRef", "taskSpec")
    _check_given(sheet, spec)
    _check_bindings(sheet, spec, fold=True)
    if "taskSpec" in spec:
        params = given(spec.parts("params"))
        inner = spec.part("taskSpec")
        for param in spec.parts("params"):
            check_param_name(sheet, param, params[param.text("name")], Level.ERROR)
        scope = _combined(params, inner)
        workspaces = frozenset(one.text("name") for one in spec.parts("workspaces"))
        volumes = frozenset(one.text("name") for one in spec.part("podTemplate").parts("volumes"))
        check_task_spec(sheet, inner, Setting(scope, scope, workspaces, volumes))
    _check_status(sheet, spec, ("TaskRunCancelled", "TaskRunPending"))
    if spec.text("statusMessage") and not spec.text("status"):
        sheet.error("status", spec.at("statusMessage"), "'statusMessage' needs 'status'", "remove it")
    if spec.number("retries") < 0:
        sheet.error("retries", spec.at("retries"), "retries cannot be negative", "remove it or give a number")
    _timeout(sheet, spec, "timeout")
    if "debug" in spec:
        message = "'debug' is an alpha feature that clusters switch off by default"
        sheet.error("feature", spec.at("debug"), message, "remove it")
    _check_overrides(sheet, spec)
    _check_one_claim(sheet, spec)


def _combined(params: dict[str, Declared], spec: Part) -> dict[str, Declared]:
    """The params of an inline task: a given value decides the type, the declaration the keys of an object."""
    combined = own_scope(spec, params)
    for name, value in params.items():
        declared = combined[name]
        if value.type != declared.type:
            combined[name] = Declared(name, value.type, declared.keys, value.default)
    return combined


def check_pipeline_run(sheet: Sheet, spec: Part) -> None:
    _check_one_of(sheet, spec, "pipelineRef", "pipelineSpec")
    _check_given(sheet, spec)
    values = (found for param in spec.parts("params") for found in param.all_texts(without=("name",)))
    for use in graph.results_in(values):
        message = f"{use.reference.text!r}: a PipelineRun's params cannot take results"
        sheet.error("result-reference", use.where, message, "take it in a task of the pipeline")
    if "pipelineSpec" in spec:
        workspaces = frozenset(one.text("name") for one in spec.parts("workspaces"))
        params = given(spec.parts("params"))
        around = Around(inline=True, params=params, workspaces=workspaces)
        pipeline = spec.part("pipelineSpec")
        check_pipeline_spec(sheet, pipeline, around)
        if any(task.part("taskSpec").parts("steps") for task in pipeline.parts("tasks")):
            for param in spec.parts("params"):
                check_param_name(sheet, param, params[param.text("name")], Level.ERROR)
    _check_bindings(sheet, spec, fold=False)
    allowed = ("Cancelled", "CancelledRunFinally", "StoppedRunFinally", "PipelineRunPending")
    _check_status(sheet, spec, allowed)
    whole = _check_timeouts(sheet, spec)
    for task in spec.parts("taskRunSpecs"):
        _check_overrides(sheet, task)
        limit = _timeout(sheet, task, "timeout")
        if limit is not None and 0 < whole < limit:
            message = f"the task may not run longer ({task.text('timeout')}) than all tasks ({_shown(whole)})"
            sheet.error("timeout", task.at("timeout"), message, "raise timeouts.pipeline and timeouts.tasks")


def _check_one_of(sheet: Sheet, spec: Part, ref: str, inline: str) -> None:
    if ref in spec and inline in spec:
        sheet.error("one-of", spec.at(inline), f"a run has either {ref!r} or {inline!r}, not both", "remove one")
    elif ref not in spec and inline not in spec:
        sheet.error("one-of", spec.path, f"the run has neither {ref!r} nor {inline!r}", f"add '{ref}: {{name: …}}'")
    if ref in spec:
        check_reference(sheet, spec.part(ref))


def _check_given(sheet: Sheet, spec: Part) -> None:
    for again, first in duplicates(spec.parts("params"), fold=True):
        both = first.text("name") if first.text("name") != again.text("name") else "the same name"
        message = f"the param {again.text('name')!r} is given twice"
        remedy = "remove one" if both == "the same name" else f"{both!r} counts as the same name"
        sheet.error("duplicate-name", again.at("name"), message, remedy)


def _check_bindings(sheet: Sheet, spec: Part, *, fold: bool) -> None:
    for again, _ in duplicates(spec.parts("workspaces"), fold=fold):
        message = f"the workspace {again.text('name')!r} is bound twice"
        sheet.error("duplicate-name", again.at("name"), message, "remove one")
    for binding in spec.parts("workspaces"):
        sources = [source for source in SOURCES if source in binding]
        if len(sources) != 1:
            name = binding.text("name")
            message = f"the workspace {name!r} is bound to {' and '.join(sources) or 'nothing'}"
            where = binding.at(sources[1]) if sources else binding.path
            sheet.error("one-of", where, message, f"exactly one of {', '.join(SOURCES)}")
            continue
        source, needed = binding.part(sources[0]), _NEEDED.get(sources[0])
        if needed and not source.body.get(needed):
            message = f"{sources[0]!r} does not say which one"
            sheet.error("missing-field", source.at(needed), message, f"add {needed!r}")


def _check_status(sheet: Sheet, spec: Part, allowed: tuple[str, ...]) -> None:
    status = spec.text("status")
    if status and status not in allowed:
        sheet.error("status", spec.at("status"), f"{status!r} is no status to ask for", f"one of {', '.join(allowed)}")


def _timeout(sheet: Sheet, part: Part, key: str) -> float | None:
    limit = durations.seconds(part.text(key))
    if limit is not None and limit < 0:
        sheet.error("timeout", part.at(key), "a timeout cannot be negative", "give a time such as '1h30m', or '0'")
    return limit


def _check_timeouts(sheet: Sheet, spec: Part) -> float:
    """The longest that tasks may take in all, in seconds; 0 for no limit. An hour where nothing is written."""
    timeouts = spec.part("timeouts")
    limits = {key: _timeout(sheet, timeouts, key) for key in ("pipeline", "tasks", "finally")}
    whole = _HOUR if limits["pipeline"] is None else limits["pipeline"]
    if whole > 0:
        origin = "timeouts.pipeline" if "pipeline" in timeouts else "the default of an hour"
        for key in ("tasks", "finally"):
            limit = limits[key]
            if limit is not None and (limit > whole or limit == 0):
                shown = "no limit" if limit == 0 else timeouts.text(key)
                message = f"timeouts.{key} ({shown}) is longer than {origin}"
                sheet.error("timeout", timeouts.at(key), message, "raise timeouts.pipeline")
    tasks, final = limits["tasks"], limits["finally"]
    if tasks is not None and final is not None and tasks + final > whole:
        message = f"timeouts.tasks and timeouts.finally together are longer than {_shown(whole)} for the pipeline"
        sheet.error("timeout", timeouts.at("finally"), message, "raise timeouts.pipeline")
    return whole if tasks is None else tasks


def _shown(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds:g} seconds"


def _check_overrides(sheet: Sheet, spec: Part) -> None:
    for key in ("stepSpecs", "sidecarSpecs"):
        for again, _ in duplicates(spec.parts(key), fold=True):
            message = f"{again.text('name')!r} is listed twice"
            sheet.error("duplicate-name", again.at("name"), message, "remove one")
        for entry in spec.parts(key):
            if key == "stepSpecs" and entry.part("computeResources").body and "computeResources" in spec:
                message = "compute resources are set for the whole task and for a step"
                sheet.error("one-of", entry.at("computeResources"), message, "remove one")


def _check_one_claim(sheet: Sheet, spec: Part) -> None:
    """By default a cluster keeps a task's pod beside one claim: two are refused."""
    claims: dict[str, FieldPath] = {}
    for binding in spec.parts("workspaces"):
        if "persistentVolumeClaim" in binding:
            claims[binding.part("persistentVolumeClaim").text("claimName")] = binding.path
        elif "volumeClaimTemplate" in binding:
            claims[f"template of {binding.text('name')}"] = binding.path
    if len(claims) > 1:
        message = f"{len(claims)} persistent volume claims in one task run: clusters take one by default"
        sheet.warning("workspace-claims", list(claims.values())[1], message, "use one with several subPaths")
