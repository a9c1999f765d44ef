"""The server as a process: what it prints, how it answers over a real socket, how it ends."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor

IRIS_ROW = {"sepal.length": 6.1, "sepal.width": 2.8, "petal.length": 4.7, "petal.width": 1.2}


def test_a_model_is_served_after_its_golden_rows_were_replayed(iris_server, model_dir):
    digest = json.loads(iris_server.get("/health").body)["model_digest"]
    [line] = iris_server.output
    assert line == f"model-server: ready: model {digest}, 4 golden rows replayed, scikit-learn 1.9.1, {iris_server.url}"
    assert iris_server.get("/readyz").document == {"status": "ready"}
    assert iris_server.get("/livez").document == {"status": "live"}


def test_a_row_gets_its_prediction_with_a_probability_for_each_label(iris_server):
    answer = iris_server.get("/predict", IRIS_ROW)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.document["predictions"] == ["Versicolor"]
    assert answer.document["labels"] == ["Setosa", "Versicolor", "Virginica"]
    [probabilities] = answer.document["probabilities"]
    assert abs(sum(probabilities) - 1) < 1e-9
    assert max(probabilities) == probabilities[1]


def exchange(server, request):
    """Sends raw bytes; gives what comes back until the server closes or is silent."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=1) as connection:
        connection.sendall(request)
        received = b""
        try:
            while part := connection.recv(65536):
                received += part
        except TimeoutError:
            return received, "open"
        return received, "closed"


def test_a_body_announced_as_too_large_is_refused_before_it_is_sent(iris_server):
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n"
    answer, state = exchange(iris_server, head + b"[[1, 2, 3")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.endswith(b'{"error":"the body is larger than 16777216 bytes; send fewer rows at a time"}')
    assert state == "closed"


def test_probes_by_head_and_requests_one_after_the_other_share_a_connection(iris_server):
    body = json.dumps(IRIS_ROW).encode()
    post = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    answer, state = exchange(iris_server, b"HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n" + post + post)
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.count(b'"predictions":["Versicolor"]') == 2
    assert b'"live"' not in answer
    assert state == "open"


def test_malformed_http_is_a_400_and_the_server_goes_on(iris_server):
    for request in (b"GARBAGE\r\n\r\n", b"POST /predict HTTP/1.1\r\nContent-Length: x\r\n\r\n"):
        assert exchange(iris_server, request)[0].startswith(b"HTTP/1.1 400 "), request
    assert iris_server.get("/readyz").status == 200


def test_many_clients_at_once_each_get_their_own_answer(iris_server):
    rows = [{**IRIS_ROW, "petal.length": length / 10} for length in range(10, 70)]
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda row: iris_server.get("/predict", row).document, rows))
    together = iris_server.get("/predict", rows).document
    assert [answer["predictions"][0] for answer in answers] == together["predictions"]
    assert len(set(together["predictions"])) == 3
