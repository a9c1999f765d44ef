"""V1 and Vertex AI, MLflow and SageMaker, CSV, metrics, the page: what stands beside /predict and /v2."""

import json
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from model_server.metrics import Metrics
from model_server.plain_columns import PlainColumn
from model_server.refusals import Problems
from model_server.row_reading import RowReader, column_reader, value_reader
from model_server.tensor_metadata import DATATYPES
from model_server.typed_rows import typed_rows
from taskkit.model_signature import Column, Outputs, Signature

ROW = [6.1, 2.8, 4.7, 1.2]
NAMES = ("sepal.length", "sepal.width", "petal.length", "petal.width")
BY_NAME = dict(zip(NAMES, ROW, strict=True))
V1 = "/v1/models/model:predict"
CSV = {"Content-Type": "text/csv"}


def predictions_of(answer):
    assert answer.status == 200, answer
    return answer.document["predictions"]


@pytest.mark.parametrize("instances", [[ROW], [BY_NAME], [ROW, BY_NAME]])
def test_v1_gives_predictions_alone(client, instances):
    assert client("iris").post(V1, {"instances": instances}).document == {
        "predictions": ["Versicolor"] * len(instances)
    }


def test_v1_gives_an_object_for_each_row_where_probabilities_are_asked_for(client):
    [one] = predictions_of(client("iris").post(V1, {"instances": [ROW], "parameters": {"probabilities": True}}))
    assert one["prediction"] == "Versicolor"
    assert math.isclose(sum(one["probabilities"]), 1)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ([ROW], 'the body must be an object with a list of rows: {"instances": […]}'),
        ({"instances": 5}, 'the body must be an object with a list of rows: {"instances": […]}'),
        ({"instances": [ROW], "rows": []}, "the body has the key 'rows'; known are instances, parameters"),
        ({"instances": [ROW], "parameters": {"probabilities": 1}}, "the parameter probabilities must be true or false"),
        ({"instances": []}, "there are no rows; send at least one"),
    ],
)
def test_v1_says_what_it_takes(client, body, error):
    answer = client("iris").post(V1, body)
    assert (answer.status, answer.document["error"]) == (422, error)


def test_v1_of_a_model_without_probabilities_refuses_to_give_them(client):
    answer = client("regression").post(V1, {"instances": [[1, 2, 3]], "parameters": {"probabilities": True}})
    assert answer.document == {"error": "the model gives no probabilities"}


def test_v1_knows_its_models(client):
    assert client("iris").get("/v1/models").document == {"models": ["model"]}
    assert client("iris").get("/v1/models/model").document == {"name": "model", "ready": True}


def test_vertex_names_its_own_paths(client):
    vertex = client("iris", "--predict-route", "/v1/endpoints/1:predict", "--health-route", "/v1/health")
    assert predictions_of(vertex.post("/v1/endpoints/1:predict", {"instances": [ROW]})) == ["Versicolor"]
    assert vertex.get("/v1/health").document == {"status": "ready"}


def test_a_configured_route_wins_over_a_path_of_the_servers_own(client):
    vertex = client("iris", "--predict-route", "/predict", "--health-route", "/metrics")
    asked = {"instances": [ROW], "parameters": {"probabilities": True}}
    assert vertex.predict(asked).document == vertex.post(V1, asked).document
    assert sorted(vertex.predict(asked).document["predictions"][0]) == ["prediction", "probabilities"]
    refused = vertex.predict([ROW])
    assert (refused.status, refused.document["error"]) == (
        422, 'the body must be an object with a list of rows: {"instances": […]}'
    )  # fmt: skip
    assert predictions_of(vertex.post("/invocations", [ROW])) == ["Versicolor"]
    assert b'"path": "/invocations"' in vertex.get("/").body  # the page still has rows to send
    assert vertex.get("/metrics").document == {"status": "ready"}
    paths = vertex.get("/openapi.json").document["paths"]
    v1 = paths["/predict"]["post"]
    assert v1["requestBody"] == paths[V1]["post"]["requestBody"]
    assert v1["operationId"] != paths[V1]["post"]["operationId"]
    assert paths["/metrics"]["get"]["summary"] == "Should requests be sent here? (AIP_HEALTH_ROUTE)"


def test_a_configured_route_may_be_one_of_another_method(client):
    crossed = client("iris", "--predict-route", "/ping", "--health-route", "/invocations")
    assert crossed.post("/ping", {"instances": [ROW]}).document == {"predictions": ["Versicolor"]}
    assert crossed.get("/invocations").document == {"status": "ready"}
    paths = crossed.get("/openapi.json").document["paths"]
    assert (list(paths["/ping"]), list(paths["/invocations"])) == (["post"], ["get"])


REVERSED = {"columns": list(NAMES[::-1]), "data": [ROW[::-1]]}


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": REVERSED}, {"dataframe_split": {"data": [ROW], "index": [7]}}, {"dataframe_records": [BY_NAME]},
        {"inputs": [ROW]}, {"inputs": {name: [value] for name, value in BY_NAME.items()}}, {"inputs": BY_NAME},
        {"instances": [ROW]}, {"instances": [ROW], "params": {}}, {"dataframe_records": [BY_NAME], "params": {"x": 1}}, [ROW], BY_NAME,
    ],
)  # fmt: skip
def test_invocations_take_the_bodies_of_mlflow_and_sagemaker(client, body):
    assert predictions_of(client("iris").post("/invocations", body)) == ["Versicolor"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (
            {"dataframe_split": [1]},
            'dataframe_split must be an object with "data", and "columns" if their order is another',
        ),
        ({"dataframe_split": {"data": [ROW], "columns": 5}}, "the columns of dataframe_split must be a list of names"),
        ({"dataframe_records": {}}, "dataframe_records must be a list of rows"),
        ({"inputs": {"a": [1], "b": [1, 2]}}, "the columns of inputs have different lengths: {'a': 1, 'b': 2}"),
        (
            {"dataframe_split": {"data": [[1]], "columns": ["a"]}},
            "row 0 column 'a': is not a column of the model (and 4 more)",
        ),
        ({"dataframe_split": {"data": [[1, 2]], "columns": ["a"]}}, "row 0: has 2 values, the model takes 4"),
    ],
)
def test_invocations_say_what_is_wrong(client, body, error):
    answer = client("iris").post("/invocations", body)
    assert (answer.status, answer.document["error"]) == (422, error)


@pytest.mark.parametrize(
    "text",
    [
        "6.1,2.8,4.7,1.2",
        "\ufeff6.1,2.8,4.7,1.2\r\n",
        f"{','.join(NAMES[::-1])}\n1.2,4.7,2.8,6.1\n",
        "+6.1,2.8e0,4.7, 1.2\n\n",
    ],
)
def test_csv_is_taken_with_names_and_without(client, text):
    assert predictions_of(client("iris").request("POST", "/invocations", text.encode(), CSV)) == ["Versicolor"]


@pytest.mark.parametrize(
    ("text", "status", "error"),
    [
        ("", 422, "there are no rows; send at least one"),
        ("1,2,3", 422, "row 0: has 3 values, the model takes 4"),
        ("1,2,3,nan", 422, "row 0 column 'petal.width': is not a number"),
        ("1,2,3,", 422, "row 0 column 'petal.width': is null, but training saw no missing values"),
        (f"1,2,3,{'9' * 5000}", 422, "row 0 column 'petal.width': is not a number"),
        ('"1,2', 400, "the body is not CSV in UTF-8: unexpected end of data"),
        (b"\xff", 400, "the body is not CSV in UTF-8: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ],
)  # fmt: skip
def test_csv_that_does_not_fit_is_refused_with_its_place(client, text, status, error):
    answer = client("iris").request("POST", "/invocations", text if isinstance(text, bytes) else text.encode(), CSV)
    assert (answer.status, answer.document["error"]) == (status, error)


def test_csv_has_missing_values_texts_and_booleans(client):
    text = 'age,income,city,plan,member\n30,,"Oslo",,true\n30,2e4,Rome,a,FALSE\n'
    mixed = client("mixed")
    rows = [{"age": 30, "income": None, "city": "Oslo", "plan": None, "member": True},
            {"age": 30, "income": 2e4, "city": "Rome", "plan": "a", "member": False}]  # fmt: skip
    assert mixed.request("POST", "/invocations", text.encode(), CSV).document == mixed.predict(rows).document


def test_csv_comes_back_where_it_is_accepted(client):
    headers = {**CSV, "Accept": "text/csv"}
    answer = client("iris").request("POST", "/invocations", b"6.1,2.8,4.7,1.2\n5.1,3.5,1.4,0.2\n", headers)
    assert (answer.headers["content-type"], answer.body) == ("text/csv; charset=utf-8", b"Versicolor\nSetosa\n")
    answer = client("outputs").post(
        "/invocations", [[1, 2, 3]], headers={"Content-Type": "application/json", "Accept": "text/csv"}
    )
    assert [round(float(value), 6) for value in answer.body.decode().strip().split(",")] == [4.0, 5.0]


def test_csv_is_for_invocations_only(client):
    answer = client("iris").request("POST", "/predict", b"1,2,3,4", CSV)
    assert (answer.status, answer.document) == (
        415, {"error": "the body is text/csv; send JSON with the header 'Content-Type: application/json'"}
    )  # fmt: skip


@pytest.mark.parametrize("path", ["/predict", "/invocations", V1])
def test_without_a_signature_rows_are_a_501_that_says_what_to_do(client, path):
    answer = client("iris-unsigned").post(path, {"instances": [ROW]})
    assert answer.status == 501
    assert "send plain arrays to /v2/models/model/infer" in answer.document["error"]


def families(client):
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {family.name: family for family in text_string_to_metric_families(answer.body.decode())}


def value(families, name, **labels):
    [found] = [
        sample.value
        for family in families.values()
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    return found


def test_metrics_count_requests_rows_classes_and_errors_by_kind(model_dir, own_client):
    iris = own_client(model_dir("iris"), "--model-name", "flowers")
    iris.predict([ROW, [5.1, 3.5, 1.4, 0.2]])
    iris.predict(ROW)
    iris.predict({"x": 1})
    iris.post("/v2/models/flowers/infer", b"{")
    iris.get("/nowhere")
    found = families(iris)
    assert value(found, "model_server_requests_total", route="predict", code="200") == 2
    assert value(found, "model_server_requests_total", route="predict", code="422") == 1
    assert value(found, "model_server_requests_total", route="other", code="404") == 1
    assert value(found, "model_server_errors_total", kind="malformed") == 1
    assert value(found, "model_server_errors_total", kind="invalid_input") == 1
    assert value(found, "model_server_errors_total", kind="fault") == 0
    assert value(found, "model_server_rows_total") == 3
    assert value(found, "model_server_predictions_total", label="Versicolor") == 2
    assert value(found, "model_server_predictions_total", label="Virginica") == 0
    assert value(found, "model_server_request_seconds_count", route="predict") == 3
    assert value(found, "model_server_request_seconds_bucket", route="predict", le="+Inf") == 3
    assert value(found, "model_server_golden_rows_replayed") == 4
    assert value(found, "model_server_golden_check_passed") == value(found, "model_server_ready") == 1
    assert value(found, "model_server_resident_memory_bytes") > 1e7
    [info] = found["model_server_model_info"].samples
    assert info.labels["digest"] == iris.loaded.checked.digest
    assert info.labels["model"] == "flowers"
    iris.draining.begun = True
    assert value(families(iris), "model_server_ready") == 0


@given(
    st.lists(
        st.tuples(st.sampled_from(["predict", "v1", "unknown"]), st.sampled_from([200, 422, 599]), st.floats(0, 20))
    )
)
def test_metrics_add_up_over_workers(counted):
    import mmap

    from model_server.metrics import slot_count

    routes, labels = ["predict", "v1"], ("a", 'quoted "b"\n')
    memory = mmap.mmap(-1, 2 * slot_count(routes, labels) * 8)
    workers = [Metrics(routes, labels, {}, memory=memory, worker=at, workers=2) for at in (0, 1)]
    for at, (route, status, seconds) in enumerate(counted):
        workers[at % 2].answered(route, status, seconds, ["a", 'quoted "b"\n'])
    samples = [
        sample for family in text_string_to_metric_families(workers[0].text().decode()) for sample in family.samples
    ]
    assert sum(sample.value for sample in samples if sample.name == "model_server_requests_total") == len(counted)
    assert sum(sample.value for sample in samples if sample.name == "model_server_predictions_total") == 2 * len(
        counted
    )
    assert workers[0].text() == workers[1].text()
    total = sum(sample.value for sample in samples if sample.name == "model_server_request_seconds_sum")
    assert np.isclose(total, sum(seconds for *_, seconds in counted), atol=1e-6)


@pytest.mark.parametrize("name", ["iris", "mixed", "text", "regression", "iris-unsigned"])
@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_load_nothing_from_elsewhere(client, name, path):
    answer = client(name).get(path)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    page = answer.body.decode()
    assert re.findall(r'(?:src|href)="(?!/|data:,")[^"]*"', page) == []
    assert "http" not in page.replace("http-equiv", "")


def test_the_page_starts_with_what_is_usual(client):
    page = client("mixed").get("/").body.decode()
    model = json.loads(re.search(r'<script type="application/json" id="model">(.*?)</script>', page)[1])
    start = {column["name"]: column["start"] for column in model["columns"]}
    rows = client("mixed").loaded.golden.rows
    assert start["age"] == sorted(row[0] for row in rows)[(len(rows) - 1) // 2]
    assert start["city"] in {"Oslo", "Rome", "Bonn"}
    assert client("mixed").predict(start).status == 200


def test_the_page_escapes_what_a_model_is_called_and_what_its_columns_are(own_client, tmp_path, fitted):
    estimator, inputs = fitted("iris")
    hostile = "</script><script>alert(1)</script>"
    renamed = inputs.rename(columns={"sepal.length": hostile})
    directory = own_client.__globals__["write_model"](
        tmp_path / "model", type(estimator)().fit(renamed, estimator.predict(inputs)), renamed
    )
    for path in ("/", "/docs"):
        assert hostile not in own_client(directory).get(path).body.decode()


KINDS = {
    "number": ("float64", "float32"),
    "integer": ("int64", "uint8", "uint64"),
    "boolean": ("bool",),
    "string": ("str",),
}
VALUES = (
    st.none() | st.booleans() | st.integers(-300, 300) | st.sampled_from([2**63, 2**64, -(2**63) - 1, 10**30, 10**400])
    | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([3.0, 1e39, -1e39, 65505.0, ""]) | st.text(max_size=3)
    | st.just([]) | st.just({})
)  # fmt: skip


@st.composite
def column_lists(draw):
    names = draw(
        st.lists(st.sampled_from(["a", "b c", "rows", "instances", "ü", ""]), min_size=1, max_size=3, unique=True)
    )
    columns = []
    for name in names:
        kind = draw(st.sampled_from(sorted(KINDS)))
        columns.append(Column(name, draw(st.sampled_from(KINDS[kind])), kind, draw(st.booleans())))
    return tuple(columns)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_rows_that_the_decoder_takes_are_the_rows_that_are_read_value_by_value(data):
    from model_server.row_protocol import RowProtocol

    columns = data.draw(column_lists())
    signature = Signature("dataframe", "fit", columns, Outputs("other", "float64", "number", 1))
    typed = typed_rows(signature)
    row = (
        st.dictionaries(st.sampled_from([*(column.name for column in columns), "z"]), VALUES)
        | st.lists(VALUES, max_size=3)
        | VALUES
    )
    whole = st.fixed_dictionaries({column.name: VALUES for column in columns})
    rows = st.lists(whole | row, max_size=3)
    document = data.draw(
        whole | row | rows | st.builds(lambda key, rows: {key: rows}, st.sampled_from(["rows", "instances"]), rows)
    )
    found = typed.read(json.dumps(document).encode()) if typed is not None else None
    if found is not None:
        expected = RowProtocol(signature).rows(json.loads(json.dumps(document)))
        assert [list(map(repr, row)) for row in found] == [list(map(repr, row)) for row in expected]


@pytest.mark.parametrize("body", [b"[[]]", b"[[1]]", b"[[[]]]", b'{"rows": [[]]}', b'{"instances": [[2]]}'])
@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32"])
def test_lists_for_one_bounded_column_are_left_to_the_reader_of_values(dtype, body):
    column = Column("a", dtype, "number" if dtype == "float32" else "integer", False)
    typed = typed_rows(Signature("dataframe", "fit", (column,), Outputs("other", "float64", "number", 1)))
    assert typed.read(body) is None


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_columns_that_are_taken_at_once_are_those_that_are_read_value_by_value(data):
    kind = data.draw(st.sampled_from(sorted(KINDS)))
    column = Column("x", data.draw(st.sampled_from(KINDS[kind])), kind, data.draw(st.booleans()))
    datatype = data.draw(st.sampled_from(sorted(DATATYPES)))
    values = data.draw(
        st.lists(VALUES, min_size=1, max_size=3)
        | st.lists(st.integers(-5, 5), min_size=1)
        | st.lists(st.floats(-5, 5), min_size=1)
    )
    found = PlainColumn(column).values(values, *DATATYPES[datatype])
    if found is not None:
        own, reader = value_reader(*DATATYPES[datatype]), column_reader(column)
        assert list(map(repr, found)) == [repr(reader.value(own(one))) for one in values]


def test_a_plain_row_is_never_read_value_by_value(client, monkeypatch):
    def slow(*_):
        raise AssertionError("read value by value")

    monkeypatch.setattr(RowReader, "from_object", slow)
    monkeypatch.setattr(RowReader, "from_list", slow)
    for body in (BY_NAME, [BY_NAME, ROW], {"instances": [ROW]}, {"rows": [BY_NAME]}, ROW):
        assert client("iris").predict(body).status == 200
    assert Problems().found == []
