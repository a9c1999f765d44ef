"""Which packages may load what training saved: the rules that build and server share (docs/versions.md).

A pickle of another scikit-learn may load and answer differently without a word
(https://scikit-learn.org/stable/model_persistence.html, "InconsistentVersionWarning").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

_DECIDING = ("scikit-learn", "numpy")


def misfits(trained: Mapping[str, str], found: Mapping[str, str]) -> Iterator[str]:
    """Clauses about what may not load the model: another scikit-learn, another major of numpy or an older minor.

    Both map normalized names of distributions to versions.
    """
    for name in _DECIDING:
        if name not in trained:
            continue
        if name not in found:
            yield f"it has no {name}, training had {trained[name]}"
        elif name == "numpy":
            yield from _numpy_misfit(trained[name], found[name])
        elif found[name] != trained[name]:
            yield f"{name} {found[name]}, training had {trained[name]}"


def _numpy_misfit(trained: str, found: str) -> Iterator[str]:
    if minor(found)[0] != minor(trained)[0]:
        yield f"numpy {found} is another major version than training's {trained}"
    elif minor(found) < minor(trained):
        yield f"numpy {found} is older than training's {trained}"


def differing(
    names: Iterable[str], trained: Mapping[str, str], found: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    """(name, version found, version in training) of packages that both have and that differ."""
    for name in names:
        if name in trained and name in found and trained[name] != found[name]:
            yield name, found[name], trained[name]


def minor(version: str) -> tuple[int, int]:
    """(major, minor) of a version; what is no number counts as 0."""
    first, second = [*(int(part) for part in re.findall(r"\d+", version)[:2]), 0, 0][:2]
    return first, second
