"""/openapi.json tells the truth about the model, and so does the README."""

import json
import re
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_server.column_schemas import row_schema
from model_server.refusals import Problems
from model_server.row_reading import RowReader
from taskkit.model_signature import Column, Outputs, Signature

README = Path(__file__).parents[1] / "README.md"
SIGNED = ("iris", "mixed", "text", "regression", "outputs")


def document_of(client, name):
    answer = client(name).get("/openapi.json")
    assert answer.status == 200
    return answer.document


def validator(document, schema):
    """A schema of the document, with its references."""
    return jsonschema.Draft202012Validator({**schema, "components": document["components"]})


def media_of(document, path):
    operation = document["paths"][path]["post"]
    return operation["requestBody"]["content"]["application/json"], operation["responses"]["200"]["content"][
        "application/json"
    ]


@pytest.mark.parametrize("name", [*SIGNED, "iris-unsigned"])
def test_the_document_is_whole_and_needs_nothing_from_elsewhere(client, name):
    document = document_of(client, name)
    assert document["openapi"] == "3.1.0"
    assert set(re.findall(r'"\$ref": "(.*?)"', json.dumps(document))) <= {
        f"#/components/schemas/{schema}" for schema in document["components"]["schemas"]
    }
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    assert "http" not in json.dumps(document)


@pytest.mark.parametrize("name", SIGNED)
def test_every_example_is_valid_and_is_answered_as_the_document_says(client, name):
    document = document_of(client, name)
    request, response = media_of(document, "/predict")
    for title, example in request["examples"].items():
        validator(document, request["schema"]).validate(example["value"])
        answer = client(name).predict(example["value"])
        assert answer.status == 200, (title, answer)
        validator(document, response["schema"]).validate(answer.document)
    first = client(name).predict(request["examples"]["one row"]["value"]).document
    assert same(response["example"]["predictions"], first["predictions"])


@pytest.mark.parametrize("name", SIGNED)
def test_the_example_of_infer_is_answered_as_the_document_says(client, name):
    document = document_of(client, name)
    request, response = media_of(document, "/v2/models/model/infer")
    validator(document, request["schema"]).validate(request["example"])
    answer = client(name).infer(request["example"])
    assert answer.status == 200, answer
    validator(document, response["schema"]).validate(answer.document)


def test_columns_have_their_types_and_what_training_saw_as_a_hint(client):
    columns = document_of(client, "mixed")["components"]["schemas"]["Row"]["properties"]
    assert list(columns) == ["age", "income", "city", "plan", "member"]
    assert columns["age"]["type"] == "integer"
    assert re.fullmatch(r"an integer; training saw \d+ to \d+", columns["age"]["description"])
    assert columns["income"]["type"] == ["number", "null"]
    assert columns["city"]["anyOf"] == [
        {"enum": ["Bonn", "Oslo", "Rome"], "title": "seen in training"},
        {"type": "string"},
    ]
    assert columns["plan"]["anyOf"][0]["enum"] == ["a", "b", None]
    assert columns["member"] == {"type": "boolean", "description": "true or false"}


def test_every_refusal_has_the_documented_shape(client):
    document = document_of(client, "iris")
    answers = document["paths"]["/predict"]["post"]["responses"]
    for body in (b"{", b"[]", b"[1]", b'{"x": 1}'):
        answer = client("iris").post("/predict", body)
        schema = answers[str(answer.status)]["content"]["application/json"]["schema"]
        validator(document, schema).validate(answer.document)


def test_without_a_signature_predict_is_not_documented(client):
    assert "/predict" not in document_of(client, "iris-unsigned")["paths"]
    assert "/v2/models/model/infer" in document_of(client, "iris-unsigned")["paths"]


def test_every_documented_path_to_get_is_there(client):
    for path, operations in document_of(client, "iris")["paths"].items():
        if "get" in operations:
            assert client("iris").get(path).status == 200, path
    page = client("iris").get("/docs")
    assert page.status == 200
    assert b"/openapi.json" in page.body


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_the_schema_of_a_row_and_the_reader_agree(data):
    kinds = {"number": ("float64", "float32"), "integer": ("int64", "uint8"), "boolean": ("bool",), "string": ("str",)}
    columns = []
    for name in ("a", "b"):
        kind = data.draw(st.sampled_from(sorted(kinds)))
        categories = data.draw(st.none() | st.just(("u", "v"))) if kind == "string" else None
        columns.append(
            Column(name, data.draw(st.sampled_from(kinds[kind])), kind, data.draw(st.booleans()), categories=categories)
        )
    signature = Signature("dataframe", "fit", tuple(columns), Outputs("other", "float64", "number", 1))
    values = (
        st.none() | st.booleans() | st.integers(-300, 300) | st.just(2**64) | st.sampled_from([1.5, 2.0, 1e300, -0.0])
        | st.sampled_from(["u", "w", ""]) | st.just([]) | st.just({})
    )  # fmt: skip
    row = data.draw(st.dictionaries(st.sampled_from(["a", "b", "c"]), values))
    problems = Problems()
    RowReader(signature).from_object(0, row, problems)
    assert jsonschema.Draft202012Validator(row_schema(signature)).is_valid(row) == (not problems.found)


EXAMPLE = re.compile(r"```http\n(GET|POST) (\S+)\n(.*?)```\n\n```json (\d+)\n(.*?)```", re.DOTALL)


def examples():
    """(model, method, path, body, status, answer) of each example; a model is named in the heading above as `model`."""
    found, model = [], ""
    for part in re.split(r"(?m)^(?=#)", README.read_text()):
        heading = re.search(r"\(model: (\S+)\)", part.partition("\n")[0])
        model = heading[1] if heading else model
        found += [(model, *groups) for groups in EXAMPLE.findall(part)]
    return found


def same(expected, found):
    """Numbers within what the README shows; '…' in it stands for anything."""
    if expected == "…":
        return True
    if isinstance(expected, str) and expected.endswith("…"):
        return isinstance(found, str) and found.startswith(expected[:-1])
    if isinstance(expected, float):
        return isinstance(found, (int, float)) and bool(np.isclose(expected, found, atol=5e-4))
    if isinstance(expected, list):
        return isinstance(found, list) and len(expected) == len(found) and all(map(same, expected, found))
    if isinstance(expected, dict):
        return (
            isinstance(found, dict)
            and list(expected) == list(found)
            and all(same(expected[key], found[key]) for key in expected)
        )
    return expected == found


@pytest.mark.parametrize("example", examples(), ids=lambda example: f"{example[0]}-{example[2]}-{example[4]}")
def test_the_readme_shows_what_really_comes_back(client, example):
    model, method, path, body, status, expected = example
    answer = client(model).request(method, path, body.encode(), {"Content-Type": "application/json"})
    assert answer.status == int(status), answer
    assert same(json.loads(expected), answer.document), answer


def test_the_readme_has_examples_of_every_kind():
    assert {(model, path) for model, _, path, *_ in examples()} >= {
        ("iris", "/predict"), ("text", "/predict"), ("regression", "/predict"), ("iris", "/v2/models/model/infer"),
        ("iris", "/v2/models/model"), ("mixed", "/predict"), ("iris-unsigned", "/predict"),
    }  # fmt: skip
