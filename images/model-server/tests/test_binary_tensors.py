"""The binary tensor data extension of /v2: the same answers as with JSON, and nothing misread."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ROWS = np.array([[6.1, 2.8, 4.7, 1.2], [5.1, 3.5, 1.4, 0.2]])
INFER = "/v2/models/model/infer"


def request(inputs, *contents, length=None, **more):
    """Headers and body; each of the inputs that has no data takes the next content."""
    left = list(contents)
    for one in inputs:
        if "data" not in one:
            one.setdefault("parameters", {})["binary_data_size"] = len(left.pop(0))
    head = json.dumps({"inputs": inputs, **more}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head) if length is None else length),
               "Content-Type": "application/octet-stream"}  # fmt: skip
    return head + b"".join(contents), headers


def ask(client, inputs, *contents, **more):
    body, headers = request(inputs, *contents, **more)
    return client.post(INFER, body, headers=headers)


def matrix(rows=ROWS, datatype="FP64"):
    return {"name": "input-0", "shape": list(rows.shape), "datatype": datatype}


def texts(*values):
    return b"".join(struct.pack("<I", len(value.encode())) + value.encode() for value in values)


def outputs_of(answer):
    """Name to values, in JSON or behind it."""
    assert answer.status == 200, answer
    length = int(answer.headers.get("inference-header-content-length", len(answer.body)))
    document, rest, found = json.loads(answer.body[:length]), answer.body[length:], {}
    for output in document["outputs"]:
        if "data" in output:
            found[output["name"]] = output["data"]
            continue
        size = output["parameters"]["binary_data_size"]
        content, rest = rest[:size], rest[size:]
        if output["datatype"] == "BYTES":
            values = []
            while content:
                (count,) = struct.unpack("<I", content[:4])
                values.append(content[4 : 4 + count].decode())
                content = content[4 + count :]
            found[output["name"]] = values
        else:
            kind = {"FP64": "<f8", "INT64": "<i8", "BOOL": "?"}[output["datatype"]]
            found[output["name"]] = np.frombuffer(content, kind).tolist()
    assert rest == b""
    return found


@pytest.mark.parametrize("datatype", ["FP64", "FP32"])
def test_a_matrix_in_bytes_gets_the_answers_of_the_same_numbers_in_json(client, datatype):
    kind = {"FP64": "<f8", "FP32": "<f4"}[datatype]
    rows = ROWS.astype(kind)
    plain = client("iris").infer({"inputs": [matrix(rows) | {"data": rows.astype(float).ravel().tolist()}]})
    assert outputs_of(ask(client("iris"), [matrix(rows, datatype)], rows.tobytes())) == outputs_of(plain)


def test_outputs_come_in_bytes_where_they_are_asked_for_so(client):
    iris = client("iris")
    plain = outputs_of(ask(iris, [matrix()], ROWS.tobytes()))
    everything = ask(iris, [matrix()], ROWS.tobytes(), parameters={"binary_data_output": True})
    assert everything.headers["content-type"] == "application/octet-stream"
    assert outputs_of(everything) == plain
    one = [{"name": "predict_proba", "parameters": {"binary_data": True}}, {"name": "predict"}]
    mixed = ask(iris, [matrix()], ROWS.tobytes(), outputs=one, id="7")
    length = int(mixed.headers["inference-header-content-length"])
    document = json.loads(mixed.body[:length])
    assert document["id"] == "7"
    assert ["data" in output for output in document["outputs"]] == [False, True]
    assert outputs_of(mixed) == plain
    in_json = {"inputs": [matrix() | {"data": ROWS.ravel().tolist()}], "parameters": {"binary_data_output": True}}
    assert outputs_of(iris.infer(in_json)) == plain


def test_columns_of_all_kinds_travel_in_bytes_and_nan_is_missing(client):
    cities, count = client("cities"), 2
    inputs = [{"name": name, "shape": [count], "datatype": datatype} for name, datatype in
              (("age", "FP64"), ("income", "FP32"), ("city", "BYTES"), ("member", "BOOL"))]  # fmt: skip
    contents = [np.array([30.5, 41.0], "<f8").tobytes(), np.array([np.nan, 1000.0], "<f4").tobytes(), texts("Oslo", "Rome"),
                b"\1\0"]  # fmt: skip
    rows = [{"age": 30.5, "income": None, "city": "Oslo", "member": True},
            {"age": 41.0, "income": 1000.0, "city": "Rome", "member": False}]  # fmt: skip
    expected = cities.predict(rows).document
    assert outputs_of(ask(cities, inputs, *contents))["predict"] == expected["predictions"]


@pytest.mark.parametrize(("inputs", "contents", "more", "status", "error"), [
    ([matrix()], [ROWS.tobytes()[:-8]], {}, 422, "tensor 'input-0' has 7 values, but its shape [2, 4] means 8"),
    ([matrix()], [ROWS.tobytes() + b"x"], {}, 400, "tensor 'input-0' has 65 bytes, which are no FP64 values"),
    ([matrix() | {"parameters": {}}], [], {}, 422, "the body does not have the expected structure: "),
    ([matrix()], [ROWS.tobytes()], {"length": 9999}, 400, "Inference-Header-Content-Length is 9999, but the body has "),
    ([matrix()], [np.full((2, 4), np.inf).tobytes()], {}, 422, "tensor 'input-0' holds numbers that are infinite"),
    ([matrix()], [np.full((2, 4), np.nan).tobytes()], {}, 422, "row 0 column 'sepal.length': is null, but training saw "),
    ([{"name": "x", "shape": [1], "datatype": "BYTES"}], [b"\xff\0\0\0a"], {}, 400, "the texts of tensor 'x' are longer"),
    ([{"name": "x", "shape": [1], "datatype": "BYTES"}], [b"\1\0\0\0\xff"], {}, 422, "tensor 'x' holds a text that is not UTF-8"),
])  # fmt: skip
def test_bytes_that_do_not_fit_are_refused_in_one_sentence(client, inputs, contents, more, status, error):
    inputs = [dict(one) for one in inputs]
    if not contents:
        body, headers = request([one | {"data": None} for one in inputs], **more)
        answer = client("iris").post(INFER, body, headers=headers)
    else:
        answer = ask(client("iris"), inputs, *contents, **more)
    assert answer.status == status
    assert answer.document["error"].startswith(error)


def test_sizes_that_are_no_sizes_and_bytes_that_nobody_owns_are_refused(client):
    for size, error in ((-1, "has binary_data_size -1, but 64 bytes are left"), (True, "has binary_data_size True"),
                        (65, "has binary_data_size 65, but 64 bytes are left"), (56, "there are 8 bytes behind the last tensor")):  # fmt: skip
        head = json.dumps({"inputs": [matrix() | {"parameters": {"binary_data_size": size}}]}).encode()
        answer = client("iris").post(
            INFER, head + ROWS.tobytes(), headers={"Inference-Header-Content-Length": str(len(head))}
        )
        assert answer.status in {400, 422}
        assert error in answer.document["error"]


@pytest.mark.parametrize("length", ["", "-1", "x", "1" * 5000])
def test_a_header_that_is_no_number_of_bytes_is_refused_or_not_there(client, length):
    body = json.dumps({"inputs": [matrix() | {"data": ROWS.ravel().tolist()}]}).encode()
    answer = client("iris").post(INFER, body, headers={"Inference-Header-Content-Length": length})
    assert answer.status == (400 if length else 200)
    if length:
        assert answer.document["error"].startswith("Inference-Header-Content-Length is '")


def test_other_paths_take_no_bytes(client):
    answer = client("iris").post("/predict", b"{}", headers={"Inference-Header-Content-Length": "2"})
    assert (answer.status, answer.document["error"]) == (415, "binary tensor data goes to /v2 only; send JSON")
    answer = client("iris").infer({"inputs": [matrix() | {"data": [], "parameters": {"binary_data_size": 64}}]})
    assert answer.status == 400
    assert "but there is no header Inference-Header-Content-Length" in answer.document["error"]


@given(st.binary(max_size=80), st.integers(0, 300), st.sampled_from(["FP64", "INT8", "BYTES", "BOOL", "FP16", "X"]))
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_answered_or_refused_never_a_fault(client, content, cut, datatype):
    body, headers = request([{"name": "input-0", "shape": [len(content) // 32, 4], "datatype": datatype}], content)
    answer = client("iris").post(INFER, body[:cut] if cut < 150 else body, headers=headers)
    assert answer.status in {200, 400, 422}
