"""Documents of ``tekton.dev/v1beta1`` as the ``v1`` that Tekton makes of them.

Fields that v1 renamed are renamed, those that Tekton keeps for old clients and ignores are left out; what no version
of Tekton honours any more (pipeline resources, bundles by ``taskRef.bundle``) stays, to be found as unknown in v1.

Source: the conversions in pkg/apis/pipeline/v1beta1 of https://github.com/tektoncd/pipeline
"""

from __future__ import annotations

from typing import Any

_IGNORED_IN_STEPS = (
    "ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "terminationMessagePath",
    "terminationMessagePolicy", "stdin", "stdinOnce", "tty",
)  # fmt: skip


def as_v1(body: dict[str, Any], kind: str) -> dict[str, Any]:
    """The body of a Task, TaskRun, Pipeline or PipelineRun with the fields of v1."""
    spec = body.get("spec")
    if not isinstance(spec, dict):
        return body
    change = {"Task": _task, "TaskRun": _task_run, "Pipeline": _pipeline, "PipelineRun": _pipeline_run}[kind]
    return {**body, "spec": change(spec)}


def _task(spec: dict[str, Any]) -> dict[str, Any]:
    found = dict(spec)
    for key in ("steps", "sidecars"):
        if isinstance(spec.get(key), list):
            found[key] = [_container(item, ignored=key == "steps") for item in spec[key]]
    if "stepTemplate" in spec:
        template = _container(spec["stepTemplate"], ignored=True)
        if isinstance(template, dict):
            template.pop("name", None)
        found["stepTemplate"] = template
    return found


def _container(container: Any, *, ignored: bool) -> Any:
    if not isinstance(container, dict):
        return container
    found = _renamed(container, {"resources": "computeResources"})
    return {key: value for key, value in found.items() if not (ignored and key in _IGNORED_IN_STEPS)}


def _task_run(spec: dict[str, Any]) -> dict[str, Any]:
    found = _renamed(spec, {"stepOverrides": "stepSpecs", "sidecarOverrides": "sidecarSpecs"})
    for key in ("stepSpecs", "sidecarSpecs"):
        if isinstance(found.get(key), list):
            found[key] = [_container(item, ignored=False) for item in found[key]]
    if isinstance(spec.get("taskSpec"), dict):
        found["taskSpec"] = _task(spec["taskSpec"])
    return found


def _pipeline(spec: dict[str, Any]) -> dict[str, Any]:
    found = dict(spec)
    for key in ("tasks", "finally"):
        if isinstance(spec.get(key), list):
            found[key] = [_pipeline_task(task) for task in spec[key]]
    return found


def _pipeline_task(task: Any) -> Any:
    if isinstance(task, dict) and isinstance(task.get("taskSpec"), dict):
        return {**task, "taskSpec": _task(task["taskSpec"])}
    return task


def _pipeline_run(spec: dict[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in spec.items() if key not in {"timeout", "podTemplate", "serviceAccountName"}}
    if "timeout" in spec and "timeouts" not in spec:
        found["timeouts"] = {"pipeline": spec["timeout"]}
    template = {key: spec[key] for key in ("podTemplate", "serviceAccountName") if key in spec}
    if template:
        found["taskRunTemplate"] = template
    if isinstance(spec.get("taskRunSpecs"), list):
        found["taskRunSpecs"] = [_task_run_spec(entry) for entry in spec["taskRunSpecs"]]
    if isinstance(spec.get("pipelineSpec"), dict):
        found["pipelineSpec"] = _pipeline(spec["pipelineSpec"])
    return found


def _task_run_spec(entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    names = {"taskServiceAccountName": "serviceAccountName", "taskPodTemplate": "podTemplate"}
    return _renamed(entry, {**names, "stepOverrides": "stepSpecs", "sidecarOverrides": "sidecarSpecs"})


def _renamed(fields: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in fields.items()}
