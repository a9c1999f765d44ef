"""/v2: the Open Inference Protocol."""

import base64
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_server.refusals import Refusal
from model_server.tensor_metadata import DATATYPES, datatype_of
from model_server.tensor_protocol import ColumnTensors, RequestTensor, tensor_values

NAMES = ("sepal.length", "sepal.width", "petal.length", "petal.width")
ROWS = [[6.1, 2.8, 4.7, 1.2], [5.1, 3.5, 1.4, 0.2]]


def tensor(data, shape=None, datatype="FP64", name="input-0", **more):
    return {"name": name, "shape": shape or [len(data)], "datatype": datatype, "data": data, **more}


def matrix(rows=ROWS, **more):
    return tensor(rows, [len(rows), len(rows[0])], **more)


def columns(rows=ROWS, **more):
    return [
        tensor(list(values), name=name, **more) for name, values in zip(NAMES, zip(*rows, strict=True), strict=True)
    ]


def outputs_of(answer):
    assert answer.status == 200, answer
    return {output["name"]: output for output in answer.document["outputs"]}


def test_the_server_and_the_model_describe_themselves(client):
    iris = client("iris")
    assert iris.get("/v2").document == {
        "name": "sklearn-catalog-model-server",
        "version": "0.1.0",
        "extensions": ["binary_tensor_data"],
    }
    assert iris.get("/v2/models").document == {"models": ["model"]}
    document = iris.get("/v2/models/model").document
    version = iris.loaded.checked.digest.removeprefix("sha256:")[:12]
    assert document == {
        "name": "model", "versions": [version], "platform": "sklearn_joblib",
        "inputs": [{"name": name, "datatype": "FP64", "shape": [-1]} for name in NAMES],
        "outputs": [
            {"name": "predict", "datatype": "BYTES", "shape": [-1]},
            {"name": "predict_proba", "datatype": "FP64", "shape": [-1, 3],
             "parameters": {"labels": '["Setosa", "Versicolor", "Virginica"]'}},
        ],
    }  # fmt: skip
    assert iris.get(f"/v2/models/model/versions/{version}").document == document


@pytest.mark.parametrize(
    ("name", "inputs", "outputs"),
    [
        ("mixed", [("age", "INT64", [-1]), ("income", "FP64", [-1]), ("city", "BYTES", [-1]), ("plan", "BYTES", [-1]), ("member", "BOOL", [-1])], [("predict", "INT64", [-1]), ("predict_proba", "FP64", [-1, 2])]),
        ("text", [("review", "BYTES", [-1])], [("predict", "INT64", [-1]), ("predict_proba", "FP64", [-1, 2])]),
        ("regression", [("input-0", "FP64", [-1, 3])], [("predict", "FP64", [-1])]),
        ("outputs", [("input-0", "FP64", [-1, 3])], [("predict", "FP64", [-1, 2])]),
        ("iris-unsigned", [("input-0", "FP64", [-1, -1])], [("predict", "BYTES", [-1]), ("predict_proba", "FP64", [-1, 3])]),
    ],
)  # fmt: skip
def test_metadata_comes_from_the_signature(client, name, inputs, outputs):
    document = client(name).get("/v2/models/model").document
    for side, expected in (("inputs", inputs), ("outputs", outputs)):
        assert [(one["name"], one["datatype"], one["shape"]) for one in document[side]] == expected


def test_health_has_the_protocols_words(client):
    iris = client("iris")
    version = iris.loaded.checked.digest
    assert iris.get("/v2/health/live").document == {"live": True}
    assert iris.get("/v2/health/ready").document == {"ready": True}
    for path in ("/v2/models/model/ready", f"/v2/models/model/versions/{version}/ready"):
        assert iris.get(path).document == {"name": "model", "ready": True}


@pytest.mark.parametrize(
    "inputs",
    [
        columns(),
        list(reversed(columns())),
        columns(datatype="FP32"),
        [one | {"shape": [2, 1], "data": [[value] for value in one["data"]]} for one in columns()],
        [matrix()],
        [matrix(name="predict")],
        [matrix() | {"data": [value for row in ROWS for value in row]}],
        [matrix(parameters={"content_type": "np"})],
    ],
)
def test_rows_are_one_tensor_per_column_or_one_matrix_flat_or_nested(client, inputs):
    answer = client("iris").infer({"id": "42", "inputs": inputs})
    outputs = outputs_of(answer)
    assert answer.document["id"] == "42"
    assert answer.document["model_name"] == "model"
    assert outputs["predict"] == {
        "name": "predict",
        "datatype": "BYTES",
        "shape": [2],
        "data": ["Versicolor", "Setosa"],
    }
    assert outputs["predict_proba"]["shape"] == [2, 3]


def test_probabilities_are_row_major_and_the_estimators_own(client, fitted):
    estimator, inputs = fitted("iris")
    answer = client("iris").infer({"inputs": [matrix(inputs.values.tolist())]})
    found = outputs_of(answer)["predict_proba"]
    assert np.allclose(np.reshape(found["data"], found["shape"]), estimator.predict_proba(inputs), rtol=1e-12)
    assert "id" not in answer.document


@pytest.mark.parametrize("wanted", [["predict"], ["predict_proba"], ["predict_proba", "predict"]])
def test_outputs_are_selected_by_name_and_given_in_that_order(client, wanted):
    request = {
        "inputs": [matrix()],
        "outputs": [{"name": name, "parameters": {"binary_data": False}} for name in wanted],
    }
    assert [one["name"] for one in client("iris").infer(request).document["outputs"]] == wanted


def test_an_unknown_output_names_what_there_is(client):
    answer = client("iris").infer({"inputs": [matrix()], "outputs": [{"name": "labels"}]})
    assert (answer.status, answer.document["error"]) == (
        422,
        "there is no output 'labels'; the model gives predict, predict_proba",
    )


def test_texts_travel_as_bytes_tensors_of_any_name(client):
    for name in ("review", "input-0"):
        request = {"inputs": [tensor(["good film", "bad film", "good story"], name=name, datatype="BYTES")]}
        assert outputs_of(client("text").infer(request))["predict"]["data"] == [1, 0, 1]
    coded = [base64.b64encode(one.encode()).decode() for one in ("good film", "bad film")]
    request = {"inputs": [tensor(coded, datatype="BYTES", parameters={"content_type": "base64"})]}
    assert outputs_of(client("text").infer(request))["predict"]["data"] == [1, 0]


def test_types_may_differ_by_column_and_null_is_missing(client, fitted):
    inputs = [
        tensor([70, 20], datatype="INT32", name="age"), tensor([None, 1.5], datatype="FP32", name="income"),
        tensor(["Oslo", "Rome"], datatype="BYTES", name="city"), tensor([None, "a"], datatype="BYTES", name="plan"),
        tensor([True, False], datatype="BOOL", name="member"),
    ]  # fmt: skip
    outputs = outputs_of(client("mixed").infer({"inputs": inputs}))
    rows = [{"age": 70, "income": None, "city": "Oslo", "plan": None, "member": True},
            {"age": 20, "income": 1.5, "city": "Rome", "plan": "a", "member": False}]  # fmt: skip
    same = client("mixed").predict(rows).document
    assert outputs["predict"]["data"] == same["predictions"] == [1, 0]
    assert outputs["predict_proba"]["data"] == [value for row in same["probabilities"] for value in row]


def test_several_outputs_of_an_estimator_are_one_matrix(client):
    outputs = outputs_of(client("outputs").infer({"inputs": [matrix([[1, 2, 3], [4, 5, 6]])]}))
    assert outputs["predict"]["shape"] == [2, 2]
    assert outputs["predict"]["data"] == [pytest.approx(value) for value in (4, 5, 10, 11)]


def test_without_a_signature_a_plain_array_is_enough(client, fitted):
    outputs = outputs_of(client("iris-unsigned").infer({"inputs": [matrix(datatype="FP32")]}))
    assert outputs["predict"]["data"] == ["Versicolor", "Setosa"]
    answer = client("iris-unsigned").infer({"inputs": [matrix([[1, 2, 3, "4"]])]})
    assert (answer.status, answer.document["error"]) == (422, "row 0: is not a number")
    deep = {"name": "x", "shape": [1, 4, *[1] * 70], "datatype": "FP64", "data": [1, 2, 3, 4]}
    answer = client("iris-unsigned").infer({"inputs": [deep]})
    assert (answer.status, answer.document["error"]) == (422, "tensor 'x' has 72 dimensions, more than 32")
    answer = client("iris-unsigned").infer({"inputs": [matrix([[1.0, 2.0, 3.0]])]})
    assert "is refused by the model: X has 3 features" in answer.document["error"]


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        ([], "there are no inputs; send one tensor for each of the columns sepal.length, sepal.width, petal.length, petal.width, or one matrix of shape [rows, 4]"),
        ([matrix([[1, 2, 3]])], "tensor 'input-0' has shape [1, 3]; the model takes [rows, 4]"),
        ([tensor([1, 2, 3, 4])], "no tensor has the name of a column; send one tensor for each of the columns"),
        ([matrix(datatype="FLOAT")], "tensor 'input-0' has the datatype 'FLOAT'; known are BOOL, UINT8,"),
        ([matrix(datatype="BYTES")], "column 'sepal.length': has the datatype BYTES (and 3 more)"),
        ([matrix() | {"shape": [3, 4]}], "the nested data of tensor 'input-0' does not have its shape [3, 4]"),
        ([tensor([1.0] * 5, [2, 4])], "tensor 'input-0' has 5 values, but its shape [2, 4] means 8"),
        ([tensor([[1.0, 2.0], 3.0, 4.0], [1, 4])], "the nested data of tensor 'input-0' does not have its shape [1, 4]"),
        ([tensor([], [0, 4])], "there are no rows; send at least one"),
        ([tensor([], [-1, 4])], "tensor 'input-0' has shape [-1, 4]; sizes are 0 or more"),
        (columns()[:3], "column 'petal.width': is missing"),
        ([*columns(), tensor([1, 2], name="extra")], "column 'extra': is not a column of the model"),
        ([*columns(), columns()[0]], "two tensors have the same name"),
        ([*columns()[:3], tensor([1.0], name="petal.width")], "tensors have different numbers of rows: 1, 2"),
        ([*columns()[:3], tensor([1.0, 2.0], [1, 2], name="petal.width")], "tensor 'petal.width' has shape [1, 2]; a column takes [rows] or [rows, 1]"),
        ([matrix([[1, 2, 3, None]])], "row 0 column 'petal.width': is null, but training saw no missing values"),
        ([matrix([[1, 2, 3, "4"]])], "row 0 column 'petal.width': is not a number"),
        ([matrix([[1, 2, 3, 4.5]], datatype="INT8")], "row 0 column 'petal.width': is not an integer"),
        ([matrix([[1, 2, 3, 300]], datatype="UINT8")], "row 0 column 'petal.width': is out of the range of uint8"),
        ([matrix(parameters={"content_type": []})], "tensor 'input-0' has the content_type []; known are np, pd, str, and base64"),
        ([matrix(parameters={"content_type": "base64"})], "tensor 'input-0' has the content_type 'base64'; known are np, pd, str, and base64 for BYTES"),
    ],
)  # fmt: skip
def test_tensors_that_do_not_fit_are_refused_in_one_sentence(client, inputs, error):
    answer = client("iris").infer({"inputs": inputs})
    assert answer.status == 422
    assert answer.document["error"].startswith(error)


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({}, "Object missing required field `inputs`"),
        ({"inputs": [{"name": "a"}]}, "Object missing required field `shape` - at `$.inputs[0]`"),
        ({"inputs": [], "id": 5}, "Expected `str | null`, got `int` - at `$.id`"),
        ([], "Expected `object`, got `array`"),
    ],
)
def test_a_request_of_another_structure_says_where(client, document, error):
    answer = client("iris").infer(document)
    assert (answer.status, answer.document["error"]) == (422, f"the body does not have the expected structure: {error}")


@pytest.mark.parametrize("path", ["", "/ready", "/infer"])
def test_another_model_or_version_is_not_found_and_the_right_one_named(client, path):
    def ask(where):
        return client("iris").request("POST" if path == "/infer" else "GET", where, b"{}")

    answer = ask(f"/v2/models/other{path}")
    assert (answer.status, answer.document) == (404, {"error": "there is no model 'other'; this server has 'model'"})
    answer = ask(f"/v2/models/model/versions/1{path}")
    version = client("iris").loaded.checked.digest.removeprefix("sha256:")[:12]
    assert (answer.status, answer.document) == (404, {"error": f"model 'model' has no version '1'; it has '{version}'"})


@pytest.mark.parametrize(
    ("kind", "dtype", "datatype"),
    [("number", "float32", "FP32"), ("number", "Float64", "FP64"), ("number", "object", "FP64"), ("integer", "UInt8", "UINT8"),
     ("integer", "int32", "INT32"), ("integer", "category", "INT64"), ("boolean", "bool", "BOOL"), ("string", "<U10", "BYTES"),
     ("datetime", "datetime64[ns]", "BYTES")],
)  # fmt: skip
def test_datatypes_follow_dtypes(kind, dtype, datatype):
    assert datatype_of(kind, dtype) == datatype


@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.integers(-1, 1))
@settings(max_examples=100, deadline=None)
def test_nested_data_is_the_same_as_flat_data_and_a_wrong_count_is_refused(shape, more):
    array = np.arange(int(np.prod(shape))).reshape(shape)
    assert tensor_values(RequestTensor("x", shape, "INT64", array.tolist())) == array.ravel().tolist()
    flat = list(range(max(0, array.size + more)))
    if len(flat) == array.size:
        assert tensor_values(RequestTensor("x", shape, "INT64", flat)) == flat
    else:
        with pytest.raises(Refusal, match="values, but its shape"):
            tensor_values(RequestTensor("x", shape, "INT64", flat))


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3)
)


@given(
    datatype=st.sampled_from([*DATATYPES, "FLOAT"]), shape=st.lists(st.integers(-1, 5), max_size=3),
    data=st.lists(SCALARS | st.lists(SCALARS, max_size=5), max_size=8), name=st.sampled_from(["input-0", "age", "city"]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_any_tensor_is_answered_or_refused_never_a_fault(client, datatype, shape, data, name):
    for model in ("mixed", "text", "regression", "iris-unsigned"):
        answer = client(model).infer({"inputs": [tensor(data, shape, datatype, name)]})
        assert answer.status in {200, 422}, (model, answer)


@pytest.mark.parametrize("options", [(), ("--engine", "sklearn")])
@pytest.mark.parametrize("change", [lambda value: value, int], ids=["doubles", "with an integer"])
def test_a_large_matrix_gets_the_answers_of_its_rows(client, options, change):
    rows = [[4 + at / 50, 3.5, 1 + at / 20, 0.5] for at in range(120)]
    rows[7][1] = change(3.0)
    iris = client("iris-onnx", *options)
    document = {"inputs": [tensor([value for row in rows for value in row], [120, 4])]}
    found = outputs_of(iris.infer(document))
    assert found["predict"]["data"] == [iris.predict(row).document["predictions"][0] for row in rows]
    document["inputs"][0]["data"][5] = None
    problem = iris.infer(document).document["problems"][0]
    assert (problem["row"], problem["column"]) == (1, "sepal.width")


VALUE = st.one_of(st.floats(-50, 50), st.integers(-9, 9), st.sampled_from([None, True, "Oslo", "1", 2**63, 1e308]))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_tensors_that_are_plain_are_read_to_the_rows_that_reading_each_value_gives(client, data):
    model = data.draw(st.sampled_from(["iris", "cities"]))
    signature = client(model).loaded.checked.manifest.signature
    count = data.draw(st.integers(1, 3))
    if model == "iris" and data.draw(st.booleans()):
        values = data.draw(st.lists(VALUE if data.draw(st.booleans()) else st.floats(-9, 9), min_size=4, max_size=12))
        inputs = [RequestTensor("input-0", [len(values) // 4, 4], "FP64", values)]
    else:
        plain = {"number": ("FP64", st.floats(-9, 9)), "string": ("BYTES", st.sampled_from(["Oslo", "Rome"])),
                 "boolean": ("BOOL", st.booleans()), "integer": ("INT64", st.integers(-9, 9))}  # fmt: skip
        inputs = []
        for column in signature.columns:
            datatype, value = plain[column.kind]
            if data.draw(st.integers(0, 9)) == 0:
                datatype, value = data.draw(st.sampled_from(sorted(DATATYPES))), VALUE
            values = data.draw(st.lists(value, min_size=count, max_size=count))
            inputs.append(RequestTensor(column.name, [count], datatype, values))
    at_once, one_by_one = ColumnTensors(signature), ColumnTensors(signature)
    one_by_one._plain = SimpleNamespace(rows=lambda inputs: None)
    assert rows_or_refusal(at_once, inputs) == rows_or_refusal(one_by_one, inputs)


def rows_or_refusal(tensors, inputs):
    """Values with their types, so that 1 is not 1.0, or the answer."""
    try:
        return [[(type(value), value) for value in row] for row in tensors.rows(inputs)]
    except Refusal as refused:
        return refused.reply()
