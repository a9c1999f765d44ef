"""The one grammar of Tekton's ``$(…)`` variables.

A reference is a root and one or more further parts, each written ``.part``, ``["part"]`` or ``['part']``, and at most
one ``[0]`` or ``[*]`` at the very end. Everything else in the text (``$(cat file)``, ``${x}``, ``$( params.x )``,
``$(VAR)`` of Kubernetes, which has no second part) is no reference of Tekton's and stays as it is.
``$$(params.x)`` is no escape: the inside is a reference like any other.

Source: https://tekton.dev/docs/pipelines/variables/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

Index = int | Literal["*"] | None

_PART = r"""\.[\w-]+|\["[^"\]]+"\]|\['[^'\]]+'\]"""
_REFERENCE = re.compile(rf"\$\((?P<root>[A-Za-z_][\w-]*)(?P<parts>(?:{_PART})+)(?:\[(?P<index>\d+|\*)\])?\)", re.ASCII)
_EACH_PART = re.compile(_PART, re.ASCII)
# What begins like a variable of Tekton's own and must therefore be well-formed: ``$(params.a b)`` is refused.
_OPENING = re.compile(r"\$\((?:params|results|workspaces|context|tasks|finally|steps|step)[.\[][^)]*\)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reference:
    """One variable in a text: ``text[start:end]`` is ``$(…)`` with its brackets.

    ``$(tasks.build.results["image"][0])`` has the path ``("tasks", "build", "results", "image")`` and the index 0.
    Whether the last part is a name or a key of an object depends on what is declared, so it is left to the reader.
    """

    text: str
    start: int
    end: int
    path: tuple[str, ...]
    index: Index = None

    @property
    def root(self) -> str:
        return self.path[0]

    @property
    def dotted(self) -> str:
        """The inside without brackets and index, for messages: ``params.a``."""
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Malformed:
    """A piece of text that begins like a variable of Tekton's and is none."""

    text: str
    start: int


def _reference(match: re.Match[str]) -> Reference:
    parts = tuple(p[1:] if p[0] == "." else p[2:-2] for p in _EACH_PART.findall(match["parts"]))
    index: Index = None
    if written := match["index"]:
        index = "*" if written == "*" else int(written)
    return Reference(
        text=match[0],
        start=match.start(),
        end=match.end(),
        path=(match["root"], *parts),
        index=index,
    )


def find(text: str) -> list[Reference]:
    """All references in the text, in their order."""
    if "$(" not in text:
        return []
    return [_reference(match) for match in _REFERENCE.finditer(text)]


def texts_in(value: Any) -> Iterator[str]:
    """Every text at any depth of a plain value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts_in(item)


def whole(text: str) -> Reference | None:
    """The reference that the text consists of, or None when it is anything more or else."""
    match = _REFERENCE.fullmatch(text)
    return _reference(match) if match else None


def malformed(text: str) -> list[Malformed]:
    """Places that begin like ``$(params.`` (or another root of Tekton's) but hold no well-formed reference."""
    if "$(" not in text:
        return []
    return [
        Malformed(match[0], match.start())
        for match in _OPENING.finditer(text)
        if not _REFERENCE.match(text, match.start())
    ]


def replace(text: str, value_of: Callable[[Reference], str | None]) -> str:
    """The text with each reference replaced once by its value; references without one (None) stay literally."""
    if "$(" not in text:
        return text

    def value(match: re.Match[str]) -> str:
        found = value_of(_reference(match))
        return match[0] if found is None else found

    return _REFERENCE.sub(value, text)
