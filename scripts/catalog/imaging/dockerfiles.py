"""The images of this tree: every folder of images/ with a Dockerfile. Most are named like their program; some hold a
program of another name, which their entry point tells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from catalog.tree import TREE

_BASE = re.compile(r"^ARG BASE_IMAGE=(\S+)$", re.MULTILINE)
_MAKES_LAYER = re.compile(r"^(?:COPY|ADD|RUN)\b", re.MULTILINE)
_ENTRY_POINT = re.compile(r'^ENTRYPOINT \["([\w-]+)"\]$', re.MULTILINE)


def image_names() -> tuple[str, ...]:
    return tuple(sorted(path.parent.name for path in TREE.root.glob("images/*/Dockerfile")))


def dockerfile(image: str) -> Path:
    return TREE.root / "images" / image / "Dockerfile"


def _text(image: str) -> str:
    return dockerfile(image).read_text(encoding="utf-8")


def program_in(image: str) -> str:
    """The program that an image starts."""
    match = _ENTRY_POINT.search(_text(image))
    return match[1] if match else image


def default_base() -> str:
    """The Python image that the Dockerfiles name, the same in all of them."""
    match = _BASE.search(_text(image_names()[0]))
    return match[1] if match else ""


def layers_above_base(image: str) -> int:
    last_stage = re.split(r"^FROM\b", _text(image), flags=re.MULTILINE)[-1]
    return len(_MAKES_LAYER.findall(last_stage))


def sources(image: str) -> Iterator[Path]:
    """Every file that an image is made of."""
    for folder in sorted({"base", "taskkit", image, program_in(image)}):
        for path in sorted((TREE.root / "images" / folder).rglob("*")):
            if path.is_file() and path.suffix != ".pyc" and "tests" not in path.parts:
                yield path
