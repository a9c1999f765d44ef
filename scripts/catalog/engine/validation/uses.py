"""Where texts use variables: whether what they name exists and fits the place.

Tekton's webhook looks at some fields only; what it overlooks elsewhere stays in the text literally when the run comes.
Such places pass ``Level.WARNING``. Source: https://tekton.dev/docs/pipelines/variables/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum, auto

from catalog.engine import references
from catalog.engine.documents import FieldPath
from catalog.engine.findings import Level
from catalog.engine.references import Reference
from catalog.engine.validation.declarations import Declared, Scope, unknown
from catalog.engine.validation.parts import Sheet, shortened

TASK_CONTEXT = {"taskRun": ("name", "namespace", "uid"), "task": ("name", "retry-count")}
PIPELINE_CONTEXT = {"pipelineRun": ("name", "namespace", "uid"), "pipeline": ("name",), "pipelineTask": ("retries",)}


class Place(Enum):
    """What a text is part of, which decides how arrays and objects may stand in it."""

    FIELD = auto()  # one text: neither arrays nor objects
    ELEMENT = auto()  # an entry of a list: a whole array may stand alone
    VALUE = auto()  # a param's value: `$(params.x[*])` alone is a whole array or object


def check_params(
    sheet: Sheet, where: FieldPath, text: str, place: Place, scope: Scope, level: Level = Level.ERROR
) -> None:
    """Every ``$(params…)`` in a text."""
    for reference in references.find(text):
        if reference.root == "params":
            _check_param(sheet, where, text, reference, place, scope, level)
    for bad in references.malformed(text):
        if bad.text.startswith("$(params"):
            # Without its closing bracket it is no variable for Tekton either.
            how = level if bad.text.endswith(")") else Level.WARNING
            message = f"{shortened(bad.text)!r} is no well-formed variable"
            sheet.add(how, "malformed-variable", where, message, "write $(params.name)", bad.start)


def _check_param(
    sheet: Sheet, where: FieldPath, text: str, reference: Reference, place: Place, scope: Scope, level: Level
) -> None:
    name, keys = reference.path[1], reference.path[2:]
    if len(keys) > 1:
        message = f"{reference.text!r} has too many parts"
        remedy = 'write $(params.name), $(params.name.key), or $(params["name.with.dots"])'
        sheet.add(level, "malformed-variable", where, message, remedy, reference.start)
    elif keys and "[" in reference.text:
        message = f"{reference.text!r} stays as it is: a name in brackets takes no key"
        sheet.warning("malformed-variable", where, message, "write $(params.name.key)", reference.start)
    elif (param := scope.get(name)) is None:
        message = f"{reference.text!r}: the param {name!r} is not declared"
        sheet.add(level, "undeclared-param", where, message, unknown(name, scope), reference.start)
    elif param.type == "array":
        _check_array(sheet, where, text, reference, place, level)
    elif param.type == "object":
        _check_object(sheet, where, text, reference, place, param, level)
    elif keys or reference.index is not None:
        message = f"{reference.text!r} stays as it is: the param {name!r} is a string"
        sheet.warning("param-type", where, message, f"write $(params.{name})", reference.start)


def _check_array(sheet: Sheet, where: FieldPath, text: str, reference: Reference, place: Place, level: Level) -> None:
    name = reference.path[1]
    message = remedy = ""
    if len(reference.path) > 2:
        message, remedy = "an array has no keys", f"write $(params.{name}[*]) or $(params.{name}[0])"
    elif isinstance(reference.index, int):
        return
    elif place is Place.FIELD:
        message = "an array cannot stand in a single text"
        remedy = f"pick one with $(params.{name}[0]), or pass the array as an entry of its own in args"
    elif reference.text != text:
        message = "a whole array must stand alone, with nothing around it"
        remedy = f"make $(params.{name}[*]) an entry of its own"
    elif place is Place.VALUE and reference.index != "*":
        message, remedy = "a whole array is passed on with [*]", f"write $(params.{name}[*])"
    if message:
        sheet.add(level, "param-type", where, f"{reference.text!r}: {message}", remedy, reference.start)


def _check_object(
    sheet: Sheet, where: FieldPath, text: str, reference: Reference, place: Place, param: Declared, level: Level
) -> None:
    name, keys = reference.path[1], reference.path[2:]
    if keys:
        if keys[0] not in param.keys:
            message = f"{reference.text!r}: the object {name!r} has no key {keys[0]!r}"
            sheet.add(level, "unknown-key", where, message, unknown(keys[0], param.keys), reference.start)
    elif isinstance(reference.index, int):
        message = f"{reference.text!r} stays as it is: the param {name!r} is an object"
        sheet.warning("param-type", where, message, f"write $(params.{name}.key)", reference.start)
    elif not (place is Place.VALUE and reference.index == "*" and reference.text == text):
        message = f"{reference.text!r}: an object can only be used by its keys"
        if place is Place.VALUE:
            message += f", or passed on whole as $(params.{name}[*]) alone"
        example = min(param.keys, default="key")
        sheet.add(level, "param-type", where, message, f"write $(params.{name}.{example})", reference.start)


def check_context(
    sheet: Sheet, where: FieldPath, text: str, known: Mapping[str, Iterable[str]], refusing: Iterable[str]
) -> None:
    """Every ``$(context…)``: of an owner without meaning here, or of a known owner with an unknown property, which
    the webhook refuses for the owners named in ``refusing``."""
    for reference in references.find(text):
        if reference.root != "context":
            continue
        owner, names = reference.path[1], reference.path[2:]
        if owner not in known:
            message = f"{reference.text!r} stays as it is: it has no meaning here"
            remedy = unknown(
                ".".join(reference.path), [f"context.{one}.{what}" for one in known for what in known[one]]
            )
            sheet.warning("unknown-context", where, message, remedy, reference.start)
        elif len(names) != 1 or names[0] not in known[owner]:
            message = f"{reference.text!r} does not exist"
            remedy = "known: " + ", ".join(f"$(context.{owner}.{what})" for what in known[owner])
            level = Level.ERROR if owner in refusing else Level.WARNING
            sheet.add(level, "unknown-context", where, message, remedy, reference.start)


WORKSPACE_PROPERTIES = ("path", "bound", "claim", "volume")


def check_workspaces(sheet: Sheet, where: FieldPath, text: str, declared: Iterable[str]) -> None:
    """Every ``$(workspaces…)``. Tekton accepts undeclared ones and leaves them in the text."""
    known = set(declared)
    for reference in references.find(text):
        if reference.root != "workspaces":
            continue
        name, rest = reference.path[1], reference.path[2:]
        if name not in known:
            message = f"{reference.text!r} stays as it is: the workspace {name!r} is not declared"
            sheet.warning("undeclared-workspace", where, message, unknown(name, known), reference.start)
        elif len(rest) != 1 or rest[0] not in WORKSPACE_PROPERTIES:
            message = f"{reference.text!r} stays as it is: a workspace has no such property"
            remedy = "known: " + ", ".join(f"$(workspaces.{name}.{what})" for what in WORKSPACE_PROPERTIES)
            sheet.warning("undeclared-workspace", where, message, remedy, reference.start)
