"""Released versions stay as they were released.

A version counts as released when a tag of the repository that is a version (``v0.1.0``, ``0.1``, ``name-v0.1.0``) holds
its file; the oldest such tag says what it was. Comments and the order of keys may change. Without git, or without such
tags, nothing is said: there is nothing to compare with.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from catalog.engine import yamlreader
from catalog.engine.documents import FieldPath, field_text
from catalog.rules.metadata import VERSION
from catalog.rules.subject import Place, Subject

_TAG = re.compile(r"(?:[\w./-]+[-/])?v?\d+\.\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Repository:
    """A git checkout and its tags that are versions, oldest first."""

    root: Path
    tags: tuple[str, ...]

    def first_release(self, path: str, tags: tuple[str, ...]) -> tuple[str, str] | None:
        """The oldest of the tags that hold a file, and the file's text there."""
        asked = "".join(f"{tag}:{path}\n" for tag in tags)
        listing = _git(self.root, "cat-file", "--batch-check=%(objectname)", given=asked)
        for tag, found in zip(tags, listing.splitlines(), strict=False):
            if re.fullmatch(r"[0-9a-f]{40,64}", found):
                return tag, _git(self.root, "cat-file", "blob", found)
        return None


def check(subject: Subject) -> None:
    if subject.place is None:
        return
    repository = _repository(_top(subject.place))
    if repository is None or not repository.tags:
        return
    path = os.path.relpath(subject.document.path.resolve(), repository.root)
    tags = repository.tags if subject.place.version else _own_tags(subject, repository)
    release = repository.first_release(path, tags)
    if release is None:
        return
    tag, text = release
    change = _first_change(_plain(text), _plain(subject.document.path.read_text(encoding="utf-8-sig")), ())
    if change is not None:
        message = (
            f"version {_version(subject)} was released as {tag}, and {field_text(change) or 'it'} has changed since"
        )
        remedy = "put back what was released, and make the change in a new version's folder"
        if not subject.place.version:
            remedy = "raise the version in the label"
        subject.say("released", change, message, remedy)


def _version(subject: Subject) -> str:
    return (subject.place.version if subject.place else "") or subject.metadata.part("labels").text(VERSION)


def _own_tags(subject: Subject, repository: Repository) -> tuple[str, ...]:
    """Where tags are the versions: the tag that the label names."""
    version = re.escape(_version(subject).removeprefix("v"))
    return tuple(tag for tag in repository.tags if re.fullmatch(rf"(?:[\w./-]+[-/])?v?{version}(?:\.0)?", tag))


def _top(place: Place) -> Path:
    return place.top


@cache
def _repository(folder: Path) -> Repository | None:
    root = _git(folder, "rev-parse", "--show-toplevel").strip()
    if not root:
        return None
    listing = _git(folder, "for-each-ref", "--sort=creatordate", "--format=%(refname:short)", "refs/tags")
    return Repository(Path(root), tuple(tag for tag in listing.splitlines() if _TAG.fullmatch(tag)))


def _git(folder: Path, *arguments: str, given: str = "") -> str:
    """What git says; nothing where there is no git, no checkout, or no answer."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _plain(text: str) -> Any:
    nodes, _ = yamlreader.nodes(text)
    return [yamlreader.plain(node)[0] for node in nodes][:1]


def _first_change(before: Any, now: Any, where: FieldPath) -> FieldPath | None:
    """The first place at which two plain values differ, without the number of the document in front."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in (*now, *(key for key in before if key not in now)):
            if key not in before or key not in now:
                return (*where, key)
            if (found := _first_change(before[key], now[key], (*where, key))) is not None:
                return found
        return None
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for index, (old, new) in enumerate(zip(before, now, strict=True)):
            inner = (*where, index) if where or len(now) > 1 else ()
            found = _first_change(old, new, inner)
            if found is not None:
                return found
        return None
    return None if before == now else where
