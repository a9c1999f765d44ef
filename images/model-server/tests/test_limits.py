"""Limits on waiting, time, headers and slow clients; what waits is answered together; several workers."""

import asyncio
import http.client
import json
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model_server.answering import Pace

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
