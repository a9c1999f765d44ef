"""The published JSON Schemas: valid, up to date, and telling the same as the code that reads."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from catalog import schemas
from metric_gate.rules_document import BOUNDS, parse_rules
from taskkit.errors import UsageError

PUBLISHED = {one.path.name: one for one in schemas.published()}


def validator(name):
    return Draft202012Validator(PUBLISHED[name].schema)


def inner_objects(schema):
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            yield schema
        for value in schema.values():
            yield from inner_objects(value)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_schema_is_valid_strict_and_says_what_it_is(name):
    document = json.loads(PUBLISHED[name].content)
    Draft202012Validator.check_schema(document)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["$id"].endswith(f"/{name}")
    assert document["title"]
    assert document["description"]
    tables = list(inner_objects(document))
    assert tables
    assert all(table["additionalProperties"] is False for table in tables)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_file_in_the_tree_is_what_the_code_says(name):
    assert (schemas.ROOT / PUBLISHED[name].path).read_text() == PUBLISHED[name].content


def test_a_drift_is_named_and_mended(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(schemas, "ROOT", tmp_path)
    assert schemas.main([]) == 0
    assert schemas.main(["--check"]) == 0
    drifted = tmp_path / PUBLISHED["model.schema.json"].path
    drifted.write_text(drifted.read_text().replace('"1"', '"2"'))
    capsys.readouterr()
    assert schemas.main(["--check"]) == 3
    assert capsys.readouterr().err == (
        "schemas: error: images/taskkit/src/taskkit/schemas/model.schema.json is not what the code says; run ./scripts/fix\n"
    )
    assert schemas.main([]) == 0
    assert schemas.main(["--check"]) == 0


fields = st.fixed_dictionaries(
    {},
    optional={
        **{bound: st.sampled_from([-1, 0, 0.5, 2, "0.5", None, True]) for bound in BOUNDS},
        "direction": st.sampled_from(["higher", "lower", "up", 1]),
        "severity": st.sampled_from(["error", "warning", "info"]),
        "unknown": st.just(1),
    },
)


@given(st.dictionaries(st.sampled_from(["accuracy", "loss"]), fields, max_size=2))
def test_editors_and_the_gate_accept_the_same_rules(rules):
    for_editors = validator("rules.schema.json").is_valid(rules)
    try:
        accepted = parse_rules(yaml.safe_dump(rules), "rules") is not None
    except UsageError as error:
        accepted = "no value can satisfy both" in str(error)  # a comparison, which a schema can't express
    assert accepted == for_editors
