"""References that a resolver answers: whether tomorrow's answer is today's."""

from __future__ import annotations

import re

from catalog.engine import references
from catalog.engine.documents import FieldPath
from catalog.engine.validation.parts import Part
from catalog.rules.subject import Subject

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_EXACT = re.compile(r"v?\d+(\.\d+){0,2}")


def check(subject: Subject) -> None:
    holders = [(subject.spec, key) for key in ("taskRef", "pipelineRef")]
    holders += [(task, key) for task in subject.pipeline_tasks for key in ("taskRef", "pipelineRef")]
    holders += [(container.part, "ref") for container in subject.containers]
    for holder, key in holders:
        if holder.part(key).text("resolver"):
            _check(subject, holder.part(key))


def _check(subject: Subject, reference: Part) -> None:
    params = {param.text("name"): param for param in reference.parts("params")}
    resolver = reference.text("resolver")
    asked = {"bundles": "bundle", "git": "revision", "hub": "version", "http": "digest"}.get(resolver)
    if asked is None:
        return
    param = params.get(asked)
    value = _filled_in(subject, param.text("value")) if param else ""
    if value is not None and (problem := _moving(resolver, value)):
        where = _origin(subject, param) if param else reference.at("resolver")
        message = f"the {resolver} resolver is asked for {problem}, which may be something else tomorrow"
        remedy = {
            "bundles": "write the bundle's digest behind its name: …@sha256:…",
            "git": "write the digits of a commit",
            "hub": "write the exact version",
            "http": "add the param 'digest'",
        }
        subject.say("unpinned-reference", where, message, remedy[resolver])


def _origin(subject: Subject, param: Part) -> FieldPath:
    """Where the value is written: in the default of the pipeline's param that it names, or here."""
    whole = references.whole(param.text("value"))
    for declared in (one for spec in subject.pipeline_specs for one in spec.parts("params")):
        if whole and whole.path == ("params", declared.text("name")) and "default" in declared:
            return declared.at("default")
    return param.at("value")


def _moving(resolver: str, value: str) -> str:
    """What is asked for when that may change; empty when it can't."""
    if resolver == "bundles" and "@sha256:" not in value:
        return f"{value!r}"
    if resolver == "git" and not _COMMIT.fullmatch(value):
        return f"the revision {value!r}" if value else "the newest revision"
    if resolver == "hub" and not _EXACT.fullmatch(value):
        return f"the version {value!r}" if value else "no certain version"
    return "a page without its digest" if resolver == "http" and not value else ""


def _filled_in(subject: Subject, text: str) -> str | None:
    """The text with the defaults of the pipeline's params in it; None where one is not known."""
    defaults = {p.text("name"): p.body.get("default") for spec in subject.pipeline_specs for p in spec.parts("params")}
    defaults |= {p.text("name"): p.body.get("value") for p in subject.spec.parts("params") if "value" in p}

    def value(reference: references.Reference) -> str | None:
        found = defaults.get(reference.path[1]) if reference.root == "params" else None
        return found if isinstance(found, str) else None

    filled = references.replace(text, value)
    return None if references.find(filled) else filled
