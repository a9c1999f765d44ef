"""What a client may do to a connection: split, pipeline, upgrade, be slow, send too much, close its side."""

import asyncio
import http.client
import json
import socket
import time

import pytest

from model_server.lean_protocol import KEEP_ALIVE, LARGEST_HEAD, SEND_LIMIT

ROW = [6.1, 2.8, 4.7, 1.2]


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


LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "head",
    [(HEAD + b"X-Long: " + b"a" * (LARGEST_HEAD + 1) + b"\r\nContent-Length: 2\r\n\r\n[]",),
     (HEAD + b"".join(b"X-%d: a\r\n" % number for number in range(101)) + b"Content-Length: 2\r\n\r\n[]" + LIVEZ,),
     (HEAD + b"X-Endless: ", *[b"a" * LARGEST_HEAD] * 4),
     (HEAD, *[b"X-More: " + b"a" * 1000 + b"\r\n"] * 80),
     (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n", *[b"X-Trailer: " + b"a" * LARGEST_HEAD + b"\r\n"] * 4)],
    ids=["long", "many", "endless", "in pieces", "trailers"],
)  # fmt: skip
def test_headers_that_are_too_large_are_a_431(iris_server, head):
    answer, state = talk(iris_server, *head)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"the headers are larger than 32768 bytes, or more than 100" in answer
    assert state == "closed"


def test_a_body_that_comes_drop_by_drop_is_answered_and_holds_nobody_up(iris_server):
    body = json.dumps(ROW).encode()
    answer, _ = talk(
        iris_server, HEAD, b"Content-Length: %d\r\n" % len(body), b"\r\n", *(bytes([byte]) for byte in body)
    )
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


def test_who_expects_to_be_asked_for_the_body_is_asked(iris_server):
    body = json.dumps(ROW).encode()
    answer, _ = talk(iris_server, HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body), body)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    answer, state = talk(iris_server, HEAD + b"Expect: 100-continue\r\nContent-Length: 999999999\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert state == "closed"


def test_chunked_bodies_and_old_clients_are_answered(iris_server):
    body = json.dumps(ROW).encode()
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    assert talk(iris_server, chunked)[0].startswith(b"HTTP/1.1 200 OK\r\n")
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
                        for body in (json.dumps(row).encode() for row in rows))  # fmt: skip
    last = b"GET /v2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer, state = talk(iris_server, requests + last, wait=20)
    places = [
        answer.index(text)
        for text in (b'"Setosa"]', b'"Versicolor"],', b'"Virginica"],', b"sklearn-catalog-model-server")
    ]
    assert answer.count(b"HTTP/1.1 200 OK") == 7
    assert (places, state) == (sorted(places), "closed")


UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
"""As Java's HttpClient and `curl --http2` send it with every request."""


@pytest.mark.parametrize("parts", [1, 2], ids=["in one piece", "its body later"])
def test_an_upgrade_is_not_made_but_the_request_is_answered_with_its_body(iris_server, parts):
    body = json.dumps(ROW).encode()
    head = HEAD + UPGRADE + b"Content-Length: %d\r\n\r\n" % len(body)
    answer, state = talk(iris_server, *([head + body] if parts == 1 else [head, body]))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b'"predictions":["Versicolor"]' in answer
    assert state == "open"


def test_what_follows_an_offer_to_upgrade_is_its_body_and_then_the_next_request(iris_server):
    """Never a request that somebody wrote into a body."""
    head = HEAD + UPGRADE + b"Content-Length: %d\r\n\r\n" % len(LIVEZ)
    answer, _ = talk(iris_server, head, LIVEZ, LIVEZ)
    assert [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"400", b"200"]
    assert answer.count(b'"live"') == 1
    offered = LIVEZ.replace(b"Host", UPGRADE + b"Host").replace(b"Upgrade, ", b"close, Upgrade, ")
    answer, state = talk(iris_server, LIVEZ.replace(b"Host", UPGRADE + b"Host") * 20 + offered)
    assert (answer.count(b"HTTP/1.1 200 OK"), state) == (21, "closed")


def test_nobody_connects_through_it(iris_server):
    answer, state = talk(iris_server, b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (answer[:12], state) == (b"HTTP/1.1 405", "closed")


def test_a_large_body_before_it_does_not_make_a_head_too_large(iris_server):
    body = json.dumps(ROW).encode() + b" " * 3 * LARGEST_HEAD
    first = HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    answer, _ = talk(iris_server, first + LIVEZ[:20], LIVEZ[20:])
    assert answer.count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize(
    "second", [b"garbage\r\n\r\n", b"GET /livez HTTP/1.1\r\n" + b"X: a\r\n" * 101 + b"\r\n"], ids=["garbage", "headers"]
)
def test_what_is_refused_behind_a_waiting_request_does_not_take_its_answer(start, slow_model, second):
    server = start("--model-dir", str(slow_model)).ready()
    first = HEAD + b"X-Request-Id: first\r\nContent-Length: 10\r\n\r\n[[0.3, 1]]"
    answer, state = talk(server, first + second, wait=5.0)
    assert (answer.count(b"HTTP/1.1 "), answer[:15], state) == (1, b"HTTP/1.1 200 OK", "closed")
    assert b"x-request-id: first\r\n" in answer


def test_a_client_that_has_closed_its_sending_side_still_gets_its_answer(start, slow_model):
    server = start("--model-dir", str(slow_model)).ready()
    host, port = server.url.removeprefix("http://").split(":")
    for request in (HEAD + b"Content-Length: 10\r\n\r\n[[0.3, 1]]", b"GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n", LIVEZ):
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            assert connection.makefile("rb").read().startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("chunked", [False, True])
def test_the_refusal_of_a_body_reaches_a_client_that_sends_all_of_it_first(iris_server, chunked):
    host, port = iris_server.url.removeprefix("http://").split(":")
    piece = b"1," * 32768
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    body = (piece for _ in range(320)) if chunked else piece * 320
    connection.request("POST", "/predict", body, {"Content-Type": "application/json"}, encode_chunked=chunked)
    assert connection.getresponse().status == 413
    connection.close()


def test_a_head_gets_no_body_whatever_the_answer_is(iris_server):
    for path in (b"/predict", b"/nowhere", b"/v2", b"/v2/models/model", b"/livez?x=1"):
        last = LIVEZ.replace(b"Host", b"Connection: close\r\nHost")
        answer, _ = talk(iris_server, b"HEAD %b HTTP/1.1\r\nHost: x\r\n\r\n" % path + last, wait=10)
        first, _, second = answer.partition(b"\r\n\r\n")
        assert int(first.split(b"content-length: ")[1].split(b"\r\n")[0]) > 0, path
        assert second.startswith(b"HTTP/1.1 200 OK"), path


def test_a_query_makes_no_other_path(iris_server):
    body = json.dumps(ROW).encode()
    request = HEAD.replace(b"/predict", b"/predict?trace=1") + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    assert b'"predictions":["Versicolor"]' in talk(iris_server, request)[0]


def test_clients_of_http_1_0_keep_their_connection_where_they_ask_for_it(iris_server):
    request = b"GET /livez HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n\r\n"
    answer, state = talk(iris_server, request * 2)
    assert (answer.count(b"HTTP/1.1 200 OK"), answer.count(b"connection: keep-alive"), state) == (2, 2, "open")
    assert b"100 Continue" not in answer


def test_of_what_one_client_sends_at_once_only_the_first_is_answered_before_others_are_heard(front_of):
    taken = []

    class Recording:
        def take(self, *_, alone):
            taken.append(alone)

    front = front_of(lambda rows: rows)
    front.answering = Recording()
    request = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1"

    async def scene():
        import uvicorn
        from uvicorn.server import ServerState

        from model_server.lean_protocol import LeanProtocol

        config = uvicorn.Config(front, http=LeanProtocol, lifespan="off", proxy_headers=False, log_config=None)
        config.load()
        protocol = LeanProtocol(config, ServerState(), {})
        protocol.connection_made(Transport())
        for _ in range(2):
            protocol.data_received(request)
            protocol.cycle.response_complete = True
        protocol._first_of_read = True
        protocol.parser.feed_data(request)
        protocol.cycle.response_complete = True
        protocol.parser.feed_data(request)

    asyncio.run(scene())
    assert taken == [True, True, True, False]


class Transport:
    def __init__(self):
        self.written, self.closed, self.ended, self.aborted = b"", False, False, False

    def write(self, data):
        self.written += data

    def close(self):
        self.closed = True

    def write_eof(self):
        self.ended = True

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
        assert not transport.ended
        protocol.sweep(now + quiet + 1)
        assert transport.ended if status == b"408" else transport.closed
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
