"""What is the same for every path: methods, content types, limits, faults, probes, unknown paths."""

import asyncio
import threading

import pytest

JSON = {"Content-Type": "application/json"}
BODIES = ("/predict", "/v2/models/model/infer")


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "the body is not JSON in UTF-8: Input data was truncated"),
        (b"{", "the body is not JSON in UTF-8: Input data was truncated"),
        (b"[1, NaN]", "the body is not JSON in UTF-8: JSON is malformed: invalid character (byte 4)"),
        (
            b'["\xff"]',
            "the body is not JSON in UTF-8: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        ),
        (b"[" * 100_000, "the body is nested too deeply"),
    ],
)
def test_what_is_not_json_is_a_400_with_the_place(client, path, body, error):
    answer = client("iris").post(path, body)
    if path == "/predict":
        assert (answer.status, answer.document) == (400, {"error": error})
    else:  # a decoder that knows the structure may notice that first
        assert answer.status in {400, 422}


@pytest.mark.parametrize(
    "headers",
    [
        {}, JSON, {"Content-Type": "application/json; charset=utf-8"}, {"Content-Type": "Application/JSON"},
        {"Content-Type": "application/vnd.kserve+json"}, {**JSON, "Content-Encoding": "identity"},
    ],
)  # fmt: skip
def test_json_by_any_of_its_names_or_none_is_taken(client, headers):
    assert client("iris").post("/predict", [1, 2, 3, 4], headers=headers).status == 200


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"Content-Type": "application/x-www-form-urlencoded"}, "the body is application/x-www-form-urlencoded; send JSON with the header 'Content-Type: application/json'"),
        ({"Content-Type": "text/csv; charset=utf-8"}, "the body is text/csv; send JSON with the header 'Content-Type: application/json'"),
        ({"Content-Type": "application/json; charset=latin-1"}, "the body is in latin-1; send it in UTF-8"),
        ({**JSON, "Content-Encoding": "gzip"}, "the body has the content encoding gzip; send it as it is"),
    ],
)  # fmt: skip
def test_other_content_is_a_415(client, headers, error):
    answer = client("iris").post("/predict", [1, 2, 3, 4], headers=headers)
    assert (answer.status, answer.document) == (415, {"error": error})


def test_a_body_over_the_limit_is_a_413_announced_or_not(client):
    small = client("iris", "--max-body", "0.001")
    expected = (413, {"error": "the body is larger than 1048 bytes; send fewer rows at a time"}, "close")
    announced = small.post("/predict", b"[", headers={**JSON, "Content-Length": "100000"})
    assert (announced.status, announced.document, announced.headers["connection"]) == expected
    chunked = small.request("POST", "/predict", headers=JSON, chunks=[b" " * 1000] * 3)
    assert (chunked.status, chunked.document, chunked.headers["connection"]) == expected


def test_a_body_in_pieces_is_put_together(client):
    assert client("iris").request("POST", "/predict", headers=JSON, chunks=[b"[1, 2,", b" 3, ", b"4]"]).status == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/predict", "POST"), ("DELETE", "/v2/models/model/infer", "POST"), ("POST", "/readyz", "GET, HEAD"),
     ("POST", "/v2", "GET, HEAD"), ("PUT", "/v2/models/other/infer", "POST")],
)  # fmt: skip
def test_another_method_is_a_405_that_names_the_right_one(client, method, path, allowed):
    answer = client("iris").request(method, path, b"{}", JSON)
    assert (answer.status, answer.headers["allow"]) == (405, allowed)
    assert answer.document == {"error": f"{path} takes {allowed}, not {method}"}


def test_an_unknown_path_is_a_404_of_the_same_shape(client):
    answer = client("iris").get("/predictions")
    assert (answer.status, answer.document) == (404, {"error": "there is no /predictions; see /docs"})


def test_probes_answer_head_without_a_body(client):
    answer = client("iris").request("HEAD", "/readyz")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "18")


def test_health_names_the_model_by_its_digest(client):
    iris = client("iris")
    assert iris.get("/health").document == {
        "status": "ready", "model": "model", "version": iris.loaded.checked.digest.removeprefix("sha256:")[:12],
        "model_digest": iris.loaded.checked.digest, "golden_rows_replayed": 4, "engine": "scikit-learn 1.9.1",
    }  # fmt: skip


def test_while_draining_ready_says_no_live_says_yes_and_answers_close_the_connection(model_dir, own_client):
    iris = own_client(model_dir("iris"))
    assert "connection" not in iris.predict([1, 2, 3, 4]).headers
    iris.draining.begun = True
    for path in ("/readyz", "/health", "/v2/health/ready", "/v2/models/model/ready"):
        assert iris.get(path).status == 503, path
    assert iris.get("/livez").status == iris.get("/v2/health/live").status == 200
    answer = iris.predict([1, 2, 3, 4])
    assert (answer.status, answer.headers["connection"]) == (200, "close")


def test_a_fault_is_a_500_with_an_id_that_the_log_has_too_and_no_trace(front_of, own_client, capfd):
    def broken(rows):
        raise KeyError("secret\ndetail")

    client = own_client.__globals__["Client"](front_of(broken))
    answer = client.predict([1])
    assert answer.status == 500
    assert sorted(answer.document) == ["error", "id"]
    assert b"secret" not in answer.body
    log = capfd.readouterr().err
    assert log == f"model-server: error: request {answer.document['id']} failed: KeyError: 'secret\\ndetail'\n"


def test_a_slow_prediction_does_not_hold_up_health_answers(front_of):
    entered, release = threading.Event(), threading.Event()

    def slow(rows):
        entered.set()
        release.wait(10)
        return rows

    front = front_of(slow)

    async def ask(path, method):
        sent = []

        async def receive():
            return {"type": "http.request", "body": b"{}"}

        async def send(message):
            sent.append(message)

        await front({"type": "http", "path": path, "method": method, "headers": []}, receive, send)
        return sent[0]["status"]

    async def scene():
        prediction = asyncio.create_task(ask("/predict", "POST"))
        await asyncio.to_thread(entered.wait, 10)
        assert await asyncio.wait_for(ask("/livez", "GET"), 5) == 200
        assert front.answering.predicting == 1
        assert not prediction.done()
        release.set()
        assert await prediction == 200
        assert front.answering.predicting == front.answering.waiting == 0

    asyncio.run(scene())


def test_a_client_that_leaves_while_sending_gets_no_answer(front_of):
    front, sent = front_of(lambda rows: rows), []

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    asyncio.run(front({"type": "http", "path": "/predict", "method": "POST", "headers": []}, receive, send))
    assert sent == []
