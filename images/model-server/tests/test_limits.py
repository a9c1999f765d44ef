"""Limits on waiting, time, headers and slow clients; what waits is answered together; several workers."""

import asyncio
import http.client
import json
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model_server.answering import Pace
from model_server.lean_protocol import KEEP_ALIVE, LARGEST_HEAD, SEND_LIMIT

ROW = [6.1, 2.8, 4.7, 1.2]


def asked_together(front, bodies):
    """Statuses, headers and bodies of requests that arrive at once."""

    async def ask(body):
        sent = []

        async def receive():
            return {"type": "http.request", "body": body}

        async def send(message):
            sent.append(message)

        await front({"type": "http", "path": "/predict", "method": "POST", "headers": []}, receive, send)
        return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]

    async def all_of_them():
        return await asyncio.gather(*(ask(body) for body in bodies))

    return asyncio.run(all_of_them())


@pytest.mark.parametrize("on_loop", [0, 100])
def test_what_waits_goes_to_the_model_together(front_of, on_loop):
    calls = []
    front = front_of(lambda rows: calls.append(list(rows)) or rows, pace=Pace(on_loop=on_loop, together=3))
    statuses = [status for status, *_ in asked_together(front, [b"%d" % number for number in range(7)])]
    assert statuses == [200] * 7
    assert sorted(body for rows in calls for body in rows) == [b"%d" % number for number in range(7)]
    assert max(map(len, calls)) == (3 if on_loop else max(map(len, calls)))
    assert all(len(rows) <= 3 for rows in calls)


@pytest.mark.parametrize(("alone", "at_once"), [(True, [b"1"]), (False, [])])
def test_only_a_request_that_nothing_can_join_does_not_wait_for_the_loops_next_turn(front_of, alone, at_once):
    calls, replies = [], []
    front = front_of(lambda rows: calls.extend(rows) or rows, pace=Pace(on_loop=100, together=3))

    async def ask():
        loop = asyncio.get_running_loop()
        front.answering.take(front.lean[b"/predict"].json, b"1", "id", loop, replies.append, alone=alone)
        told = list(calls)
        await asyncio.sleep(0.01)
        return told

    assert asyncio.run(ask()) == at_once
    assert ([reply.status for reply in replies], calls) == ([200], [b"1"])


def test_one_bad_request_among_those_that_wait_spoils_no_other(front_of, capfd):
    def choosy(rows):
        if b"bad" in rows:
            raise KeyError("bad")
        return rows

    front = front_of(choosy, pace=Pace(on_loop=100, together=8))
    statuses = [status for status, *_ in asked_together(front, [b"a", b"bad", b"c"])]
    assert statuses == [200, 500, 200]
    assert capfd.readouterr().err.count("KeyError") == 1


def test_more_than_may_wait_are_refused_and_told_when_to_come_back(front_of):
    front = front_of(lambda rows: time.sleep(0.05) or rows, most_waiting=2)
    answers = asked_together(front, [b"1"] * 6)
    refused = [
        (headers[b"retry-after"], json.loads(body)["error"]) for status, headers, body in answers if status == 503
    ]
    assert len(refused) == 3  # one is at work, two wait
    assert set(refused) == {(b"1", "too many requests wait already; send it again later")}
    assert [status for status, *_ in answers].count(200) == 3


def test_a_prediction_over_the_time_limit_is_given_up(front_of):
    release = threading.Event()
    front = front_of(lambda rows: release.wait(5) and rows, time_limit=0.05)
    [(status, _, body)] = asked_together(front, [b"1"])
    release.set()
    assert (status, json.loads(body)) == (
        504, {"error": "there was no answer within 0.05 s; send fewer rows, or try again later"}
    )  # fmt: skip


def test_every_answer_has_the_requests_id_or_one_of_its_own(iris_server):
    own = iris_server.get("/predict", ROW, {"Content-Type": "application/json", "X-Request-Id": "abc-1"})
    assert own.headers["x-request-id"] == "abc-1"
    others = [iris_server.get(path).headers["x-request-id"] for path in ("/livez", "/livez", "/nowhere", "/v2")]
    assert len(set(others)) == 4


def talk(server, *parts, wait=1.0):
    """Sends bytes in parts; gives what comes back until the server closes or is silent."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=wait) as connection:
        received = b""
        try:
            for part in parts:
                connection.sendall(part)
                time.sleep(0.02)
            while part := connection.recv(65536):
                received += part
        except TimeoutError:
            return received, "open"
        except OSError:
            pass
        return received, "closed"


HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "head",
    [b"X-Long: " + b"a" * (LARGEST_HEAD + 1) + b"\r\n", b"".join(b"X-%d: a\r\n" % number for number in range(101)), b"X-Endless: " + b"a" * 4 * LARGEST_HEAD],
    ids=["long", "many", "endless"],
)  # fmt: skip
def test_headers_that_are_too_large_are_a_431(iris_server, head):
    answer, state = talk(iris_server, HEAD + head + (b"" if b"Endless" in head else b"Content-Length: 2\r\n\r\n[]"))
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"the headers are larger than 32768 bytes, or more than 100" in answer
    assert state == "closed"


def test_a_body_that_comes_drop_by_drop_is_answered_and_holds_nobody_up(iris_server):
    body = json.dumps(ROW).encode()
    answer, _ = talk(
        iris_server, HEAD, b"Content-Length: %d\r\n" % len(body), b"\r\n", *(bytes([byte]) for byte in body), wait=0.3
    )
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


def test_who_expects_to_be_asked_for_the_body_is_asked(iris_server):
    body = json.dumps(ROW).encode()
    answer, _ = talk(
        iris_server, HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body), body, wait=0.3
    )
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    answer, state = talk(iris_server, HEAD + b"Expect: 100-continue\r\nContent-Length: 999999999\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert state == "closed"


def test_chunked_bodies_and_old_clients_are_answered(iris_server):
    body = json.dumps(ROW).encode()
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    assert talk(iris_server, chunked, wait=0.3)[0].startswith(b"HTTP/1.1 200 OK\r\n")
    old = b"POST /predict HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )
    answer, state = talk(iris_server, old)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert state == "closed"


def test_requests_sent_without_waiting_are_answered_in_their_order(iris_server):
    rows = [[6.1, 2.8, length, 1.2] for length in (1.0, 4.7, 6.9)]
    requests = b"".join(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" + HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
                        for body in (json.dumps(row).encode() for row in rows)) + b"GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n"  # fmt: skip
    answer, _ = talk(iris_server, requests, wait=0.5)
    places = [
        answer.index(text)
        for text in (b'"Setosa"]', b'"Versicolor"],', b'"Virginica"],', b"sklearn-catalog-model-server")
    ]
    assert answer.count(b"HTTP/1.1 200 OK") == 7
    assert places == sorted(places)


def test_an_upgrade_is_not_made_but_the_request_is_answered(iris_server):
    answer, _ = talk(
        iris_server,
        b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
        wait=0.3,
    )
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


class Transport:
    def __init__(self):
        self.written, self.closed, self.aborted = b"", False, False

    def write(self, data):
        self.written += data

    def close(self):
        self.closed = True

    def abort(self):
        self.aborted = True

    def is_closing(self):
        return self.closed

    def get_extra_info(self, name):
        return None

    def pause_reading(self): ...

    def resume_reading(self): ...


@pytest.fixture
def connection(client):
    """A connection without a network, and what becomes of it."""
    import uvicorn
    from uvicorn.server import ServerState

    from model_server.lean_protocol import LeanProtocol

    def connect():
        config = uvicorn.Config(
            client("iris").application, http=LeanProtocol, lifespan="off", proxy_headers=False, log_config=None
        )
        config.load()
        protocol, transport = LeanProtocol(config, ServerState(), {}), Transport()
        protocol.connection_made(transport)
        return protocol, transport

    async def made():
        return connect()

    return made


@pytest.mark.parametrize(
    ("sent", "quiet", "status"),
    [(b"POST /predict HT", SEND_LIMIT, b"408"), (HEAD + b"Content-Length: 9\r\n\r\n[1", SEND_LIMIT, b"408"), (b"", SEND_LIMIT, b""),
     (b"GET /livez HTTP/1.1\r\n\r\n", KEEP_ALIVE, b"200")],
)  # fmt: skip
def test_clients_that_are_too_slow_or_silent_are_let_go(connection, sent, quiet, status):
    async def scene():
        protocol, transport = await connection()
        if sent:
            protocol.data_received(sent)
        now = asyncio.get_running_loop().time()
        protocol.sweep(now + quiet - 1)
        assert not transport.closed
        protocol.sweep(now + quiet + 1)
        assert transport.closed
        assert transport.written.startswith(b"HTTP/1.1 %b " % status if status else b"")
        protocol.sweep(now + 2 * quiet + SEND_LIMIT)
        assert transport.aborted

    asyncio.run(scene())


def test_a_client_that_does_not_take_in_its_answers_gets_no_further_ones(connection):
    async def scene():
        protocol, transport = await connection()
        protocol.pause_writing()
        now = asyncio.get_running_loop().time()
        protocol.sweep(now + SEND_LIMIT - 1)
        assert not transport.aborted
        protocol.resume_writing()
        protocol.sweep(now + SEND_LIMIT + 1)
        assert not transport.aborted
        protocol.pause_writing()
        protocol.sweep(now + 3 * SEND_LIMIT)
        assert transport.aborted

    asyncio.run(scene())


def test_workers_share_the_port_evenly_and_count_together(start, model_dir):
    server = start("--model-dir", str(model_dir("iris-onnx")), "--workers", "2", "--drain-delay", "0.3").ready()
    assert "2 workers" in server.output[0]
    host, port = server.url.removeprefix("http://").split(":")
    connections = [http.client.HTTPConnection(host, int(port), timeout=10) for _ in range(8)]
    try:
        processes = []
        for connection in connections:
            connection.request("POST", "/predict", json.dumps(ROW), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())["predictions"]) == (200, ["Versicolor"])
            processes.append(answer.headers["x-request-id"].partition("-")[0])
    finally:
        for connection in connections:
            connection.close()
    assert sorted(processes.count(process) for process in set(processes)) == [4, 4]
    metrics = server.get("/metrics").body.decode()
    assert 'model_server_requests_total{route="predict",code="200"} 8\n' in metrics
    assert "model_server_workers 2\n" in metrics
    server.process.send_signal(signal.SIGTERM)
    server.line_with("SIGTERM: not ready any more, draining")
    time.sleep(0.1)
    assert server.get("/readyz").status == 503
    assert server.wait() == 0
    assert server.errors == [
        "model-server: warning: no model digest was given, so files were checked against model.json only; set MODEL_DIGEST"
    ]


def test_a_worker_that_ends_is_replaced(start, model_dir):
    server = start("--model-dir", str(model_dir("iris-onnx")), "--workers", "2").ready()
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    server.line_with("ended with -9; another one is started in its place")
    with ThreadPoolExecutor(4) as clients:
        assert {answer.status for answer in clients.map(lambda _: server.get("/predict", ROW), range(8))} == {200}
    assert server.stop() == 0


def test_workers_that_can_not_start_say_so_once(start, tmp_path):
    server = start("--model-dir", str(tmp_path), "--workers", "2")
    assert server.wait() == 3
    [line] = server.errors
    assert line.startswith(f"model-server: error: model directory {tmp_path} has no model.json")
