"""What a node of a skops file may be: its kind decides how skops calls the class that it names.

The same allowed list as for pickles; nodes that call methods or operators by name are refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from taskkit.pickles.names import AllowedNames, Name
from taskkit.pickles.states import METHOD_ATTRIBUTES, attribute_problem

_KINDS: dict[str, tuple[str, ...]] = {
    "BytearrayNode": ("builtins.bytearray",),
    "BytesNode": ("builtins.bytes", "numpy.bytes_"),
    "CachedNode": ("",),
    "ConstructorFromReduceNode": ("builtins.frozenset", "builtins.range", "datetime.", "decimal.Decimal"),
    "DTypeNode": ("numpy.dtype",),
    "DefaultDictNode": ("collections.defaultdict",),
    "DictNode": ("builtins.dict", "collections.", "sklearn.utils._bunch.Bunch"),
    "FunctionNode": ("numpy.", "scipy.", "sklearn."),
    "JsonNode": ("builtins.str",),
    "ListNode": ("builtins.list",),
    "LossNode": ("sklearn._loss._loss.", "sklearn.linear_model._sgd_fast."),
    "MaskedArrayNode": ("numpy.ma.",),
    "NdArrayNode": ("numpy.",),
    "ObjectNode": ("builtins.object", "scipy.interpolate.", "sklearn."),
    "PartialNode": ("functools.partial",),
    "QuantileForestNode": ("",),
    "RandomGeneratorNode": ("numpy.random._generator.Generator",),
    "RandomStateNode": ("numpy.random.mtrand.RandomState",),
    "SetNode": ("builtins.set",),
    "SliceNode": ("builtins.slice",),
    "SparseMatrixNode": ("scipy.sparse.",),
    "TreeNode": ("sklearn.tree._tree.Tree",),
    "TupleNode": ("builtins.tuple",),
    "TypeNode": ("builtins.", "datetime.", "numpy.", "pandas.", "scipy.", "sklearn."),
}
"""Kinds of nodes, and how the names begin that scikit-learn's own files have there: a kind decides how its class is
called, so an allowed class at another kind of node would be called as nothing calls it."""
_NO_CLASS = frozenset({"CachedNode", "JsonNode"})
_STATES = frozenset({"DictNode", "JsonNode", "TupleNode"})
_CALLED = "ConstructorFromReduceNode"
PLAIN = frozenset(
    Name("builtins", name)
    for name in (
        "str",
        "int",
        "float",
        "complex",
        "bool",
        "bytes",
        "bytearray",
        "list",
        "tuple",
        "set",
        "frozenset",
        "dict",
        "slice",
        "range",
        "NoneType",
        "object",
    )
) | {Name("collections", "defaultdict"), Name("collections", "OrderedDict")}
_NOTHING = "null"
_KEYS = frozenset(f"builtins.{name}" for name in ("str", "int", "float", "bool", "bytes", "complex", "NoneType"))


def node_problem(node: dict[str, Any], allowed: AllowedNames) -> str:
    """What is wrong with a node, as a clause, '' for nothing."""
    loader, module, name = (node.get(key) for key in ("__loader__", "__module__", "__class__"))
    if not isinstance(module, str) or not isinstance(name, str):
        return "has a node without a class"
    found = Name(module, name)
    return _problem(str(loader), found, allowed) or _content_problem(str(loader), found, node, allowed)


def aliased(nodes: Iterable[tuple[dict[str, Any], str]]) -> tuple[str, str] | None:
    """(what, place) of a node that would become another one: skops takes the first of those that share an id."""
    first: dict[str, Any] = {}
    for node, place in nodes:
        if node.get("__loader__") == "CachedNode" or "__id__" not in node:
            continue
        judged = _judged(node)
        if first.setdefault(str(node["__id__"]), judged) != judged:
            return "has two nodes with the same id", place
    return None


def _judged(node: dict[str, Any]) -> tuple[Any, ...]:
    """What the rules look at besides the nodes within, which have ids of their own."""
    content = node.get("content")
    attributes = content if node.get("__loader__") == "DictNode" and isinstance(content, dict) else {}
    methods = [_value(attributes[name]) for name in METHOD_ATTRIBUTES & attributes.keys()]
    text = _value(node)
    return node.get("__loader__"), node.get("__module__"), node.get("__class__"), tuple(attributes), methods, text


def _problem(loader: str, found: Name, allowed: AllowedNames) -> str:
    """What is wrong with the name at a node."""
    if loader not in _KINDS:
        return f"has a node of the kind {loader}, which may call {found},"
    if loader in _NO_CLASS:
        return ""
    if "." in found.name:
        return f"names {found} with a dotted name"
    if found not in PLAIN and not allowed.names(found):
        return f"names {found}"
    if found in allowed.project:
        return ""
    if not str(found).startswith(_KINDS[loader]):
        return f"names {found} in a node of the kind {loader}"
    if loader == "ObjectNode" and not (allowed.may_instantiate(found) or found in allowed.values):
        return f"makes an object of {found}"
    if loader == _CALLED and not allowed.may_call(found):
        return f"calls {found}"
    if loader == "FunctionNode" and found not in allowed.functions:
        return f"makes a function of {found}"
    return ""


def _content_problem(loader: str, found: Name, node: dict[str, Any], allowed: AllowedNames) -> str:
    """What is wrong with the nodes that one node is made from, by the rules of `taskkit.pickles.states`."""
    content = node.get("content")
    kind = content.get("__loader__") if isinstance(content, dict) else None
    if loader == "DictNode":
        types = node.get("key_types")
        keys = types.get("content") if isinstance(types, dict) else None
        if not isinstance(keys, list) or not all(_is_scalar_type(key) for key in keys):
            return f"makes a {found} with keys that are no plain values"
    if loader == "PartialNode":
        function = content.get("func") if isinstance(content, dict) else None
        if not isinstance(function, dict) or function.get("__loader__") != "FunctionNode":
            return "makes a functools.partial of something that is no function"
    if loader in ("ObjectNode", "TreeNode", "LossNode") and found not in allowed.project:
        if content is not None and kind not in _STATES:
            return f"gives {found} a state that is no plain value"
        if kind == "DictNode":
            return _attributes_problem(found, content.get("content") if isinstance(content, dict) else None)
    return ""


def _is_scalar_type(node: Any) -> bool:
    if not isinstance(node, dict) or node.get("__loader__") != "TypeNode":
        return False
    name = f"{node.get('__module__')}.{node.get('__class__')}"
    return name in _KEYS or (name.startswith("numpy.") and name.count(".") == 1 and name != "numpy.ndarray")


def _attributes_problem(found: Name, attributes: Any) -> str:
    for name, node in attributes.items() if isinstance(attributes, dict) else ():
        value = _value(node)
        if problem := attribute_problem(name, None if value == _NOTHING else node if value is None else value):
            return f"gives {found} {problem}"
    return ""


def _value(node: Any) -> Any:
    """The text, or the list of texts, in a node; None for everything else."""
    content = node.get("content") if isinstance(node, dict) else None
    if isinstance(content, str) and node.get("__loader__") == "JsonNode":
        try:
            found = json.loads(content)
        except ValueError:
            return None
        return found if isinstance(found, str) else content
    if isinstance(content, list) and node.get("__loader__") in ("ListNode", "TupleNode"):
        parts = [_value(part) for part in content]
        return parts if all(isinstance(part, str) for part in parts) else None
    return None
