"""Putting values in place of Tekton's ``$(…)`` variables.

One call is one pass: what a value brings along is not looked at again, as Tekton replaces all variables of one phase at
once. (A value may still hold variables of a *later* phase, which then are replaced: a param's value that is
``$(context.taskRun.name)``.) Unknown variables stay as they are.
Source: docs/variables.md and pkg/substitution of tektoncd/pipeline.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog.engine import references
from catalog.engine.references import Reference

Value = str | list[str] | dict[str, str]
"""What a param or a result holds: a string, an array of strings, or an object of strings."""


class IndexOutOfBoundsError(ValueError):
    """An array is asked for an element that it does not have; Tekton fails the run."""


class Whole(list[str]):
    """An array that can only be used as a whole; ``[0]`` behind it stays in the text."""


def kind_of(value: Value) -> str:
    """Tekton's name for the type of a value."""
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


@dataclass(frozen=True)
class Replacements:
    """Values by the dotted names of their variables: ``{"params.version": "1.0", "params.files": ["a", "b"]}``."""

    values: Mapping[str, Value] = field(default_factory=dict)

    def __or__(self, other: Replacements) -> Replacements:
        return Replacements({**self.values, **other.values})

    def _scalar(self, reference: Reference) -> str | None:
        """The text for a reference, or None when it is unknown or stands for more than one string."""
        value = self.values.get(reference.dotted)
        if isinstance(value, str):
            return value if reference.index is None else None
        if isinstance(value, list) and not isinstance(value, Whole) and isinstance(reference.index, int):
            if reference.index >= len(value):
                raise IndexOutOfBoundsError(
                    f"{reference.text} asks for element {reference.index} of an array of {len(value)}"
                )
            return value[reference.index]
        if value is None and reference.index is None and len(reference.path) > 2:
            parent = self.values.get(".".join(reference.path[:-1]))
            if isinstance(parent, dict):
                return parent.get(reference.path[-1])
        return None

    def _compound(self, text: str) -> list[str] | dict[str, str] | None:
        """The array or object that a text consisting of one reference stands for."""
        reference = references.whole(text)
        if reference is None or isinstance(reference.index, int):
            return None
        value = self.values.get(reference.dotted)
        return None if value is None or isinstance(value, str) else value

    def text(self, text: str) -> str:
        """A text with its scalar variables replaced; whole arrays and objects inside a text stay as they are.

        Raises IndexOutOfBoundsError.
        """
        return references.replace(text, self._scalar)

    def items(self, texts: Iterable[str]) -> list[str]:
        """A list in which an element ``$(params.files[*])`` becomes as many elements as the array has."""
        result: list[str] = []
        for text in texts:
            whole = self._compound(text)
            result += whole if isinstance(whole, list) else [self.text(text)]
        return result

    def value(self, value: Value) -> Value:
        """A param's value; a string that is just one reference to an array or object takes over its type."""
        if isinstance(value, list):
            return self.items(value)
        if isinstance(value, dict):
            return {key: self.text(text) for key, text in value.items()}
        whole = self._compound(value)
        return self.text(value) if whole is None else whole

    def params(self, params: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """A list of ``{name, value}``."""
        return [{**param, "value": self.value(param.get("value", ""))} for param in params]

    def matrix(self, matrix: Mapping[str, Any]) -> dict[str, Any]:
        """A matrix: lists in its params, single texts in its ``include``; objects are not put in place."""
        plain = Replacements({name: value for name, value in self.values.items() if not isinstance(value, dict)})
        keys = {
            f"{name}.{key}": text
            for name, value in self.values.items()
            if isinstance(value, dict)
            for key, text in value.items()
        }
        known = plain | Replacements(keys)
        result = dict(matrix)
        if matrix.get("params"):
            result["params"] = known.params(matrix["params"])
        if matrix.get("include"):
            result["include"] = [
                {**one, "params": [{**p, "value": known.deep(p.get("value", ""))} for p in one.get("params") or ()]}
                for one in matrix["include"]
            ]
        return result

    def when(self, expressions: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """``when`` expressions: arrays spread in ``values``; as ``input`` an array is written as JSON."""
        result = []
        for expression in expressions:
            given = expression.get("input", "")
            whole = self._compound(given)
            result.append(
                {
                    **expression,
                    "input": json.dumps(whole) if isinstance(whole, list) else self.text(given),
                    "values": self.items(expression.get("values") or []),
                }
            )
        return result

    def step(self, step: Mapping[str, Any]) -> dict[str, Any]:
        """A step or stepTemplate: every text in it, ``command`` and ``args`` element by element."""
        return {key: self._field(key, value) for key, value in step.items()}

    def _field(self, key: str, value: Any) -> Any:
        if key in {"command", "args"} and isinstance(value, list):
            return self.items(value)
        if key == "when" and isinstance(value, list):
            return self.when(value)
        return self.deep(value)

    def deep(self, value: Any) -> Any:
        """Every text inside any value of a document, keys excepted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.deep(item) for item in value]
        if isinstance(value, dict):
            return {key: self.deep(item) for key, item in value.items()}
        return value

    def task_spec(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """A Task's spec: its steps, stepTemplate, volumes and the mount paths of its workspaces."""
        result = dict(spec)
        result["steps"] = [self.step(step) for step in spec.get("steps") or []]
        if spec.get("stepTemplate"):
            result["stepTemplate"] = self.step(spec["stepTemplate"])
        for key in ("volumes", "workspaces"):
            if spec.get(key):
                result[key] = self.deep(spec[key])
        return result


def allows(expressions: Iterable[Mapping[str, Any]]) -> bool:
    """Whether every ``when`` expression holds (its variables being replaced already)."""
    return all(
        (expression.get("input", "") in (expression.get("values") or [])) == (expression.get("operator") == "in")
        for expression in expressions
    )
