"""What is declared and then used by nothing: params, workspaces, results, volumes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from catalog.engine import references
from catalog.engine.validation.parts import Part, texts_below
from catalog.rules.subject import Subject, containers_of

_WORDS = ("description", "displayName")


def check(subject: Subject) -> None:
    for spec in subject.task_specs:
        _check_task(subject, spec)
    for spec in subject.pipeline_specs:
        _check_pipeline(subject, spec)
    if subject.document.kind == "StepAction":
        texts = list(_texts(subject.spec))
        _check_params(subject, subject.spec, texts, "the StepAction")
        _check_results(subject, subject.spec, texts)


def _texts(spec: Part) -> Iterator[str]:
    """Every text in which a variable counts: neither names nor descriptions."""
    for where, text in spec.all_texts(without=_WORDS):
        if where[-1] not in _WORDS:
            yield text


def _check_task(subject: Subject, spec: Part) -> None:
    texts = list(_texts(spec))
    _check_params(subject, spec, texts, "the Task")
    _check_task_workspaces(subject, spec, texts)
    _check_volumes(subject, spec)
    if not any(container.is_reference for container in containers_of(spec)):
        _check_results(subject, spec, texts)


def _used(texts: list[str], root: str) -> set[str]:
    """The names behind ``$(root.…)``; the old spelling ``$(inputs.params.x)`` counts as well."""
    found = set()
    for text in texts:
        for reference in references.find(text):
            path = reference.path[1:] if reference.path[:2] == ("inputs", root) else reference.path
            if path[0] == root and len(path) > 1:
                found |= {path[1], ".".join(path[1:])}
    return found


def _check_params(subject: Subject, spec: Part, texts: list[str], what: str) -> None:
    used = _used(texts, "params")
    for param in spec.parts("params"):
        if (name := param.text("name")) and name not in used:
            message = f"{what} uses its param {name!r} nowhere: whoever sets it is not heard"
            subject.say("unused-param", param.at("name"), message, f"use $(params.{name}), or remove the param")


def _check_task_workspaces(subject: Subject, spec: Part, texts: list[str]) -> None:
    used = _used(texts, "workspaces")
    used |= {usage.text("name") for one in containers_of(spec) for usage in one.part.parts("workspaces")}
    for workspace in spec.parts("workspaces"):
        name = workspace.text("name")
        # One with a mountPath of its own is where its program looks for it anyway.
        if name and name not in used and "mountPath" not in workspace and not _mentioned(f"/workspace/{name}", texts):
            remedy = f"use $(workspaces.{name}.path), or remove the workspace"
            message = f"the Task uses its workspace {name!r} nowhere"
            subject.say("unused-workspace", workspace.at("name"), message, remedy)


def _mentioned(path: str, texts: list[str]) -> bool:
    pattern = re.compile(re.escape(path) + r"(?![\w.-])")
    return any(pattern.search(text) for text in texts)


def _check_results(subject: Subject, spec: Part, texts: list[str]) -> None:
    used = _used(texts, "results") | {name for text in texts for name in _of_own_step(text)}
    elsewhere = _mentioned("/tekton/results", [re.sub(r"/tekton/results/[\w.-]+", "", text) for text in texts])
    for result in spec.parts("results"):
        name = result.text("name")
        written = name in used or "value" in result or elsewhere or _mentioned(f"/tekton/results/{name}", texts)
        if name and not written:
            message = f"no step writes the result {name!r}: a task that asks for it fails"
            remedy = f"write it to $(results.{name}.path), or remove the result"
            subject.say("unused-result", result.at("name"), message, remedy)


def _of_own_step(text: str) -> Iterator[str]:
    for reference in references.find(text):
        if reference.path[:2] == ("step", "results") and len(reference.path) > 2:
            yield reference.path[2]


def _check_volumes(subject: Subject, spec: Part) -> None:
    containers = list(containers_of(spec))
    holders = [spec.part("stepTemplate"), *(container.part for container in containers)]
    mounts = [one.text("name") for holder in holders for key in ("volumeMounts", "volumeDevices")
              for one in holder.parts(key)]  # fmt: skip
    if any(container.is_reference for container in containers) or any("$(" in name for name in mounts):
        return
    for volume in spec.parts("volumes"):
        if (name := volume.text("name")) and name not in mounts and "$(" not in name:
            remedy = "mount it in a step's volumeMounts, or remove it"
            subject.say("unused-volume", volume.at("name"), f"no step mounts the volume {name!r}", remedy)


def _check_pipeline(subject: Subject, spec: Part) -> None:
    texts = list(_texts(spec))
    _check_params(subject, spec, texts, "the Pipeline")
    tasks = [*spec.parts("tasks"), *spec.parts("finally")]
    handed = {one.text("workspace") or one.text("name") for task in tasks for one in task.parts("workspaces")}
    # A pipeline inside a task gets workspaces by their names.
    inner = {text for task in tasks for text in texts_below(task.body.get("pipelineSpec"), ())}
    used = handed | _used(texts, "workspaces")
    for workspace in spec.parts("workspaces"):
        if (name := workspace.text("name")) and name not in used and not inner:
            message = f"the Pipeline hands its workspace {name!r} to none of its tasks"
            subject.say("unused-workspace", workspace.at("name"), message, "hand it to a task, or remove it")
