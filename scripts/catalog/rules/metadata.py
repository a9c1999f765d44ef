"""What catalogs want to know of a Task: labels, annotations and descriptions.

Sources: pkg/validator of https://github.com/tektoncd/catlin (its list of categories is the one in config.yaml of
https://github.com/tektoncd/hub); https://github.com/tektoncd/community/blob/main/teps/0003-tekton-catalog-organization.md
"""

from __future__ import annotations

import re

from catalog.engine import schema
from catalog.engine.validation.parts import Part
from catalog.rules.subject import Subject
from catalog.rules.tkn import wrongly_accepted, wrongly_refused

VERSION = "app.kubernetes.io/version"
MIN_VERSION = "tekton.dev/pipelines.minVersion"
CATEGORIES = (
    "Automation", "Build Tools", "CLI", "Cloud", "Code Quality", "Continuous Integration", "Deployment",
    "Developer Tools", "Image Build", "Integration & Delivery", "Git", "Kubernetes", "Messaging", "Monitoring",
    "Networking", "Openshift", "Publishing", "Security", "Storage", "Testing",
)  # fmt: skip
_SUMMARY = 140
_HINTS = ("tekton.dev/displayName", "tekton.dev/tags", "tekton.dev/platforms")


def check(subject: Subject) -> None:
    if subject.place is None:
        return
    if VERSION not in subject.metadata.part("labels"):
        message = f"the label {VERSION} is missing: no hub takes a {subject.document.kind} without a version"
        version = subject.place.version or "0.1"
        where = subject.metadata.at("labels" if "labels" in subject.metadata else "name")
        subject.say("version-label", where, message, f'add {VERSION}: "{version}"')
    if "namespace" in subject.metadata:
        message = "a namespace is written into the document: it can be installed into that one only"
        subject.say("fixed-namespace", subject.metadata.at("namespace"), message, "remove it")
    _check_min_version(subject)
    _check_categories(subject)
    _check_platforms(subject)
    _check_hints(subject)
    _check_description(subject)
    for key in ("params", "results", "workspaces"):
        for part in subject.spec.parts(key):
            if not part.text("description").strip():
                message = f"the {key[:-1]} {part.text('name')!r} is not described"
                remedy = "say what it is, in which form, and what leaving it empty means"
                subject.say("described", part.at("name"), message, remedy)


def _nearest(subject: Subject) -> tuple[str | int, ...]:
    return subject.annotations.path if "annotations" in subject.metadata else subject.metadata.at("name")


def _check_min_version(subject: Subject) -> None:
    version = subject.annotations.text(MIN_VERSION)
    where = subject.annotations.at(MIN_VERSION)
    if MIN_VERSION not in subject.annotations:
        message = f"the annotation {MIN_VERSION} is missing: nobody knows which clusters can run this"
        subject.say("min-version", _nearest(subject), message, f'add {MIN_VERSION}: "1.0.0"')
    elif not re.fullmatch(r"\d+\.\d+\.\d+", version):
        version = version or str(subject.annotations.body[MIN_VERSION])
        message = f"{version!r} is no version that clients can compare"
        subject.say("min-version", where, message, 'write three numbers, such as "1.0.0", without a v')
    elif refused := wrongly_refused(version):
        message = f"tkn compares versions as text, and so refuses to install this on Tekton {refused}"
        subject.say("min-version-order", where, message, _safe(version))
    elif accepted := wrongly_accepted(version):
        message = f"tkn compares versions as text, and so installs this on Tekton {accepted} as well"
        subject.say("min-version-order", where, message, _safe(version))


def _safe(version: str) -> str:
    return f'write "1.0.0" where the task runs there, else say in the description that it needs {version}'


def _check_categories(subject: Subject) -> None:
    written = subject.annotations.text("tekton.dev/categories")
    if "tekton.dev/categories" not in subject.annotations:
        message = "the annotation tekton.dev/categories is missing: catlin refuses the file"
        subject.say("categories", _nearest(subject), message, f"add one or more of: {', '.join(CATEGORIES)}")
    for category in (item.strip() for item in written.split(",")):
        if "tekton.dev/categories" in subject.annotations and category not in CATEGORIES:
            message = f"{category!r} is no category that catlin knows"
            near = schema.near(category, CATEGORIES)
            remedy = near if near.startswith("did") else f"one of: {', '.join(CATEGORIES)}"
            subject.say("categories", subject.annotations.at("tekton.dev/categories"), message, remedy)


def _check_platforms(subject: Subject) -> None:
    for platform in re.split(r"[ ,]+", subject.annotations.text("tekton.dev/platforms").strip()):
        if platform and not re.fullmatch(r"[a-z0-9]+/[a-z0-9]+", platform):
            message = f"{platform!r} is no platform"
            remedy = "write system/architecture, such as linux/amd64, several by commas"
            subject.say("platforms", subject.annotations.at("tekton.dev/platforms"), message, remedy)


def _check_hints(subject: Subject) -> None:
    missing = [name for name in _HINTS if not subject.annotations.text(name).strip()]
    if missing:
        message = f"hubs show and find it better with {', '.join(missing)}"
        subject.say(
            "hub-hints", _nearest(subject), message, f"add {missing[0]}" + (" and the rest" * (len(missing) > 1))
        )


def _check_description(subject: Subject) -> None:
    spec: Part = subject.spec
    text = spec.text("description")
    if not text.strip():
        if subject.document.kind != "StepAction":
            message = "there is no description: catlin and Artifact Hub refuse the file"
            subject.say("description", spec.path, message, "add 'description': a line that sums it up, then paragraphs")
        return
    summary, _, rest = text.strip().partition("\n")
    if len(summary) > _SUMMARY or (rest and not rest.startswith("\n")):
        why = f"its first line has {len(summary)} characters" if len(summary) > _SUMMARY else "its first line goes on"
        message = f"the description does not begin with a summary: {why}"
        remedy = f"begin with one line of up to {_SUMMARY} characters, then an empty line"
        subject.say("summary", spec.at("description"), message, remedy)
