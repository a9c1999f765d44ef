"""The rules: a flat YAML map ``metric: {bound: number, …}``, read strictly and with numbers as they were written.

A JSON document is YAML too. Read from YAML's node tree rather than from values, so that ``0.950``, ``1e-3`` and
doubled keys are seen as they stand in the text.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

import yaml

from metric_gate.directions import Direction, direction_of, known_names, near_matches
from metric_gate.numbers_as_written import Number, number
from taskkit.errors import UsageError

Bound = Literal["min", "max", "max_drop", "max_drop_ratio", "min_gain"]
Severity = Literal["error", "warning"]

BOUNDS: dict[Bound, str] = {
    "min": "The metric must be at least this.",
    "max": "The metric must be at most this.",
    "max_drop": "The metric may be worse than the baseline by at most this, whatever its direction. 0: not worse.",
    "max_drop_ratio": "The metric may be worse than the baseline by at most this share of |baseline|; 0.02 is 2 %.",
    "min_gain": "The metric must be better than the baseline by at least this.",
}
CHOICES: dict[str, tuple[str, ...]] = {"direction": ("higher", "lower"), "severity": ("error", "warning")}
RELATIVE: frozenset[str] = frozenset({"max_drop", "max_drop_ratio", "min_gain"})
EXAMPLE = "accuracy: {min: 0.9, max_drop: 0.01}"

MAX_BYTES = 1 << 20
MAX_DEPTH = 8
_STANDARD_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Rule:
    """What one metric must satisfy: every bound of it. ``direction`` is None only where no bound needs one."""

    metric: str
    bounds: Mapping[Bound, Number] = field(default_factory=dict)
    direction: Direction | None = None
    severity: Severity = "error"

    def as_applied(self) -> dict[str, str]:
        """For the report: numbers as they were written."""
        said = {bound: limit.text for bound, limit in self.bounds.items()}
        return said | ({"direction": self.direction} if self.direction else {}) | {"severity": self.severity}


def parse_rules(text: str, where: str) -> tuple[Rule, ...] | None:
    """Rules in the order of the text; None where it holds none at all: nothing but blanks and comments.

    ``where`` names the param or file in errors. Raises UsageError that names metric, field, value and line.
    """
    return _Reader(where).read(text)


class _Reader:
    def __init__(self, where: str) -> None:
        self.where = where

    def refuse(self, node: yaml.Node | None, problem: str, remedy: str) -> NoReturn:
        line = f" line {node.start_mark.line + 1}" if node is not None else ""
        raise UsageError(f"{self.where}{line}: {problem}", remedy)

    def read(self, text: str) -> tuple[Rule, ...] | None:
        root = self.tree(text)
        if root is None:
            return None
        if not isinstance(root, yaml.MappingNode):
            self.refuse(root, f"rules are {_kind(root)}, not a map of metrics", f"write for example {EXAMPLE}")
        rules = tuple(self.rule(name, node) for name, node in self.entries(root, "metric"))
        if not rules:
            self.refuse(root, "the map of rules is empty", "name a metric, or leave the rules out for the default rule")
        return rules

    def tree(self, text: str) -> yaml.Node | None:
        if len(text) > MAX_BYTES:
            self.refuse(None, f"rules take more than {MAX_BYTES} characters", "a rule is one short line per metric")
        try:
            self.limit_depth(text)
            root: yaml.Node | None = yaml.compose(text, Loader=yaml.CSafeLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f" line {mark.line + 1}" if mark else ""
            problem = getattr(error, "problem", None) or str(error)
            raise UsageError(f"{self.where}{line}: not YAML ({problem})", f"write for example {EXAMPLE}") from error
        return root

    def limit_depth(self, text: str) -> None:
        """The parser that builds trees has no limit of its own and takes the interpreter down with it."""
        depth = 0
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise UsageError(f"{self.where}: rules are nested too deeply", f"write for example {EXAMPLE}")

    def entries(self, table: yaml.MappingNode, what: str) -> Iterator[tuple[str, yaml.Node]]:
        """Keys and values of a map; each key a text and there once."""
        seen: dict[str, int] = {}
        for key, value in table.value:
            if not isinstance(key, yaml.ScalarNode):
                self.refuse(key, f"a {what} is {_kind(key)}, not a name", f"write for example {EXAMPLE}")
            if key.value in seen:
                self.refuse(
                    key, f"{what} '{key.value}' is given twice, first in line {seen[key.value]}", "keep one of the two"
                )
            seen[key.value] = key.start_mark.line + 1
            yield key.value, value

    def rule(self, metric: str, node: yaml.Node) -> Rule:
        if not isinstance(node, yaml.MappingNode):
            shown = f"{metric}: {_shown(node)}"
            self.refuse(
                node, f"the rule '{shown}' is {_kind(node)}, not a map", f"write for example {metric}: {{min: 0.9}}"
            )
        bounds: dict[Bound, Number] = {}
        chosen: dict[str, Any] = {}
        for key, value in self.entries(node, f"{metric}:"):
            if key in CHOICES:
                chosen[key] = self.choice(metric, key, value)
            elif key in BOUNDS:
                bounds[key] = self.bound(metric, key, value)
            else:
                self.unknown_key(metric, key, value)
        if not bounds:
            self.refuse(node, f"the rule of '{metric}' has no bound",
                        f"add one of {', '.join(BOUNDS)}, for example max_drop: 0")  # fmt: skip
        if "min" in bounds and "max" in bounds and bounds["min"].value > bounds["max"].value:
            self.refuse(node, f"{metric}.min is {bounds['min'].text}, more than {metric}.max, {bounds['max'].text}",
                        "no value can satisfy both")  # fmt: skip
        direction = chosen.get("direction") or direction_of(metric)
        if direction is None and (relative := sorted(RELATIVE & set(bounds))):
            self.unknown_direction(node, metric, relative[0])
        return Rule(metric, bounds, direction, chosen.get("severity", "error"))

    def unknown_key(self, metric: str, key: str, node: yaml.Node) -> NoReturn:
        allowed = (*BOUNDS, *CHOICES)
        near = difflib.get_close_matches(key.replace("-", "_").lower(), allowed, n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        self.refuse(node, f"{metric}.{key} is not a field of a rule", f"{meant}it takes: {', '.join(allowed)}")

    def unknown_direction(self, node: yaml.Node, metric: str, bound: str) -> NoReturn:
        near = near_matches(metric, known_names())
        meant = f" (known names like it: {', '.join(near)})" if near else ""
        self.refuse(node, f"{metric}.{bound} needs a direction, and nothing is known of a metric '{metric}'{meant}",
                    "add direction: higher or direction: lower")  # fmt: skip

    def choice(self, metric: str, key: str, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.value not in CHOICES[key]:
            self.refuse(node, f"{metric}.{key} is {_shown(node)}", f"it takes one of: {', '.join(CHOICES[key])}")
        return str(node.value)

    def bound(self, metric: str, key: str, node: yaml.Node) -> Number:
        place = f"{metric}.{key}"
        if not isinstance(node, yaml.ScalarNode):
            self.refuse(node, f"{place} is {_kind(node)}, not a number", f"write for example {key}: 0.01")
        written: str = node.value
        # A plain 1e-3 is a number to people and to JSON, and a text to YAML 1.1.
        if node.style or node.tag not in (f"{_STANDARD_TAG}{tag}" for tag in ("int", "float", "str")):
            self.refuse(
                node, f"{place} is {_shown(node)}, not a number", f"write for example {key}: 0.01, without quotes"
            )
        if written.lower().strip("+-.") in ("inf", "infinity", "nan"):
            self.refuse(node, f"{place} is {written}, which is not finite", "leave the bound out, or give a number")
        found = number(written)
        if found is None:
            remedy = (
                "write a share: 2 % is 0.02" if written.endswith("%") else f"write a decimal, for example {key}: 0.01"
            )
            self.refuse(node, f"{place} is {_shown(node)}, not a plain decimal number", remedy)
        if key in RELATIVE and found.value < 0:
            other = "max_drop" if key == "min_gain" else "min_gain"
            self.refuse(node, f"{place} is {written}, less than 0", f"for the opposite there is {other}")
        return found


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        if node.style:
            return "a text"
        tag = str(node.tag).removeprefix(_STANDARD_TAG)
        names = {"str": "a text", "null": "empty", "bool": "true or false", "timestamp": "a date"}
        return names.get(tag, "a number" if tag in ("int", "float") else f"tagged {node.tag}")
    return "a list" if isinstance(node, yaml.SequenceNode) else "a map"


def _shown(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        return _kind(node)
    value = node.value if len(node.value) <= 60 else f"{node.value[:60]}…"
    return f"'{value}'" if node.style or node.value == "" else value
