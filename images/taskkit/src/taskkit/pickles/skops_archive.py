"""skops files: a zip archive with ``schema.json``, a tree of nodes that each name a class, and arrays beside it.

skops itself calls nothing that is not trusted by name and reads arrays without pickle; the same allowed list as for
pickles decides here what is trusted. Nodes that call methods or operators by name are refused.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from taskkit.errors import TaskError
from taskkit.pickles.names import AllowedNames, Name

_SCHEMA = "schema.json"
_SCHEMA_LIMIT = 256 << 20
_INSTANTIATES = frozenset(
    {
        "ObjectNode",
        "ConstructorFromReduceNode",
        "TreeNode",
        "LossNode",
        "SparseMatrixNode",
        "RandomStateNode",
        "RandomGeneratorNode",
        "MaskedArrayNode",
        "QuantileForestNode",
        "_DictWithDeprecatedKeysNode",
    }
)
_NAMES = frozenset({"TypeNode", "FunctionNode", "NdArrayNode", "DTypeNode", "PartialNode"})
_HOLDS = frozenset(
    {
        "DictNode",
        "DefaultDictNode",
        "ListNode",
        "SetNode",
        "TupleNode",
        "BytesNode",
        "BytearrayNode",
        "SliceNode",
        "JsonNode",
        "CachedNode",
    }
)
_PLAIN = frozenset(
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


def is_archive(source: BinaryIO) -> bool:
    """Whether an open file is a zip archive; leaves it at its start."""
    start = source.read(4)
    source.seek(0)
    return start == b"PK\x03\x04"


def inspect(
    source: BinaryIO, where: str, allowed: AllowedNames
) -> tuple[tuple[tuple[Name, str], ...], tuple[tuple[str, str], ...]]:
    """(names with their place, (what, place) of everything not allowed). Raises TaskError where it is no skops file."""
    names: list[tuple[Name, str]] = []
    problems: list[tuple[str, str]] = []
    for node, place in _nodes(_schema(source, where)):
        loader, module, name = (node.get(key) for key in ("__loader__", "__module__", "__class__"))
        if not isinstance(module, str) or not isinstance(name, str):
            problems.append(("has a node without a class", place))
            continue
        found = Name(module, name)
        names.append((found, place))
        if problem := _problem(str(loader), found, allowed):
            problems.append((problem, place))
    return tuple(names), tuple(problems)


def _problem(loader: str, found: Name, allowed: AllowedNames) -> str:
    if loader in _HOLDS:
        return "" if found in _PLAIN or allowed.may_instantiate(found) else f"names {found}"
    if loader not in _INSTANTIATES and loader not in _NAMES:
        return f"has a node of the kind {loader}, which may call {found},"
    if "." in found.name:
        return f"names {found} with a dotted name"
    if found not in _PLAIN and not allowed.names(found):
        return f"names {found}"
    if loader in _INSTANTIATES and not allowed.may_instantiate(found):
        return f"makes an object of {found}"
    return ""


def _schema(source: BinaryIO, where: str) -> Any:
    try:
        with zipfile.ZipFile(source) as archive:
            if archive.getinfo(_SCHEMA).file_size > _SCHEMA_LIMIT:
                raise TaskError(f"{where} has a {_SCHEMA} of more than {_SCHEMA_LIMIT} bytes", "this is no skops file")
            return json.loads(archive.read(_SCHEMA))
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, RecursionError) as error:
        raise TaskError(
            f"{where} is an archive, but no skops file ({error})", "save with skops, joblib or pickle"
        ) from error
    finally:
        source.seek(0)


def _nodes(schema: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Every mapping with a loader or a class, and its place as a path of keys."""
    waiting: list[tuple[Any, str]] = [(schema, _SCHEMA)]
    while waiting:
        value, place = waiting.pop()
        if isinstance(value, dict):
            if "__class__" in value or "__loader__" in value:
                yield value, place
            waiting.extend((child, f"{place}/{key}") for key, child in value.items())
        elif isinstance(value, list):
            waiting.extend((child, f"{place}/{at}") for at, child in enumerate(value))


def load(source: BinaryIO, path: Path, allowed: AllowedNames) -> Any:
    """The object in a skops file. Raises TaskError that names the first thing that is not allowed."""
    from taskkit.pickles.inspection import refusal

    names, problems = inspect(source, str(path), allowed)
    if problems:
        raise refusal(path, *problems[0])
    try:
        import skops.io
    except ImportError as error:
        raise TaskError(
            f"{path} is a skops file, and skops is not installed here", "use an image with skops"
        ) from error
    try:
        return skops.io.load(source, trusted=sorted({str(name) for name, _ in names}))
    except Exception as error:
        raise TaskError(
            f"{path} can't be loaded: {type(error).__name__}: {error}",
            "it was saved with other versions or is damaged; train again",
        ) from error
