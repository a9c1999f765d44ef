"""``python -m catalog schemas [--check]``: the published JSON Schemas, generated from the classes that read and write.

A description is the docstring of the class or of the field, so that schema and code can't tell different stories.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from metric_gate.rules_document import BOUNDS, CHOICES, RELATIVE
from taskkit import gate_report, model_manifest, model_signature

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PUBLISHED = "https://sklearn-catalog.github.io/schemas/"
ROOT = Path(__file__).resolve().parents[2]

_TASKKIT = Path("images/taskkit/src/taskkit/schemas")
_GATE = Path("images/metric-gate/src/metric_gate/schemas")
_MODULES = (model_manifest, model_signature, gate_report)


@dataclass(frozen=True)
class Published:
    """``path`` is relative to the root of the tree; its last part is the name under which the schema is published."""

    path: Path
    schema: dict[str, Any]

    @property
    def content(self) -> str:
        head = {"$schema": DIALECT, "$id": PUBLISHED + self.path.name}
        return json.dumps(head | self.schema, indent=2, ensure_ascii=False) + "\n"


def published() -> tuple[Published, ...]:
    """Every schema that the tree publishes."""
    manifest = _struct_schema(model_manifest.ModelManifest, "Model manifest: model.json", model_manifest.__doc__ or "")
    report = _struct_schema(gate_report.GateReport, "Gate report: gate/report.json", gate_report.__doc__ or "")
    return (
        Published(_TASKKIT / "model.schema.json", manifest),
        Published(_TASKKIT / "gate-report.schema.json", report),
        Published(_GATE / "rules.schema.json", _rules_schema()),
    )


def _struct_schema(struct: type[msgspec.Struct], title: str, about: str) -> dict[str, Any]:
    """msgspec's schema of a class, with the docstrings of fields added."""
    schema = msgspec.json.schema(struct)
    definitions: dict[str, Any] = schema["$defs"]
    texts = _field_texts()
    for name, definition in definitions.items():
        if "description" in definition:
            definition["description"] = _prose(definition["description"])
        for field, text in texts.get(name, {}).items():
            definition["properties"][field]["description"] = text
    root: dict[str, Any] = definitions.pop(struct.__name__)
    first_paragraph = inspect.cleandoc(about).split("\n\n")[0]
    return root | {"title": title, "description": _prose(first_paragraph), "$defs": definitions}


def _field_texts() -> dict[str, dict[str, str]]:
    """Class name to field name to the string that stands below the field."""
    return {
        node.name: dict(_texts_below(node))
        for module in _MODULES
        for node in ast.parse(inspect.getsource(module)).body
        if isinstance(node, ast.ClassDef)
    }


def _texts_below(node: ast.ClassDef) -> list[tuple[str, str]]:
    return [
        (field.target.id, _prose(text.value.value))
        for field, text in zip(node.body, node.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    ]  # fmt: skip


def _prose(text: str) -> str:
    return " ".join(textwrap.dedent(text).replace("``", "`").split())


def _rules_schema() -> dict[str, Any]:
    bounds: dict[str, dict[str, Any]] = {name: {"type": "number", "description": text} for name, text in BOUNDS.items()}
    for name in RELATIVE:
        bounds[name]["minimum"] = 0
    rule = {
        "title": "Rule",
        "description": "What one metric must satisfy: every bound that is given.",
        "type": "object",
        "properties": {
            **bounds,
            "direction": {
                "enum": list(CHOICES["direction"]),
                "description": "Whether higher or lower is better; needed only where the name does not tell.",
            },
            "severity": {
                "enum": list(CHOICES["severity"]),
                "default": "error",
                "description": "A warning is shown in the report and decides nothing.",
            },
        },
        "additionalProperties": False,
        "anyOf": [{"required": [name]} for name in bounds],
    }
    return {
        "title": "Rules of metric-gate",
        "description": "A map from the name of a metric to what it must satisfy.",
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/Rule"},
        "minProperties": 1,
        "$defs": {"Rule": rule},
    }


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m catalog schemas", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file is not up to date")
    check = parser.parse_args(argv).check
    stale = [one for one in published() if not _same(ROOT / one.path, one.content)]
    for one in stale:
        if check:
            print(f"schemas: error: {one.path} is not what the code says; run ./scripts/fix", file=sys.stderr)
        else:
            (ROOT / one.path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / one.path).write_text(one.content, encoding="utf-8")
            print(f"written: {one.path}")
    return 3 if check and stale else 0


def _same(path: Path, content: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == content
