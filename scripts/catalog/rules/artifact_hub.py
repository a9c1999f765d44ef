"""What Artifact Hub reads: annotations, and the file that proves whose a repository is.

Sources: internal/tracker/source/tekton/tekton.go, internal/pkg and docs/metadata/artifacthub-repo.yml of
https://github.com/artifacthub/hub
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from catalog.engine import schema, yamlreader
from catalog.engine.documents import Document
from catalog.engine.findings import Finding, Level, Position
from catalog.engine.validation.parts import Part, Sheet
from catalog.rules.rulebook import rules
from catalog.rules.subject import Subject

_PREFIX = "artifacthub.io/"
_CATEGORIES = (
    "ai-machine-learning", "database", "integration-delivery", "monitoring-logging", "networking", "security",
    "storage", "streaming-messaging", "skip-prediction",
)  # fmt: skip
_KNOWN = ("alternativeName", "category", "changes", "license", "links", "maintainers", "provider", "recommendations",
          "screenshots")  # fmt: skip
_CHANGES = ("added", "changed", "deprecated", "removed", "fixed", "security")
# The licenses one meets, by their names in https://spdx.org/licenses/.
_LICENSES = (
    "0BSD", "AGPL-3.0-only", "AGPL-3.0-or-later", "Apache-2.0", "Artistic-2.0", "BSD-2-Clause", "BSD-3-Clause",
    "BSL-1.0", "BUSL-1.1", "CC-BY-4.0", "CC-BY-SA-4.0", "CC0-1.0", "EPL-1.0", "EPL-2.0", "EUPL-1.2", "GPL-2.0-only",
    "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later", "ISC", "LGPL-2.1-only", "LGPL-2.1-or-later",
    "LGPL-3.0-only", "LGPL-3.0-or-later", "MIT", "MIT-0", "MPL-2.0", "UPL-1.0", "Unlicense", "Zlib",
)  # fmt: skip
# The lists that annotations hold, as YAML in a text: which keys an entry has, and which it must have.
_LISTS = {
    "links": (("name", "url"), ("name", "url")),
    "maintainers": (("name", "email"), ("email",)),
    "recommendations": (("url",), ("url",)),
    "screenshots": (("title", "url"), ("title", "url")),
    "changes": (("kind", "description", "links"), ("description",)),
}
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def check(subject: Subject) -> None:
    if subject.place is None:
        return
    _check_names(subject)
    _check_texts(subject)
    for name in _LISTS:
        if written := subject.annotations.text(_PREFIX + name):
            for problem, remedy in _list_problems(name, written):
                where = subject.annotations.at(_PREFIX + name)
                subject.say("artifacthub-annotation", where, f"Artifact Hub refuses {name!r}: {problem}", remedy)
    _check_booleans(subject)


def _check_names(subject: Subject) -> None:
    for key in subject.annotations.body:
        name = key.removeprefix(_PREFIX)
        if name != key and name not in _KNOWN:
            message = f"Artifact Hub knows no annotation {name!r} of a Tekton object"
            subject.say("artifacthub-unknown", subject.annotations.at(key), message, schema.near(name, _KNOWN))


def _check_texts(subject: Subject) -> None:
    annotations = subject.annotations
    category = annotations.text(_PREFIX + "category")
    if _PREFIX + "category" in annotations and category not in _CATEGORIES:
        message = f"Artifact Hub refuses the category {category!r}"
        remedy = f"one of: {', '.join(_CATEGORIES)}"
        subject.say("artifacthub-annotation", annotations.at(_PREFIX + "category"), message, remedy)
    license_ = annotations.text(_PREFIX + "license")
    unknown = [word for word in re.split(r"\s+(?:AND|OR|WITH)\s+|[()]", license_) if word and word not in _LICENSES]
    if unknown:
        message = f"{unknown[0]!r} is no name of a license that is known here"
        near = schema.near(unknown[0], _LICENSES)
        remedy = near if near.startswith("did") else "write the name from https://spdx.org/licenses/"
        subject.say("artifacthub-license", annotations.at(_PREFIX + "license"), message, remedy)
    other, name = annotations.text(_PREFIX + "alternativeName"), subject.document.name
    if other and other not in name and name not in other:
        message = (
            f"Artifact Hub refuses the alternative name {other!r}: it must hold the name {name!r}, or be a part of it"
        )
        subject.say(
            "artifacthub-annotation", annotations.at(_PREFIX + "alternativeName"), message, "change or remove it"
        )


def _check_booleans(subject: Subject) -> None:
    value = subject.annotations.body.get("tekton.dev/deprecated")
    # Go's strconv.ParseBool
    if isinstance(value, str) and value not in {
        "1",
        "t",
        "T",
        "TRUE",
        "true",
        "True",
        "0",
        "f",
        "F",
        "FALSE",
        "false",
        "False",
    }:
        message = f"Artifact Hub refuses {value!r} as a word for yes or no"
        where = subject.annotations.at("tekton.dev/deprecated")
        subject.say("artifacthub-annotation", where, message, 'write "true", or remove it')


def _list_problems(name: str, written: str) -> Iterator[tuple[str, str]]:
    keys, needed = _LISTS[name]
    example = f"write a list: - {needed[0]}: …"
    try:
        entries: Any = yaml.safe_load(written)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        yield f"its text is no YAML{place}", "put quotes around text with any of {}:[],&*#?|-<>=!%@"
        return
    if not isinstance(entries, list):
        yield "its text is no list", example
        return
    for index, entry in enumerate(entries, 1):
        if name == "changes" and isinstance(entry, str) and all(isinstance(other, str) for other in entries):
            continue
        if not isinstance(entry, dict):
            yield f"its entry {index} is no mapping", example
            continue
        yield from _entry_problems(name, entry, index, keys, needed)


def _entry_problems(
    name: str, entry: dict[str, Any], index: int, keys: tuple[str, ...], needed: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    for key in needed:
        if not entry.get(key):
            yield f"its entry {index} has no {key!r}", f"add {key!r}"
    for key in entry:
        if key not in keys:
            yield f"its entry {index} has {key!r}, which is not read", f"known: {', '.join(keys)}"
    if name == "changes" and entry.get("kind", "added") not in _CHANGES:
        yield f"its entry {index} is of the kind {entry['kind']!r}", f"one of: {', '.join(_CHANGES)}"
    if "url" in keys and (url := entry.get("url")) and not re.match(r"https?://[^\s/]+", str(url)):
        yield f"the url of its entry {index} is {url!r}", "begin it with https://"


REPOSITORY_FILES = ("artifacthub-repo.yml", "artifacthub-repo.yaml")


def repository_findings(files: Iterable[Path]) -> list[Finding]:
    """What is wrong with files that say whose a repository is."""
    found: list[Finding] = []
    for path in files:
        nodes, faults = yamlreader.nodes(path.read_text(encoding="utf-8-sig", errors="replace"))
        for fault in faults:
            message = f"not readable as YAML: {fault.message}"
            found.append(Finding(Level.ERROR, "yaml", message, "mend the YAML", Position(str(path), fault.line)))
        for node in nodes[:1]:
            body, _ = yamlreader.plain(node)
            document = Document("", "", "", body if isinstance(body, dict) else {}, path, node)
            sheet = Sheet(document)
            _check_repository(sheet)
            found += sheet.findings
    return found


def _check_repository(sheet: Sheet) -> None:
    body, rule = Part(sheet.document.body, ()), "artifacthub-repo"

    def say(where: tuple[str | int, ...], message: str, remedy: str) -> None:
        sheet.add(rules()[rule].level, rule, where, message, remedy)

    identity = body.body.get("repositoryID")
    if identity is not None and not _UUID.fullmatch(str(identity)):
        say(("repositoryID",), f"{identity!r} is no repository's ID", "copy it from Artifact Hub's control panel")
    elif identity is None and not body.parts("owners"):
        say((), "it has neither 'repositoryID' nor 'owners', and so proves nothing", "add one of them")
    for owner in body.parts("owners"):
        if not owner.text("email"):
            say(owner.path, "an owner has no email: the repository cannot be claimed", "add 'email'")
    known = ("repositoryID", "owners", "ignore")
    for key in body.body:
        if key not in known:
            say((key,), f"Artifact Hub reads no {key!r} here", schema.near(key, known))
    for ignored in body.parts("ignore"):
        if not ignored.text("name"):
            say(ignored.path, "an entry of 'ignore' has no name", "add 'name'")
