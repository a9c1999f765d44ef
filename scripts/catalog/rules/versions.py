"""Where a catalog keeps a document, and which version it says it is.

Sources: pkg/validator/file_validator.go of https://github.com/tektoncd/catlin;
internal/tracker/source/tekton/tekton.go of https://github.com/artifacthub/hub; test/e2e-common.sh of
https://github.com/tektoncd/catalog
"""

from __future__ import annotations

import re

from catalog.rules.metadata import VERSION
from catalog.rules.subject import Place, Subject

# What github.com/Masterminds/semver, which Artifact Hub and tkn use, takes for a version.
_SEMVER = re.compile(r"v?\d+(\.\d+){0,2}(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?")


def check(subject: Subject) -> None:
    if subject.place is None:
        return
    _check_place(subject, subject.place)
    _check_version(subject, subject.place)


def _check_place(subject: Subject, place: Place) -> None:
    document = subject.document
    name, file = document.name, document.path.name
    if not name:
        subject.say("place", subject.metadata.path, "a document of a catalog needs a name of its own", "add 'name'")
    elif (place.name, file) != (name, f"{name}.yaml") or place.kind != document.kind:
        version = f"{place.version}/" if place.version else ""
        wanted = f"{document.kind.lower()}/{name}/{version}{name}.yaml"
        found = f"{place.top.name}/{place.name}/{version}{file}"
        message = f"{document.title} lies at {found}: catlin and hubs look for it at {wanted}"
        subject.say("place", subject.metadata.at("name"), message, "move the file, or rename the object")


def _check_version(subject: Subject, place: Place) -> None:
    version = subject.metadata.part("labels").text(VERSION)
    where = subject.metadata.part("labels").at(VERSION)
    if version and not _SEMVER.fullmatch(version):
        message = f"{version!r} is no version that Artifact Hub and tkn can read"
        subject.say("version-form", where, message, f'write numbers, such as "{place.version or "0.1"}"')
    elif version and place.version and version != place.version:
        message = f"the label says version {version!r}, the folder {place.version!r}: catlin refuses that"
        subject.say("version-folder", where, message, f'write "{place.version}", or rename the folder')
    if place.version and not re.fullmatch(r"\d+\.\d+", place.version):
        message = f"the folder {place.version!r} is passed over by the community's test harness"
        subject.say("version-form", subject.metadata.at("name"), message, "call it by two numbers, such as 0.1")
    if later := sorted_after(place.version or version):
        message = f"tkn compares versions as text: {place.version or version} comes before {later}"
        subject.say("version-order", where, message, "raise the number before it instead: 1.0 after 0.9")


def sorted_after(version: str) -> str:
    """An older version that a comparison as text takes for a newer one: 0.2 for 0.10; empty when there is none."""
    numbers = re.match(r"v?(\d+(?:\.\d+)*)", version)
    parts = numbers[1].split(".") if numbers else []
    for index, part in enumerate(parts):
        if len(part) > 1 and part[0] != "9":
            return ".".join([*parts[:index], str(int(part[0]) + 1)])
    return ""
