"""Secrets where others can read them: in environments, in params, in the YAML itself."""

from __future__ import annotations

import re

from catalog.engine import references
from catalog.engine.validation.parts import Part
from catalog.rules.subject import Subject

_SECRET = re.compile(
    r"(?:^|[-_.])(?:pass(?:word|wd|phrase)|(?:access|auth|api|bearer|refresh|private|github|gitlab)?[-_.]?token"
    r"|api[-_.]?key|private[-_.]?key|access[-_.]?key|client[-_.]?secret)$"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# Tokens whose issuers gave them a form of their own.
_TOKENS = re.compile(
    r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bgithub_pat_\w{50,}|\bglpat-[\w-]{20,}\b"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bxox[abprs]-[A-Za-z0-9-]{20,}|\bAIza[\w-]{35}\b|\bsk_live_[A-Za-z0-9]{20,}"
    r"|\bpypi-AgEI[\w-]{50,}|\bhttps?://[^\s/:@$\"'(){}]+:[^\s/:@$\"'(){}]+@"
)
_NAMES_ONE = {"secretName", "secretKeyRef", "secretRef", "secret"}


def looks_secret(name: str) -> bool:
    """Whether a name is a secret's: ``github-token``, ``registryPassword``, ``API_KEY``; not ``token-file``."""
    return _SECRET.search(_CAMEL.sub("_", name).lower()) is not None


def check(subject: Subject) -> None:
    if not subject.document.is_tekton:
        return
    for holder in (*(container.part for container in subject.containers), *_templates(subject)):
        _check_environment(subject, holder)
    for spec in (*subject.task_specs, *subject.pipeline_specs, *_actions(subject)):
        for param in spec.parts("params"):
            _check_param(subject, spec, param)
    for where, text in subject.body.all_texts():
        if where[-1] != "description" and (match := _TOKENS.search(text)):
            shown = match[0][:8] + "…"
            message = f"{shown!r} has the form of a secret, and everybody who reads this file has it now"
            remedy = "take it back where it was issued, and let a Secret bring the new one by a workspace"
            subject.say("secret-in-file", where, message, remedy, match.start())


def _templates(subject: Subject) -> list[Part]:
    return [spec.part("stepTemplate") for spec in subject.task_specs]


def _actions(subject: Subject) -> tuple[Part, ...]:
    return (subject.spec,) if subject.document.kind == "StepAction" else ()


def _check_environment(subject: Subject, holder: Part) -> None:
    remedy = "mount it as an optional workspace, and read the file"
    for variable in holder.parts("env"):
        name, value = variable.text("name"), variable.text("value")
        if "secretKeyRef" in variable.part("valueFrom"):
            message = (
                f"the secret in {name!r} is seen by every process of the step, and by whoever reads a crash report"
            )
            subject.say("secret-env", variable.part("valueFrom").at("secretKeyRef"), message, remedy)
        elif looks_secret(name) and value and not _variable(value):
            message = f"the value of {name!r} stands in the file, for everybody to read"
            subject.say("secret-in-file", variable.at("value"), message, remedy)
    for source in holder.parts("envFrom"):
        if "secretRef" in source:
            message = "a whole Secret becomes variables, seen by every process of the step"
            subject.say("secret-env", source.at("secretRef"), message, remedy)


def _variable(value: str) -> bool:
    """Whether the value comes from elsewhere, or is no secret at all: a path, a switch."""
    return "$" in value or value.startswith(("/", "./")) or value.lower() in {"true", "false"} or value.isdigit()


def _check_param(subject: Subject, spec: Part, param: Part) -> None:
    name = param.text("name")
    if not looks_secret(name) or param.text("type") not in {"", "string"} or _names_a_secret(spec, name):
        return
    default = param.text("default")
    if default and not _variable(default):
        message = f"the default of {name!r} stands in the file, for everybody to read"
        subject.say(
            "secret-in-file", param.at("default"), message, "leave it out, and let a workspace bring the secret"
        )
    message = f"the value of the param {name!r} is shown to whoever may look at runs, and kept with them"
    subject.say("secret-param", param.at("name"), message, "let an optional workspace bring the secret as a file")


def _names_a_secret(spec: Part, name: str) -> bool:
    """Whether a param is only used where the name or key of a Secret is meant."""
    uses = [
        where
        for where, text in spec.all_texts(without=("params",))
        if any(found.root == "params" and found.path[1] == name for found in references.find(text))
    ]
    return bool(uses) and all(_NAMES_ONE & set(where) for where in uses)
