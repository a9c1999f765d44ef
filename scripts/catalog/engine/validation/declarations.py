"""What specs declare: params and results with their types. Source: https://tekton.dev/docs/pipelines/tasks/"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from catalog.engine import schema
from catalog.engine.findings import Level
from catalog.engine.validation import names
from catalog.engine.validation.parts import Part, Sheet, duplicates

TYPES = ("string", "array", "object")


@dataclass(frozen=True, slots=True)
class Declared:
    """One param or result: its type, the keys of an object, and whether a param has a default."""

    name: str
    type: str
    keys: frozenset[str] = frozenset()
    default: Any = None

    @property
    def required(self) -> bool:
        return self.default is None


Scope = Mapping[str, Declared]


def type_of(value: Any) -> str:
    """The type of a param's value as stored: a string, an array or an object."""
    if isinstance(value, list):
        return "array"
    return "object" if isinstance(value, dict) else "string"


def declared(spec: Part) -> Declared:
    """A declaration with the type that Tekton fills in where none is written."""
    keys = frozenset(spec.part("properties").body)
    default = spec.body.get("default")
    if spec.text("type"):
        kind = spec.text("type")
    elif "properties" in spec:
        kind = "object"
    else:
        kind = "string" if default is None else type_of(default)
    return Declared(spec.text("name"), kind, keys, default)


def scope_of(specs: Iterable[Part]) -> dict[str, Declared]:
    return {spec.text("name"): declared(spec) for spec in specs}


def own_scope(spec: Part, around: Scope) -> dict[str, Declared]:
    """Params usable in an inline spec: its own, and those around it that it does not declare."""
    return {**around, **scope_of(spec.parts("params"))}


def given(params: Iterable[Part]) -> dict[str, Declared]:
    """Params that are given somewhere, as declarations: what an inline spec may use without declaring it."""
    found: dict[str, Declared] = {}
    for param in params:
        value = param.body.get("value")
        keys = frozenset(value) if isinstance(value, dict) else frozenset[str]()
        found[param.text("name")] = Declared(param.text("name"), type_of(value), keys, "" if value is None else value)
    return found


def check_params(sheet: Sheet, specs: list[Part], names_level: Level = Level.ERROR) -> None:
    """Names, types, defaults and keys of declared params. Of Pipelines nobody refuses a name: ``names_level``."""
    for again, first in duplicates(specs):
        message = f"the param {again.text('name')!r} is declared twice"
        sheet.error("duplicate-name", again.at("name"), message, f"also declared at line {_line(sheet, first)}")
    for spec in specs:
        check_param_name(sheet, spec, declared(spec), names_level)
        _check_param(sheet, spec, declared(spec))


def _line(sheet: Sheet, part: Part) -> int:
    return sheet.document.position(part.at("name")).line


def check_param_name(sheet: Sheet, part: Part, param: Declared, level: Level) -> None:
    """The name of a declared or given param, and the keys of an object."""
    pattern = names.OBJECT_PARAM if param.type == "object" else names.PARAM
    keys_at = "properties" if "properties" in part else "value"
    keys = ((key, part.at(keys_at, key)) for key in sorted(param.keys))
    for name, where in ((param.name, part.at("name")), *keys):
        if name and not pattern.fullmatch(name):
            allowed = "letters, digits, '_' and '-'" if param.type == "object" else "letters, digits, '_', '-' and '.'"
            remedy = f"{allowed}, beginning with a letter or '_'"
            sheet.add(level, "invalid-name", where, f"{name!r} is no name for a param", remedy)


def _check_param(sheet: Sheet, spec: Part, param: Declared) -> None:
    if param.type not in TYPES:
        message = f"{param.type!r} is no type of a param"
        sheet.error("param-type", spec.at("type"), message, f"one of {', '.join(TYPES)}")
        return
    if "default" in spec and type_of(param.default) != param.type:
        message = f"the default is {_article(type_of(param.default))}, but the param is {_article(param.type)}"
        sheet.error("param-type", spec.at("default"), message, "make both the same")
    if param.type == "object" and "properties" not in spec:
        message = f"the object param {param.name!r} declares no keys"
        sheet.error("missing-field", spec.at("properties"), message, "add 'properties' with each key's type")
    _check_key_types(sheet, spec)
    if spec.texts("enum"):
        message = "'enum' is an alpha feature that clusters switch off by default"
        sheet.error("feature", spec.at("enum"), message, "let the program refuse the value instead")


def _check_key_types(sheet: Sheet, spec: Part, default: str = "string") -> None:
    properties = spec.part("properties")
    for key in properties.body:
        kind = properties.part(key).body.get("type") or default
        if kind != "string":
            message = f"the key {key!r} must have the type 'string', not {kind!r}"
            sheet.error("param-type", properties.at(key, "type"), message, "write 'type: string'")


def check_results(sheet: Sheet, results: list[Part], *, of_step: bool = False) -> None:
    """Names and types of declared results. Two of one name are accepted by Tekton; they mean nothing good.

    The types of an object's keys may be left out, but for results of steps.
    """
    for again, first in duplicates(results):
        message = f"the result {again.text('name')!r} is declared twice"
        sheet.warning("duplicate-name", again.at("name"), message, f"also declared at line {_line(sheet, first)}")
    for result in results:
        name = result.text("name")
        if name and not names.RESULT.fullmatch(name):
            remedy = "letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"
            sheet.error("invalid-name", result.at("name"), f"{name!r} is no name for a result", remedy)
        kind = declared(Part({**result.body, "default": None}, result.path)).type
        if kind not in TYPES:
            message = f"{kind!r} is no type of a result"
            sheet.error("result-type", result.at("type"), message, f"one of {', '.join(TYPES)}")
        if kind == "object":
            if "properties" not in result:
                message = f"the object result {name!r} declares no keys"
                sheet.error("missing-field", result.at("properties"), message, "add 'properties' with each key's type")
            _check_key_types(sheet, result, "" if of_step else "string")


def unknown(name: str, scope: Iterable[str]) -> str:
    """The remedy for a name that is not declared."""
    return schema.near(name, scope) or "declare it"


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'ao' else 'a'} {kind}"
