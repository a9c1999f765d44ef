"""YAML as ``kubectl apply`` reads it: YAML 1.1 in the dialect of Go's ``sigs.k8s.io/yaml``, turned into JSON values.

PyYAML's own resolver differs from that dialect (``y`` and ``1:30``, octals, ``1e3``, timestamps), so only its parser is
used here and scalars are resolved by rules of this module. Source of the rules: ``goyaml.v2/resolve.go`` of
https://github.com/kubernetes-sigs/yaml, and what was observed with kubectl.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, ClassVar

import yaml

Node = yaml.nodes.Node

_PLAIN = "!plain"
_STR = "tag:yaml.org,2002:str"
_MERGE = "tag:yaml.org,2002:merge"
_LARGEST = 200_000

_TRUE = {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"}
_FALSE = {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"}
_NULL = {"", "~", "null", "Null", "NULL"}
_INFINITE = {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF", ".nan", ".NaN", ".NAN"}
_INTEGER = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO]?(?P<oct>[0-7]+)|(?P<dec>0|[1-9][0-9]*))"
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BASES = (("hex", 16), ("bin", 2), ("oct", 8), ("dec", 10))


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Marks plain scalars with a tag of our own, so that explicit tags and quotes stay distinguishable."""

    yaml_implicit_resolvers: ClassVar[dict[str | None, Any]] = {}


_Loader.add_implicit_resolver(_PLAIN, re.compile(".*", re.DOTALL), None)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with the YAML itself; ``line`` counts from 1, ``key`` names a doubled key."""

    message: str
    line: int
    key: str = ""

    @property
    def fatal(self) -> bool:
        """A doubled key is legal for kubectl (the last one counts); everything else makes the file unreadable."""
        return not self.key


def nodes(text: str) -> tuple[list[Node], list[Fault]]:
    """The root nodes of the documents in the text (empty documents are left out), or what makes it unreadable."""
    try:
        return [node for node in yaml.compose_all(text, Loader=_Loader) if not _is_null(node)], []
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(part for part in (error.context, error.problem) if part)
        return [], [Fault(problem or "not YAML", mark.line + 1 if mark else 1)]
    except yaml.reader.ReaderError as error:
        before = text[: error.position] if isinstance(error.position, int) else ""
        return [], [Fault(f"the character #x{error.character:04x} is not allowed in YAML", before.count("\n") + 1)]


def plain(node: Node) -> tuple[Any, list[Fault]]:
    """The node as plain JSON-like Python: dict with string keys, list, str, int, float, bool, None."""
    reader = _Reader()
    return reader.value(node), reader.faults


def scalar(text: str) -> str | int | float | bool | None:
    """What a plain (unquoted) scalar stands for. Infinite numbers stay text: JSON has none."""
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text[0] in "+-.0123456789" and text not in _INFINITE:
        return _number(text)
    return text


def _number(text: str) -> str | int | float:
    digits = text.replace("_", "")
    if match := _INTEGER.fullmatch(digits):
        for group, base in _BASES:
            if match[group] is not None:
                number = int(match["sign"] + match[group], base)
                return number if -(2**63) <= number < 2**64 else float(number)
    if _FLOAT.fullmatch(digits):
        number_ = float(digits)
        return text if math.isinf(number_) else number_
    return text


def json_text(value: Any) -> str:
    """How Kubernetes writes a JSON scalar or structure, where Tekton then takes that text as a string by value.

    ``1.10`` is ``1.1``, ``1e3`` is ``1000``, ``no`` is ``false``; keys are sorted and there are no blanks.
    """
    if isinstance(value, str):
        return value
    return _json(value)


def _json(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quoted(key)}:{_json(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_json(item) for item in value) + "]"
    return _quoted(value) if isinstance(value, str) else str(value)


def _quoted(text: str) -> str:
    # Go's encoder escapes what could end an HTML script, too.
    raw = json.dumps(text, ensure_ascii=False)
    return raw.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _float(value: float) -> str:
    """Go's encoding of a float64: no exponent between 1e-6 and 1e21, the shortest digits that read back."""
    magnitude = abs(value)
    if value == int(value) and magnitude < 1e21:
        return str(int(value))
    if magnitude < 1e-6 or magnitude >= 1e21:
        mantissa, _, exponent = repr(value).partition("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent):+03d}".replace("e-0", "e-")
    return f"{value:.20f}".rstrip("0") if "e" in repr(value) else repr(value)


def key_text(node: Node) -> str:
    """A mapping's key as JSON has it: always text, ``1: x`` is ``"1"``, ``on: x`` is ``"true"``."""
    if not isinstance(node, yaml.ScalarNode):
        return ""
    value = scalar(node.value) if node.tag == _PLAIN else node.value
    return json_text(value)


def _is_null(node: Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == _PLAIN and node.value in _NULL


class _Reader:
    """Turns one node tree into plain values; collects faults on the way."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._open: set[int] = set()
        self._count = 0

    def value(self, node: Node) -> Any:
        self._count += 1
        if self._count > _LARGEST:
            return self._fault(node, f"more than {_LARGEST} values after its aliases are filled in")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if id(node) in self._open:
            return self._fault(node, "an anchor that contains itself")
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node)
            return [self.value(item) for item in node.value]
        finally:
            self._open.discard(id(node))

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        if node.tag == _PLAIN:
            return scalar(node.value)
        kind = node.tag.rpartition(":")[2]
        if kind in {"int", "float", "bool", "null"}:
            return scalar(node.value)
        return node.value

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, item in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == "<<" and key.tag in {_PLAIN, _MERGE}:
                for source in self._merged(item):
                    merged = {**source, **merged}
                continue
            name = key_text(key)
            if not isinstance(key, yaml.ScalarNode):
                self._fault(key, "a key that is no plain text")
            elif name in found:
                self.faults.append(Fault(f"the key {name!r} appears twice", key.start_mark.line + 1, name))
            found[name] = self.value(item)
        return {**merged, **found} if merged else found

    def _merged(self, node: Node) -> list[dict[str, Any]]:
        value = self.value(node)
        sources = value if isinstance(value, list) else [value]
        if all(isinstance(source, dict) for source in sources):
            return sources
        self._fault(node, "'<<' merges something that is no mapping")
        return []

    def _fault(self, node: Node, message: str) -> None:
        if self._count <= _LARGEST + 1:
            self.faults.append(Fault(message, node.start_mark.line + 1))
