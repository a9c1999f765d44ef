"""What this catalog asks of its own Tasks beyond what any catalog does: no code in YAML, any user, tests that fail."""

from __future__ import annotations

import re

from catalog.engine.documents import FieldPath
from catalog.engine.validation.parts import Part
from catalog.rules.subject import Container, Subject, containers_of

_KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_CARD = ("artifacthub.io/category", "artifacthub.io/license")
_OF_THE_IMAGE = ("HOME", "USER")
_SCRATCH = "/tmp"  # noqa: S108 - the container's


def check(subject: Subject) -> None:
    if subject.place is None:
        return
    for param in subject.spec.parts("params"):
        name = param.text("name")
        if name and not _KEBAB.fullmatch(name):
            message = f"the param {name!r} is not in kebab-case"
            subject.say("kebab-case", param.at("name"), message, f"call it {_kebab(name)!r}")
        if name and "type" not in param:
            subject.say("param-has-type", param.at("name"), f"the param {name!r} has no type", "write its type")
    missing = [name for name in _CARD if not subject.annotations.text(name).strip()]
    if missing:
        where = subject.annotations.path if "annotations" in subject.metadata else subject.metadata.at("name")
        message = f"Artifact Hub cannot file it: {' and '.join(missing)} {'are' if missing[1:] else 'is'} missing"
        subject.say(
            "hub-card", where, message, "add artifacthub.io/category: ai-machine-learning and the license's name"
        )
    if subject.document.kind == "Task":
        _check_task(subject, subject.spec)


def _kebab(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()).strip("-")


def _check_task(subject: Subject, spec: Part) -> None:
    steps = spec.parts("steps")
    if len(steps) > 1:
        message = f"the Task has {len(steps)} steps: logic is divided between YAML and programs"
        subject.say("one-step", spec.at("steps"), message, "let one program do it")
    for container in containers_of(spec):
        _check_container(subject, spec, container)
    must = [workspace for workspace in spec.parts("workspaces") if not workspace.flag("optional")]
    for workspace in must[1:]:
        message = f"{workspace.text('name')!r} is a second workspace that must be bound: clusters take one claim a task"
        subject.say("one-workspace", workspace.at("name"), message, "make it optional")


def _check_container(subject: Subject, spec: Part, container: Container) -> None:
    part = container.part
    where: FieldPath = part.at("name") if "name" in part else part.path
    if part.text("script"):
        message = f"{container.title} has its code in YAML: nothing tests it, and it needs a shell in the image"
        subject.say("no-script", part.at("script"), message, "put it into the image's program, and write 'command'")
    if not container.holder("computeResources").part("computeResources").part("requests").body:
        message = f"{container.title} asks for no CPU and no memory: it is the first to be evicted"
        subject.say("requests", where, message, "add computeResources: {requests: {cpu: …, memory: …}}")
    contexts = (container.template.part("securityContext"), part.part("securityContext"))
    _check_environment(subject, container)
    for context in contexts:
        for key in ("runAsUser", "runAsGroup"):
            if context.number(key):
                message = f"{key} {context.number(key)} is refused where the cluster chooses users, as OpenShift does"
                subject.say("fixed-user", context.at(key), message, "remove it, and let the image work as any user")
    if not any(context.flag("readOnlyRootFilesystem") for context in contexts):
        message = f"{container.title} can write into its image's files"
        subject.say("read-only-root", where, message, "add securityContext: {readOnlyRootFilesystem: true}")
    else:
        _check_scratch(subject, spec, container, where)


def _check_scratch(subject: Subject, spec: Part, container: Container, where: FieldPath) -> None:
    holders = (container.template, container.part)
    mounted = {one.text("mountPath"): one.text("name") for holder in holders for one in holder.parts("volumeMounts")}
    empty = {volume.text("name") for volume in spec.parts("volumes") if "emptyDir" in volume}
    if mounted.get(_SCRATCH) not in empty:
        message = f"{container.title} has nowhere to write: its root file system is read-only, and /tmp is part of it"
        subject.say("scratch", where, message, "mount an emptyDir at /tmp")


def _check_environment(subject: Subject, container: Container) -> None:
    for holder in (container.template, container.part):
        for variable in holder.parts("env"):
            if (name := variable.text("name")) in _OF_THE_IMAGE:
                message = f"{container.title} sets {name}, so Kubernetes puts it into every param that holds $({name})"
                subject.say("image-env", variable.at("name"), message, f"remove it; the image's Dockerfile sets {name}")
