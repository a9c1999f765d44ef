"""What a node of a skops file may be: its kind decides how skops calls the class that it names.

The same allowed list as for pickles; nodes that call methods or operators by name are refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from taskkit.pickles.names import AllowedNames, Name
from taskkit.pickles.states import METHOD_ATTRIBUTES, attribute_problem
from taskkit.pickles.values import is_data_kind

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
_HOLDERS = frozenset({"CachedNode", "DefaultDictNode", "DictNode", "JsonNode", "ListNode", "NdArrayNode", "TupleNode"})
"""Kinds that use nothing of what lies in them."""
_NO_DATA = frozenset({"PartialNode", "QuantileForestNode"})
_BY_NAME = frozenset({"FunctionNode", "TypeNode"})
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


Node = dict[str, Any]


def by_id(nodes: Iterable[tuple[Node, str]]) -> dict[str, Node]:
    """What a CachedNode stands for: skops takes the first node of an id."""
    found: dict[str, Node] = {}
    for node, _ in nodes:
        if node.get("__loader__") != "CachedNode" and "__id__" in node:
            found.setdefault(str(node["__id__"]), node)
    return found


def node_problem(node: Node, allowed: AllowedNames, cached: Mapping[str, Node]) -> str:
    """What is wrong with a node, as a clause, '' for nothing. ``cached`` comes from `by_id`."""
    loader, module, name = (node.get(key) for key in ("__loader__", "__module__", "__class__"))
    if not isinstance(module, str) or not isinstance(name, str):
        return "has a node without a class"
    found = Name(module, name)
    return (
        _problem(str(loader), found, allowed)
        or _content_problem(str(loader), found, node, allowed)
        or _data_problem(str(loader), found, node, allowed, cached)
    )


def aliased(nodes: Iterable[tuple[Node, str]]) -> tuple[str, str] | None:
    """(what, place) of a node that would become another one: skops takes the first of those that share an id."""
    first: dict[str, Any] = {}
    for node, place in nodes:
        if node.get("__loader__") == "CachedNode" or "__id__" not in node:
            continue
        judged = _judged(node)
        if first.setdefault(str(node["__id__"]), judged) != judged:
            return "has two nodes with the same id", place
    return None


def _judged(node: Node) -> tuple[Any, ...]:
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


def _content_problem(loader: str, found: Name, node: Node, allowed: AllowedNames) -> str:
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


def _data_problem(loader: str, found: Name, node: Node, allowed: AllowedNames, cached: Mapping[str, Node]) -> str:
    """What is made by calling something takes data only, by the rules of `taskkit.pickles.values`."""
    content = node.get("content")
    if loader == "PartialNode" and isinstance(content, dict):
        if _own(content.get("func"), allowed):
            return ""
        if not _is_empty(content.get("namespace")):
            return f"gives {found} attributes"
    if loader == "DefaultDictNode" and isinstance(content, dict):
        factory = content.get("default_factory")
        if _value(factory) != _NOTHING and not (isinstance(factory, dict) and factory.get("__loader__") in _BY_NAME):
            return f"makes a {found} of something that is no name"
    takes_anything = (
        loader in _HOLDERS or (loader == "ObjectNode" and not is_data_kind(found)) or found in allowed.project
    )
    return "" if takes_anything or _holds_data(node, allowed, cached) else f"gives {found} more than data"


def _own(node: Any, allowed: AllowedNames) -> bool:
    return isinstance(node, dict) and Name(str(node.get("__module__")), str(node.get("__class__"))) in allowed.project


def _is_empty(node: Any) -> bool:
    if _value(node) == _NOTHING:
        return True
    return isinstance(node, dict) and node.get("__loader__") == "DictNode" and not node.get("content")


def _holds_data(node: Node, allowed: AllowedNames, cached: Mapping[str, Node]) -> bool:
    """Whether everything within a node, however deep, is data; arrays may hold anything."""
    waiting, seen = list(node.values()), set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict) and value.get("__loader__") == "CachedNode":
            value = cached.get(str(value.get("__id__")))
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict) and value.get("__loader__") != "NdArrayNode" and id(value) not in seen:
            seen.add(id(value))
            name = Name(str(value.get("__module__")), str(value.get("__class__")))
            object_of_methods = value.get("__loader__") == "ObjectNode" and not is_data_kind(name)
            if object_of_methods or value.get("__loader__") in _NO_DATA or name in allowed.project:
                return False
            waiting.extend(value.values())
    return True


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
