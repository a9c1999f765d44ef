"""skops files: a zip archive with ``schema.json``, a tree of nodes that each name a class, and arrays beside it.

skops itself calls nothing that is not trusted by name and reads arrays without pickle; the same allowed list as for
pickles decides here what is trusted, and `skops_nodes` what may be called how.
"""

from __future__ import annotations

import importlib
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from taskkit.errors import TaskError
from taskkit.pickles import effects
from taskkit.pickles.names import AllowedNames, Name
from taskkit.pickles.skops_nodes import aliased, by_id, node_problem

_SCHEMA = "schema.json"
_SCHEMA_LIMIT = 256 << 20
_PROTOCOL = 2
"""Of skops 0.11 and later. Older ones may have readers of their own, with less care."""
_NPY_HEAD = 1 << 16
_ZIP = b"PK\x03\x04"


def is_archive(source: BinaryIO) -> bool:
    """Whether an open file is a zip archive; leaves it at its start."""
    start = source.read(4)
    source.seek(0)
    return start == _ZIP


def inspect(
    source: BinaryIO, where: str, allowed: AllowedNames
) -> tuple[tuple[tuple[Name, str], ...], tuple[tuple[str, str], ...]]:
    """(names with their place, (what, place) of everything not allowed). Raises TaskError where it is no skops file."""
    with _opened(source, where) as archive:
        schema = _schema(archive, where)
        nodes = list(_nodes(schema))
        cached = by_id(nodes)
        problems = [(problem, place) for node, place in nodes if (problem := node_problem(node, allowed, cached))]
        if schema.get("protocol") != _PROTOCOL:
            problems.insert(0, (f"was written by protocol {schema.get('protocol')} of skops", _SCHEMA))
        if found := aliased(nodes):
            problems.append(found)
        problems += ((f"holds objects in {name}", name) for name in _object_arrays(archive))
    return tuple((_name(node), place) for node, place in nodes), tuple(problems)


def nodes_of(source: BinaryIO, where: str) -> list[dict[str, Any]]:
    """All nodes of a skops file. Raises TaskError where it is none."""
    with _opened(source, where) as archive:
        return [node for node, _ in _nodes(_schema(archive, where))]


def _name(node: dict[str, Any]) -> Name:
    return Name(str(node.get("__module__")), str(node.get("__class__")))


@contextmanager
def _opened(source: BinaryIO, where: str) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(source) as archive:
            name, times = max(Counter(archive.namelist()).items(), key=lambda item: item[1], default=("", 0))
            if times > 1:
                raise TaskError(f"{where} holds {name} twice", "this is no skops file")
            yield archive
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, RecursionError, EOFError, NotImplementedError) as error:
        raise TaskError(
            f"{where} is an archive, but no skops file ({error})", "save with skops, joblib or pickle"
        ) from error
    finally:
        source.seek(0)


def _schema(archive: zipfile.ZipFile, where: str) -> dict[str, Any]:
    if archive.getinfo(_SCHEMA).file_size > _SCHEMA_LIMIT:
        raise TaskError(f"{where} has a {_SCHEMA} of more than {_SCHEMA_LIMIT} bytes", "this is no skops file")
    schema = json.loads(archive.read(_SCHEMA), object_pairs_hook=_once)
    if not isinstance(schema, dict):
        raise ValueError(f"{_SCHEMA} is no object")  # noqa: TRY004 - of the file, not of an argument
    return schema


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(f"{_SCHEMA} has a key twice")
    return found


def _object_arrays(archive: zipfile.ZipFile) -> Iterator[str]:
    """Members whose arrays are pickles: numpy refuses to read those, so that no skops file has them."""
    for name in archive.namelist():
        with archive.open(name) as member:
            head = member.read(_NPY_HEAD)
            if _holds_objects(head):
                yield name
            elif head.startswith(_ZIP):  # a sparse matrix: an archive of arrays
                with zipfile.ZipFile(io.BytesIO(head + member.read())) as inner:
                    yield from (f"{name}/{one}" for one in _object_arrays(inner))


def _holds_objects(head: bytes) -> bool:
    """Whether the header of an .npy file declares objects (``|O``), in whatever position of a record."""
    return head.startswith(b"\x93NUMPY") and re.search(rb"'descr'\s*:[^}]*'[|<>=]?O\d*'", head) is not None


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
    for name, _ in names:
        if name in allowed.project:
            importlib.import_module(name.module)  # the project's own code may do what it likes
    try:
        with effects.stopped():
            return skops.io.load(source, trusted=sorted({str(name) for name, _ in names}))
    except effects.EffectError as error:
        raise refusal(path, error.what, _SCHEMA) from error
    except Exception as error:
        raise TaskError(
            f"{path} can't be loaded: {type(error).__name__}: {error}",
            "it was saved with other versions or is damaged; train again",
        ) from error
