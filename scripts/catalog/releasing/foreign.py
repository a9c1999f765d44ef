"""git-clone's bundle, which a Pipeline of ours uses and others publish: pinned where it can be reached."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taskkit.errors import TaskError
from taskkit.oci.references import RegistryReference, parse_registry_reference
from taskkit.oci.repository import Registries

_PARAM = re.compile(r"\$\(params(?:\.([\w-]+)|\[\"([\w.-]+)\"\]|\['([\w.-]+)'\])\)")


@dataclass(frozen=True)
class ForeignBundle:
    """``path``, ``tag``: where it lies in a mirror. ``reference`` has no digest; ``digest`` is empty where unknown."""

    path: str
    tag: str
    reference: str
    digest: str
    why_unpinned: str = ""

    @property
    def pinned(self) -> str:
        """The reference with its digest, where that is known."""
        return f"{self.reference}@{self.digest}" if self.digest else self.reference


def pin(reference: str, registries: Registries, path: str = "") -> ForeignBundle:
    """Asks the registry for the digest of a bundle; one that can't be reached leaves it unpinned. Raises UsageError."""
    parsed = parse_registry_reference(reference, "git-clone-bundle")
    path = path or parsed.repository
    if parsed.digest:
        return ForeignBundle(path, tag_of(parsed), reference.partition("@")[0], parsed.digest)
    try:
        found = registries.repository(parsed).fetch(parsed.tag or "latest")
    except TaskError as error:
        return ForeignBundle(path, tag_of(parsed), reference, "", error.problem)
    return ForeignBundle(path, tag_of(parsed), reference, found.digest)


def tag_of(reference: RegistryReference) -> str:
    """The tag that something gets in a mirror: its own, else one made of its digest."""
    return reference.tag or reference.digest.replace(":", "-") or "latest"


def images_of(body: Mapping[str, Any]) -> set[str]:
    """The images of a Task's or StepAction's steps and sidecars, defaults of params filled in."""
    spec = body.get("spec") or {}
    defaults = {one["name"]: one.get("default") for one in spec.get("params") or []}
    found = set()
    for text in _image_fields(spec):
        match = _PARAM.fullmatch(text)
        value = defaults.get(next(filter(None, match.groups()))) if match else text
        if isinstance(value, str) and value and "$(" not in value:
            found.add(value)
    return found


def _image_fields(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("image"), str):
            yield value["image"]
        for item in value.values():
            yield from _image_fields(item)
    elif isinstance(value, list):
        for item in value:
            yield from _image_fields(item)


def relocated(value: Any, places: Mapping[str, str]) -> Any:
    """Plain values with each string that is a key of ``places`` replaced."""
    if isinstance(value, dict):
        return {key: relocated(item, places) for key, item in value.items()}
    if isinstance(value, list):
        return [relocated(item, places) for item in value]
    return places.get(value, value) if isinstance(value, str) else value


def path_below(reference: RegistryReference, prefixes: Sequence[str]) -> str:
    """A repository's path in a mirror: without the prefix where it is in a mirror already."""
    for prefix in prefixes:
        if reference.name.startswith(f"{prefix}/"):
            return reference.name.removeprefix(f"{prefix}/")
    return reference.repository
