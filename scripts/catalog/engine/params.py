"""Params: what is declared, what is given, and what a run gets from both.

Source: docs/tasks.md#specifying-parameters, docs/pipelines.md#specifying-parameters, docs/taskruns.md, and what was
observed where those are silent: a Task's default that names another param takes that param's *default*; a Pipeline's
takes the value it really has; a TaskRun's partial object is filled up from the default, a PipelineRun's is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from catalog.engine import references
from catalog.engine.substitution import Replacements, Value, kind_of


class ParamError(ValueError):
    """A value that does not fit what is declared."""


@dataclass(frozen=True)
class ParamSpec:
    """One declared param; ``default`` is None when a value has to be given."""

    name: str
    type: str
    default: Value | None = None
    properties: tuple[str, ...] = ()

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> ParamSpec:
        default: Value | None = body.get("default")
        properties = tuple(body.get("properties") or ())
        # The type is told by the default, or by properties, where it is not given (docs/tasks.md#parameter-type).
        inferred = "object" if properties else "string" if default is None else kind_of(default)
        return cls(body["name"], body.get("type") or inferred, default, properties)


def specs(body: Mapping[str, Any]) -> tuple[ParamSpec, ...]:
    """The params that a Task's or Pipeline's spec declares."""
    return tuple(ParamSpec.of(param) for param in body.get("params") or ())


def given(params: Iterable[Mapping[str, Any]] | None) -> dict[str, Value]:
    """A list of ``{name, value}`` as a map."""
    return {param["name"]: param.get("value", "") for param in params or ()}


def task_values(declared: Iterable[ParamSpec], values: Mapping[str, Value]) -> dict[str, Value]:
    """What the params of a TaskRun are: its values over the Task's defaults. Undeclared values count too."""
    declared = tuple(declared)
    result = _task_defaults(declared)
    for name, value in values.items():
        default = result.get(name)
        result[name] = {**default, **value} if isinstance(default, dict) and isinstance(value, dict) else value
    return result


def _task_defaults(declared: Iterable[ParamSpec]) -> dict[str, Value]:
    """Defaults; one that names other params takes their defaults.

    Of several names in one default Tekton fills in only the last known one (replacementsFromDefaultParams in
    pkg/reconciler/taskrun/resources/apply.go begins anew for each), and so does this.
    """
    result: dict[str, Value] = {}
    later: list[tuple[str, str]] = []
    for spec in declared:
        if isinstance(spec.default, str) and "$(params." in spec.default:
            later.append((spec.name, spec.default))
        elif spec.default is not None:
            result[spec.name] = spec.default
    for name, default in later:
        for reference in references.find(default):
            value = result.get(".".join(reference.path[1:])) if reference.root == "params" else None
            if isinstance(value, str):
                result[name] = default.replace(reference.text, value)
    return result


def pipeline_values(declared: Iterable[ParamSpec], values: Mapping[str, Value]) -> dict[str, Value]:
    """What the params of a PipelineRun are: its values, and defaults with the params they name filled in.

    Raises ParamError for defaults that name each other in a circle.
    """
    defaults = {spec.name: spec.default for spec in declared if spec.default is not None and spec.name not in values}
    result: dict[str, Value] = dict(values)

    def resolve(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise ParamError(f"the defaults of the params {' → '.join((*path, name))} name each other in a circle")
        default = defaults[name]
        texts = [default] if isinstance(default, str) else default
        for text in texts.values() if isinstance(texts, dict) else texts:
            for reference in references.find(text):
                other = reference.path[1] if reference.root == "params" else ""
                if other in defaults and other not in result:
                    resolve(other, (*path, name))
        filled = Replacements({f"params.{known}": value for known, value in result.items()})
        # A default's own type stays: an array is not spread into a string here.
        result[name] = (
            filled.text(default)
            if isinstance(default, str)
            else [filled.text(text) for text in default]
            if isinstance(default, list)
            else {key: filled.text(text) for key, text in default.items()}
        )

    for name in defaults:
        if name not in result:
            resolve(name, ())
    return result


def replacements(values: Mapping[str, Value]) -> Replacements:
    """The variables ``$(params.…)`` for the values."""
    return Replacements({f"params.{name}": value for name, value in values.items()})


def task_replacements(values: Mapping[str, Value]) -> Replacements:
    """The same inside a Task, where the old spelling ``$(inputs.params.…)`` still counts (paramPatterns, apply.go)."""
    return replacements(values) | Replacements({f"inputs.params.{name}": value for name, value in values.items()})


def problems(declared: Iterable[ParamSpec], values: Mapping[str, Value]) -> list[str]:
    """Why values do not fit the declaration: something missing, another type, an object without a key."""
    found = []
    for spec in declared:
        value = values.get(spec.name)
        if value is None:
            if spec.default is None:
                found.append(f"param {spec.name} ({spec.type}) has no default and no value was given")
        elif kind_of(value) != spec.type:
            found.append(f"param {spec.name} is of type {spec.type}, but the value given is of type {kind_of(value)}")
        elif isinstance(value, dict):
            default = spec.default if isinstance(spec.default, dict) else {}
            if missing := [key for key in spec.properties if key not in value and key not in default]:
                found.append(f"param {spec.name} lacks the keys {', '.join(missing)}")
    return found


def from_command_line(declared: Iterable[ParamSpec], assignments: Iterable[str]) -> dict[str, Value]:
    """Values of ``--param name=value`` options; arrays and objects are written as JSON.

    Raises ParamError naming the option, what is wrong with it and what is declared.
    """
    known = {spec.name: spec for spec in declared}
    result: dict[str, Value] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name:
            raise ParamError(f"--param {assignment}: write it as name=value")
        if name not in known:
            names = ", ".join(known) or "none"
            raise ParamError(f"--param {assignment}: there is no param {name} here; declared are: {names}")
        result[name] = text if known[name].type == "string" else _json(known[name], assignment, text)
    return result


def _json(spec: ParamSpec, assignment: str, text: str) -> Value:
    example = '\'["a", "b"]\'' if spec.type == "array" else '\'{"key": "value"}\''
    try:
        value = json.loads(text)
    except ValueError:
        raise ParamError(f"--param {assignment}: {spec.name} is an {spec.type}; write JSON such as {example}") from None
    wanted = list if spec.type == "array" else dict
    items = value.values() if isinstance(value, dict) else value
    if not isinstance(value, wanted) or not all(isinstance(item, str) for item in items):
        raise ParamError(f"--param {assignment}: {spec.name} is an {spec.type} of strings, such as {example}")
    return value
