"""What works, and can still hardly be meant: the cluster's own fields, variables by accident, an unknown command."""

from __future__ import annotations

from catalog.engine.documents import FieldPath
from catalog.engine.expansion import variables_in
from catalog.engine.validation.parts import Part, duplicates, texts_below
from catalog.rules.subject import Subject

_CLUSTERS_OWN = ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields", "selfLink",
                 "deletionTimestamp")  # fmt: skip


def check(subject: Subject) -> None:
    if not subject.document.is_tekton:
        return
    _check_clusters_fields(subject)
    for holder in (subject.spec, *subject.pipeline_tasks):
        for param in holder.parts("params"):
            _check_variables(subject, param)
    for spec in subject.task_specs:
        _check_doubled(subject, spec.part("stepTemplate"))
    for container in subject.containers:
        _check_doubled(subject, container.part)
        runs = container.part.text("script") or container.holder("command").texts("command")
        if not runs and not container.is_reference and container.what != "sidecar":
            message = f"{container.title} does not say what it runs: Tekton asks the image's registry for it"
            where: FieldPath = container.part.at("name") if "name" in container.part else container.part.path
            subject.say("no-command", where, message, "write the image's entrypoint as 'command'")


def _check_clusters_fields(subject: Subject) -> None:
    for name in _CLUSTERS_OWN:
        if name in subject.metadata:
            message = f"{name!r} is written by the cluster, not by authors"
            subject.say("cluster-field", subject.metadata.at(name), message, "remove it")
    if "status" in subject.body:
        message = "'status' is written by the cluster, not by authors"
        subject.say("cluster-field", ("status",), message, "remove it")


def _check_variables(subject: Subject, param: Part) -> None:
    if "value" not in param:
        return
    for where, text in texts_below(param.body["value"], param.at("value")):
        for name in variables_in(text):
            message = f"the value of {param.text('name')!r} holds $({name}), which Kubernetes takes for a variable"
            subject.say("variable-in-value", where, message, f"write $$({name}) for the text itself")


def _check_doubled(subject: Subject, container: Part) -> None:
    for again, first in duplicates(container.parts("env")):
        line = subject.document.position(first.at("name")).line
        message = f"the variable {again.text('name')!r} is set twice; the last one counts"
        subject.say("duplicate-env", again.at("name"), message, f"remove one; it is also set at line {line}")
