"""Strict reading of Tekton's documents: which fields there are, of which type, and which are missing.

Kubernetes refuses unknown fields when kubectl asks it to (its default); Tekton itself then reads numbers given as
param values as text by value. Both happen here, on plain values, so that it needs no file to be of use.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from catalog.engine import durations, tables
from catalog.engine.yamlreader import json_text

FieldPath = tuple[str | int, ...]

VERSIONS = {
    "Task": ("tekton.dev/v1",),
    "TaskRun": ("tekton.dev/v1",),
    "Pipeline": ("tekton.dev/v1",),
    "PipelineRun": ("tekton.dev/v1",),
    "StepAction": ("tekton.dev/v1beta1", "tekton.dev/v1alpha1"),
}
"""The kinds known here, each with the versions of it that are read."""

OLDER = dict.fromkeys(("Task", "TaskRun", "Pipeline", "PipelineRun"), "tekton.dev/v1beta1")
"""Versions that Tekton still serves and turns into the current one; they can be checked, but not run here."""

UNCHECKED = {"CustomRun", "VerificationPolicy"}
"""Tekton's kinds whose documents are taken as they are."""

_FIELD = re.compile(r"(?P<name>\w+)(?P<required>!?)(?::(?P<type>\S+))?")
_WORDS = {"text": "text", "int": "a whole number", "bool": "true or false", "port": "a number or a name"}
# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
_QUANTITY = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its type as written in the table, and whether nothing works without it."""

    name: str
    type: str
    required: bool


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one field; ``rule`` is ``unknown-field``, ``missing-field``, ``type``, ``duration`` or
    ``quantity``."""

    path: FieldPath
    rule: str
    message: str
    remedy: str


@cache
def structures() -> Mapping[str, Mapping[str, Field]]:
    """All structures by name, each with its fields by name."""
    found: dict[str, dict[str, Field]] = {}
    for line in re.sub(r"\n +", " ", tables.ALL).splitlines():
        if line:
            name, _, fields = line.partition(":")
            found[name] = {
                match["name"]: Field(match["name"], match["type"] or "text", bool(match["required"]))
                for match in _FIELD.finditer(fields)
            }
    return found


def check(body: Any, structure: str, path: FieldPath = ()) -> Iterator[Problem]:
    """All problems of a value that should be such a structure."""
    return _value(body, structure, path)


def stored(body: Any, structure: str) -> Any:
    """The value as Tekton keeps it: empty (null) fields left out, values of params as texts, lists or mappings.

    Wrongly typed parts are left as they are; :func:`check` reports them.
    """
    if structure == "value":
        return param_value(body)
    if structure[0] in "[{":
        inner = structure[1:-1]
        if structure[0] == "[" and isinstance(body, list):
            return [stored(item, inner) for item in body]
        if structure[0] == "{" and isinstance(body, dict):
            return {key: stored(item, inner) for key, item in body.items()}
        return body
    if structure not in structures() or not isinstance(body, dict):
        return body
    fields = structures()[structure]
    return {
        key: stored(item, fields[key].type) if key in fields else item
        for key, item in body.items()
        # A param's value may be null: it is the empty text.
        if item is not None or (key in fields and fields[key].type == "value" and fields[key].required)
    }


def param_value(value: Any) -> str | list[str] | dict[str, str]:
    """How Tekton reads the value of a param or result: a text, a list of texts, or a mapping of texts.

    Anything else becomes a text by value: ``010`` is ``8``, ``[1, 2]`` the text ``[1,2]``, nothing at all is empty.
    """
    if isinstance(value, list) and all(item is None or isinstance(item, str) for item in value):
        return [item or "" for item in value]
    if isinstance(value, dict) and all(item is None or isinstance(item, str) for item in value.values()):
        return {key: item or "" for key, item in value.items()}
    return "" if value is None else json_text(value)


def near(word: str, known: Iterable[str]) -> str:
    """A remedy that names the nearest known word, else all of them when they are few; empty when there is none."""
    words = sorted(known)
    folded = {each.lower(): each for each in words}
    close = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    if close:
        return f"did you mean {folded[close[0]]!r}?"
    if not words:
        return ""
    return "known here: " + ", ".join(words[:12]) + (", …" if len(words) > 12 else "")


def _value(value: Any, kind: str, path: FieldPath) -> Iterator[Problem]:
    if value is None or kind in {"any", "value"}:
        return
    if kind[0] == "[":
        yield from _list(value, kind[1:-1], path)
    elif kind[0] == "{":
        yield from _free_mapping(value, kind[1:-1], path)
    elif kind in structures():
        yield from _structure(value, kind, path)
    elif kind == "duration":
        yield from _duration(value, path)
    elif kind == "quantity":
        if isinstance(value, bool) or not _QUANTITY.fullmatch(json_text(value)):
            yield Problem(path, "quantity", f"{json_text(value)!r} is no quantity", "write it like '500m' or '1Gi'")
    elif not _is(value, kind):
        yield _wrong_type(value, _WORDS[kind], path)


def _is(value: Any, kind: str) -> bool:
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "int":
        return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value % 1 == 0)
    if kind == "port":
        return isinstance(value, (str, int)) and not isinstance(value, bool)
    return isinstance(value, str)


def _list(value: Any, inner: str, path: FieldPath) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield _wrong_type(value, "a list", path)
        return
    for index, item in enumerate(value):
        if item is None and inner in structures():
            yield Problem((*path, index), "type", "the list has an empty entry", "fill it in or remove it")
        elif item is None and inner == "text":
            yield _wrong_type(item, "text", (*path, index))
        yield from _value(item, inner, (*path, index))


def _free_mapping(value: Any, inner: str, path: FieldPath) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield _wrong_type(value, "a mapping", path)
        return
    for key, item in value.items():
        yield from _value(item, inner, (*path, key))


def _structure(value: Any, name: str, path: FieldPath) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield _wrong_type(value, "a mapping", path)
        return
    fields = structures()[name]
    for key, item in value.items():
        if key in fields:
            yield from _value(item, fields[key].type, (*path, key))
        else:
            yield Problem((*path, key), "unknown-field", f"unknown field {key!r}", _unknown_remedy(key, name))
    for field in fields.values():
        # A param's value may be anything, even empty; of everything else nothing is as good as nothing at all.
        absent = field.name not in value if field.type == "value" else value.get(field.name) in (None, "")
        if field.required and absent:
            yield Problem((*path, field.name), "missing-field", f"{field.name!r} is missing", f"add {field.name!r}")


_OLD_NAMES = {
    ("Step", "resources"): "v1 calls it 'computeResources'",
    ("StepTemplate", "resources"): "v1 calls it 'computeResources'",
    ("Sidecar", "resources"): "v1 calls it 'computeResources'",
    ("TaskSpec", "resources"): "pipeline resources are gone; use params, results and workspaces",
    ("TaskSpec", "inputs"): "it is of an old version; use 'params'",
    ("TaskSpec", "outputs"): "it is of an old version; use 'results'",
    ("PipelineSpec", "resources"): "pipeline resources are gone; use params, results and workspaces",
    ("PipelineTask", "conditions"): "conditions are gone; use 'when'",
    ("PipelineTask", "if"): "use 'when'",
    ("PipelineTask", "resources"): "pipeline resources are gone; use params, results and workspaces",
    ("TaskRef", "bundle"): "v1 asks for 'resolver: bundles' with params",
    ("PipelineRef", "bundle"): "v1 asks for 'resolver: bundles' with params",
    ("PipelineRunSpec", "timeout"): "v1 asks for 'timeouts: {pipeline: …}'",
    ("PipelineRunSpec", "podTemplate"): "v1 has it in 'taskRunTemplate'",
    ("PipelineRunSpec", "serviceAccountName"): "v1 has it in 'taskRunTemplate'",
    ("TaskRunSpec", "resources"): "pipeline resources are gone; use params, results and workspaces",
    ("PipelineTaskRunSpec", "taskServiceAccountName"): "v1 calls it 'serviceAccountName'",
    ("PipelineTaskRunSpec", "taskPodTemplate"): "v1 calls it 'podTemplate'",
    ("When", "Input"): "did you mean 'input'?",
}


def _unknown_remedy(key: str, structure: str) -> str:
    return _OLD_NAMES.get((structure, key)) or near(key, structures()[structure])


def _duration(value: Any, path: FieldPath) -> Iterator[Problem]:
    if isinstance(value, str) and "$(" in value:
        yield Problem(path, "duration", f"{value!r} is no duration: variables are not filled in here", "write it out")
    elif not isinstance(value, str) or durations.seconds(value) is None:
        shown = json_text(value)
        yield Problem(path, "duration", f"{shown!r} is no duration", "write it like '90s', '1h30m' or '0'")


def _wrong_type(value: Any, wanted: str, path: FieldPath) -> Problem:
    if wanted == "text" and isinstance(value, (bool, int, float)):
        return Problem(path, "type", f"must be text, but YAML reads {json_text(value)}", "put it in quotes")
    kinds = {dict: "a mapping", list: "a list", str: "the text", bool: "", int: "the number", float: "the number"}
    shown = json_text(value)
    shown = shown if len(shown) <= 40 else shown[:39] + "…"
    message = f"must be {wanted}, but it is {kinds.get(type(value), '')} {shown}".replace("  ", " ")
    return Problem(path, "type", message, _type_remedy(value, wanted))


def _type_remedy(value: Any, wanted: str) -> str:
    if wanted == "a list":
        return "begin each entry with '- '"
    if wanted == "a mapping" and isinstance(value, list):
        return "remove the leading '- '"
    return "remove the quotes" if isinstance(value, str) and wanted != "a mapping" else "write fields below it"
