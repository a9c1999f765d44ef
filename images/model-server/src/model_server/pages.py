"""The page at / where a person can try the model, and the one at /docs. Nothing is loaded from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
import statistics
from collections import Counter
from collections.abc import Sequence
from html import escape
from importlib import resources
from typing import Any

import msgspec

from model_server.column_schemas import example_row
from model_server.loading import LoadedModel
from model_server.refusals import Reply
from model_server.row_reading import KINDS, allowed_text
from model_server.tensor_metadata import ModelMetadata
from taskkit.model_signature import Column, GoldenRows, Label, Signature

HTML = b"text/html; charset=utf-8"


def try_page(loaded: LoadedModel, metadata: ModelMetadata) -> Reply:
    """A form of the model's columns, filled in with what is usual."""
    signature = loaded.checked.manifest.signature
    if signature is None:
        reason = loaded.checked.manifest.signature_reason or "nothing was observed in training"
        text = (
            f"The columns of this model are not known ({reason}), so there is no form. "
            f"It takes plain arrays at /v2/models/{metadata.name}/infer."
        )
        return _page(metadata.name, _main(loaded, metadata, f'<section class="card"><p>{escape(text)}</p></section>'))
    start = usual_row(signature, loaded.golden)
    known = {
        "path": metadata.rows_route,
        "columns": [
            {"name": column.name, "kind": column.kind, "nullable": column.nullable, "hint": _hint(column),
             "categories": column.categories, "range": _range(column), "start": value}
            for column, value in zip(signature.columns, start, strict=True)
        ],
    }  # fmt: skip
    data = json.dumps(known).replace("<", "\\u003c")
    form = (
        '<div class="halves"><form id="row" class="card"><h2>A row</h2><div id="fields" class="fields"></div>'
        "<button>Predict</button><noscript><p>The form needs JavaScript.</p></noscript></form><div>"
        '<section class="card" aria-live="polite"><h2>Prediction</h2><div id="answer">…</div></section>'
        '<section class="card"><details><summary>The request</summary><pre id="curl"></pre></details>'
        '<details><summary>The answer</summary><pre id="json"></pre></details></section>'
        f"{_facts(loaded)}</div></div>"
    )
    script = f'<script type="application/json" id="model">{data}</script>\n<script>{_file("page.js")}</script>'
    return _page(metadata.name, _main(loaded, metadata, form), script)


def usual_row(signature: Signature, golden: GoldenRows | None) -> list[Label | None]:
    """The median of each number in the golden rows, else the most frequent value."""
    rows = golden.rows if golden is not None else ()
    if not rows:
        return example_row(signature, ())
    return [_usual(column, [row[at] for row in rows]) for at, column in enumerate(signature.columns)]


def _usual(column: Column, values: Sequence[Label | None]) -> Label | None:
    present = [value for value in values if value is not None]
    if not present:
        return None
    if column.kind in {"number", "integer"}:
        return _short(statistics.median_low([value for value in present if not isinstance(value, str)]))
    return Counter(present).most_common(1)[0][0]


def _short(value: Label) -> Label:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _hint(column: Column) -> str:
    """With fewer digits, which is enough to read. Categories are in the list that they are chosen from."""
    if column.categories:
        return KINDS[column.kind]
    extremes = {name: _short(value) for name in ("minimum", "maximum") if (value := getattr(column, name)) is not None}
    return allowed_text(msgspec.structs.replace(column, **extremes))


def _range(column: Column) -> list[Label] | None:
    """What training saw of numbers, outwards to six digits."""
    least, most = column.minimum, column.maximum
    if column.kind not in {"number", "integer"} or isinstance(least, str | None) or isinstance(most, str | None):
        return None
    return [min(_short(least), least), max(_short(most), most)]


def docs_page(document: dict[str, Any], loaded: LoadedModel, metadata: ModelMetadata) -> Reply:
    """The OpenAPI document to read."""
    operations = [
        _operation(path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    schemas = "".join(f"<details><summary>{escape(name)}</summary>{_pre(schema)}</details>"
                      for name, schema in document["components"]["schemas"].items())  # fmt: skip
    body = (
        f'<section class="card"><h2>Requests</h2>{"".join(operations)}</section>'
        f'<section class="card"><h2>Schemas</h2>{schemas}</section>'
    )
    return _page(f"{metadata.name}: documentation", _main(loaded, metadata, body))


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    parts = []
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        examples = media.get("examples") or ({"example": {"value": media["example"]}} if "example" in media else {})
        parts += [f"<p>{escape(title)} ({escape(kind)})</p>{_pre(example['value'])}"
                  for title, example in examples.items()]  # fmt: skip
    answers = "".join(f"<dt>{escape(status)}</dt><dd>{escape(answer['description'])}</dd>"
                      for status, answer in operation["responses"].items())  # fmt: skip
    summary = escape(operation.get("summary", ""))
    return (
        f'<details class="operation"><summary><span class="method">{method.upper()}</span> {escape(path)} '
        f"<small>{summary}</small></summary>{''.join(parts)}<dl>{answers}</dl></details>"
    )


def _pre(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return f"<pre>{escape(text)}</pre>"


def _main(loaded: LoadedModel, metadata: ModelMetadata, inner: str) -> str:
    kind = escape(loaded.checked.manifest.estimator.class_name)
    links = " · ".join(f'<a href="{path}">{name}</a>' for path, name in (
        ("/", "try it"), ("/docs", "documentation"), ("/openapi.json", "OpenAPI"), ("/metrics", "metrics"),
        ("/health", "health")))  # fmt: skip
    head = f"<header><h1>{escape(metadata.name)}</h1><p>{kind}, version <code>{metadata.version}</code><br>{links}</p>"
    return f"<main>{head}</header>{inner}</main>"


def _facts(loaded: LoadedModel) -> str:
    manifest = loaded.checked.manifest
    facts = [
        ("digest", loaded.checked.digest),
        ("engine", loaded.engine.name),
        ("golden rows", f"{loaded.replayed} replayed"),
        *((name, f"{value:.6g}") for name, value in manifest.metrics.items()),
        ("commit", manifest.source.commit or "none"),
    ]
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return f'<section class="card"><h2>The model</h2><dl>{listed}</dl></section>'


def _file(name: str) -> str:
    return resources.files("model_server").joinpath("page", name).read_text("utf-8")


def _page(title: str, body: str, script: str = "") -> Reply:
    style = _file("page.css")
    parts = {"title": escape(title), "style": style, "body": body, "script": script}
    text = _file("page.html").format(**parts)
    allowed = [f"style-src {_hash(style)}", "img-src data:", "connect-src 'self'", "base-uri 'none'",
               "form-action 'none'", "frame-ancestors 'none'"]  # fmt: skip
    if script:
        allowed.append(f"script-src {_hash(_file('page.js'))}")
    policy = "; ".join(["default-src 'none'", *allowed])
    headers = ((b"content-security-policy", policy.encode()), (b"x-content-type-options", b"nosniff"),
               (b"referrer-policy", b"no-referrer"))  # fmt: skip
    return Reply(200, text.encode(), HTML, headers)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
