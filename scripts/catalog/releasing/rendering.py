"""The YAML of a release: images by digest, references through a resolver. Everything else stays as it was written.

Only the characters of what changes are replaced, so that a released file reads like its source.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml

from catalog.engine import yamlreader
from catalog.releasing.objects import CatalogObject, ProgramImage, program_image, read_body
from taskkit.errors import TaskError

GIT_CLONE_PARAM = "git-clone-bundle"


@dataclass(frozen=True)
class Rendered:
    """A released object: its source and the text that goes out."""

    source: CatalogObject
    text: str

    @cached_property
    def body(self) -> dict[str, Any]:
        return read_body(self.text, f"{self.source.kind} {self.source.name}")


@dataclass(frozen=True)
class _Edit:
    start: int
    end: int
    text: str


Reference = Mapping[str, Any]
"""A taskRef."""


def hub_reference(catalog: str, kind: str, name: str, version: str, url: str = "") -> dict[str, Any]:
    """A reference for the hub resolver; ``version`` in three parts, ``url`` for clusters that know no such hub."""
    params = {"type": "artifact", "catalog": catalog, "kind": kind.lower(), "name": name, "version": version}
    return {"resolver": "hub", "params": _named(params | ({"url": url} if url else {}))}


def bundle_reference(bundle: str, kind: str, name: str) -> dict[str, Any]:
    """A reference for the bundle resolver."""
    return {"resolver": "bundles", "params": _named({"bundle": bundle, "name": name, "kind": kind.lower()})}


def _named(params: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in params.items()]


def render(
    source: CatalogObject,
    images: Mapping[ProgramImage, str],
    task_reference: Callable[[str], Reference] | None = None,
    git_clone_bundle: str = "",
) -> Rendered:
    """An object with the images that ``images`` gives, in full.

    ``task_reference`` gives a taskRef for the name of a Task of this catalog; without it names stay.
    ``git_clone_bundle`` becomes the default of the param of that name. Raises TaskError.
    """
    (root,), _ = yamlreader.nodes(source.text)
    edits = [*_image_edits(root, images)]
    if source.kind == "Pipeline":
        if task_reference:
            edits += _reference_edits(root, task_reference)
        if git_clone_bundle:
            edits += _default_edits(root, GIT_CLONE_PARAM, git_clone_bundle)
    text = source.text
    for edit in sorted(edits, key=lambda one: -one.start):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return Rendered(source, text)


def git_clone_default(source: CatalogObject) -> str:
    """The bundle that a Pipeline takes git-clone from unless it is told; empty where it has no such param."""
    params = source.body["spec"].get("params") or []
    return next((str(one.get("default") or "") for one in params if one["name"] == GIT_CLONE_PARAM), "")


def _image_edits(node: yaml.Node, images: Mapping[ProgramImage, str]) -> Iterator[_Edit]:
    for scalar in _scalars(node):
        image = program_image(scalar.value)
        if image is None:
            continue
        if image not in images:
            raise TaskError(f"no image is given for {image.program}:{image.tag}", "give it, or build it")
        yield _scalar_edit(scalar, images[image])


def _scalars(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            yield from _scalars(value)
    else:
        for item in node.value:
            yield from _scalars(item)


def _scalar_edit(scalar: yaml.ScalarNode, text: str) -> _Edit:
    if scalar.style in ("|", ">"):
        line = scalar.start_mark.line + 1
        raise TaskError(f"line {line} writes '{scalar.value}' as a block of text", "write it on the line of its key")
    quoted = f"{scalar.style}{text}{scalar.style}" if scalar.style else text
    return _Edit(scalar.start_mark.index, scalar.end_mark.index, quoted)


def _reference_edits(root: yaml.Node, reference: Callable[[str], Reference]) -> Iterator[_Edit]:
    spec = _child(root, "spec")
    for section in ("tasks", "finally"):
        for task in _items(_child(spec, section)):
            found = _child(task, "taskRef")
            name = _child(found, "name")
            if found is not None and isinstance(name, yaml.ScalarNode) and _child(found, "resolver") is None:
                yield _Edit(found.start_mark.index, _end(found), _written(reference(name.value), found))


def _default_edits(root: yaml.Node, name: str, text: str) -> Iterator[_Edit]:
    for param in _items(_child(_child(root, "spec"), "params")):
        named, default = _child(param, "name"), _child(param, "default")
        if isinstance(named, yaml.ScalarNode) and named.value == name and isinstance(default, yaml.ScalarNode):
            yield _scalar_edit(default, text)


def _child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if yamlreader.key_text(name) == key), None)


def _items(node: yaml.Node | None) -> list[yaml.Node]:
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _end(node: yaml.Node) -> int:
    """Where the text of a node ends: the end mark of a block is only where the next one starts."""
    if isinstance(node, yaml.ScalarNode) or getattr(node, "flow_style", False) or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if isinstance(node, yaml.MappingNode) else last)


def _written(reference: Reference, place: yaml.Node) -> str:
    """A reference as YAML in the style and at the column of the one whose place it takes."""
    if getattr(place, "flow_style", False):
        return json.dumps(reference)
    lines = [f"resolver: {reference['resolver']}", "params:"]
    for param in reference["params"]:
        lines += [f"  - name: {param['name']}", f"    value: {_plain(param['value'])}"]
    return ("\n" + " " * place.start_mark.column).join(lines)


def _plain(text: str) -> str:
    """A value as YAML; in quotes where it would not be read as the same string."""
    read = yamlreader.nodes(text)[0]
    same = len(read) == 1 and isinstance(read[0], yaml.ScalarNode) and yamlreader.plain(read[0])[0] == text
    return text if same else json.dumps(text, ensure_ascii=False)
