"""Connections that no worker can take at the moment wait, as they would for one process."""

import contextlib
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

LIVE = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
MORE_THAN_CHANNELS_HOLD = 800


@pytest.fixture
def workers(start, model_dir):
    """Starts a server with two workers; gives it and their process ids."""

    def begin(*options):
        server = start("--model-dir", str(model_dir("iris-onnx")), "--workers", "2", *options).ready()
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
        return server, [int(child) for child in children]

    return begin


def connections_to(server, count, stack):
    host, port = server.url.removeprefix("http://").split(":")
    made = [stack.enter_context(socket.create_connection((host, int(port)), timeout=60)) for _ in range(count)]
    for connection in made:
        connection.sendall(LIVE)
    return made


def told(children, number):
    for child in children:
        os.kill(child, number)


def runs(process):
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False


def test_connections_that_come_while_no_worker_reads_are_all_answered_later(workers):
    server, children = workers()
    with contextlib.ExitStack() as stack:
        told(children, signal.SIGSTOP)
        try:
            connections = connections_to(server, MORE_THAN_CHANNELS_HOLD, stack)
        finally:
            told(children, signal.SIGCONT)
        answers = [connection.recv(1000)[:15] for connection in connections]
    assert set(answers) == {b"HTTP/1.1 200 OK"}
    assert server.stop() == 0
    assert not [line for line in server.errors if "connection" in line]


def test_while_one_worker_does_not_read_the_other_answers_and_takes_what_does_not_fit(workers):
    server, children = workers()
    with contextlib.ExitStack() as stack:
        told(children[:1], signal.SIGSTOP)
        try:
            connections = connections_to(server, MORE_THAN_CHANNELS_HOLD, stack)
            taken = 0
            for connection in connections:
                connection.settimeout(0.01)
                with contextlib.suppress(TimeoutError):
                    taken += connection.recv(1000).startswith(b"HTTP/1.1 200 OK")
            assert taken > MORE_THAN_CHANNELS_HOLD // 2
        finally:
            told(children[:1], signal.SIGCONT)
    assert server.stop() == 0


def test_connections_that_come_while_all_workers_have_ended_wait_for_new_ones(workers):
    server, children = workers()
    told(children, signal.SIGKILL)
    with ThreadPoolExecutor(4) as clients:
        assert {answer.status for answer in clients.map(lambda _: server.get("/livez"), range(8))} == {200}
    assert server.stop() == 0


def test_workers_end_when_their_parent_was_killed_whatever_it_had_not_read_yet(workers):
    server, children = workers()
    with contextlib.ExitStack() as stack:
        told(children, signal.SIGSTOP)
        connections = connections_to(server, 8, stack)
        time.sleep(0.2)
        server.process.send_signal(signal.SIGSTOP)
        told(children, signal.SIGCONT)
        assert {connection.recv(1000)[:15] for connection in connections} == {b"HTTP/1.1 200 OK"}
        server.process.kill()
    until = time.monotonic() + 30
    while any(runs(child) for child in children):
        assert time.monotonic() < until, "a worker goes on without its parent"
        time.sleep(0.05)


def test_a_connection_that_must_be_given_up_at_the_end_is_told(workers):
    server, children = workers()
    with contextlib.ExitStack() as stack:
        told(children, signal.SIGSTOP)
        try:
            connections_to(server, MORE_THAN_CHANNELS_HOLD, stack)
            server.process.send_signal(signal.SIGTERM)
            server.line_with("connections that no worker took before the end were closed without an answer")
        finally:
            told(children, signal.SIGCONT)
        assert server.wait() == 0
    assert len([line for line in server.errors if "connections" in line]) == 1
