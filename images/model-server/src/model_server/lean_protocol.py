"""HTTP for the paths that `front` knows, without ASGI in between; everything else goes on to uvicorn's own protocol.

A third of the time of an ASGI request, and limits that uvicorn does not have: on the size of headers, on the time that
a client takes to send a request or to take its answer.
"""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import Any, cast

import httptools

from model_server.front import Front, Get, Post, chosen_protocol, method_refusal, too_large
from model_server.metrics import OTHER
from model_server.refusals import Refusal, Reply
from model_server.upgrades import UpgradeIgnoringProtocol

MOST_HEADERS = 100
LARGEST_HEAD = 32 * 1024
SEND_LIMIT = 30.0
"""Seconds that a client may take to send a request, or to take in an answer."""
MOST_DROPPED = 32 << 20
"""Bytes that a refused client may still send."""
_PAUSE = 0.01
"""Seconds between two reads of what is dropped."""
KEEP_ALIVE = 75.0
"""Seconds; longer than load balancers keep idle connections (often 60), so that they never use one we just closed."""

_NOTED = frozenset((b"connection", b"expect"))
_IDLE, _HEAD, _BODY, _IGNORED, _APPLICATION, _ANSWERING = range(6)
_STATUS_LINES = {status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus}
_JSON_OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


class _Nobody:
    """In place of the event that uvicorn sets for a waiting ASGI application."""

    def set(self) -> None: ...


class Exchange:
    """One request on its way; to uvicorn it looks like a cycle of its own."""

    __slots__ = (
        "by_head", "disconnected", "keep_alive", "message_event", "name", "old", "protocol", "response_complete",
        "route", "started",
    )  # fmt: skip
    more_body = False
    """To uvicorn: nothing of the request is still to come."""

    def __init__(
        self, protocol: LeanProtocol, route: str, name: bytes, *, keep_alive: bool, by_head: bool, old: bool
    ) -> None:
        self.protocol = protocol
        self.route = route
        self.name = name
        self.keep_alive = keep_alive
        self.by_head = by_head
        self.old = old
        """HTTP/1.0."""
        self.started = time.perf_counter()
        self.disconnected = False
        self.response_complete = False
        self.message_event = _NOBODY

    def finish(self, reply: Reply) -> None:
        """On the event loop, once."""
        self.response_complete = True
        protocol = self.protocol
        protocol.front.metrics.answered(self.route, reply.status, time.perf_counter() - self.started, reply.predictions)
        if not self.disconnected:
            stays = protocol.write_reply(
                reply, self.name, keep_alive=self.keep_alive, by_head=self.by_head, old=self.old
            )
            if not stays:
                protocol.transport.close()
            protocol.on_response_complete()


_NOBODY = _Nobody()


class LeanProtocol(UpgradeIgnoringProtocol):
    """uvicorn makes one for each connection; ``config.loaded_app`` is the front."""

    def __init__(
        self, config: Any, server_state: Any, app_state: dict[str, Any], _loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.front = cast("Front", self.app)
        self._stage = _IDLE
        self._since = self.loop.time()
        self._head_size = 0
        self._unparsed = 0
        self._progressed = False
        self._first_of_read = True
        self._old = False
        self._by_head = False
        self._parts: list[bytes] = []
        self._size = 0
        self._route: Post | Get | None = None
        self._protocol: Any = None
        self._refusal: Refusal | None = None
        self._name = b""
        self._last = False

    def data_received(self, data: bytes) -> None:
        if self._stage == _IGNORED:
            self._drop(data)
            return
        self._progressed, self._first_of_read = False, True
        try:
            self.feed(data)
        except httptools.HttpParserError:
            self._refuse_connection(400, "this is not HTTP/1.1")
            return
        self._unparsed = 0 if self._progressed else self._unparsed + len(data)
        if self._unparsed > LARGEST_HEAD and self._stage != _IGNORED:
            self._refuse_head()

    def refuse_connect(self) -> None:
        self._refuse_connection(405, "nothing here takes CONNECT")

    def _should_upgrade(self) -> bool:
        return False

    def _drop(self, data: bytes) -> None:
        """What comes after a refusal, at a pace that holds nobody up: see `_linger`."""
        self._size += len(data)
        if self._size > MOST_DROPPED:
            self.transport.abort()
        elif not self.transport.is_closing():
            self.flow.pause_reading()
            self.loop.call_later(_PAUSE, self._go_on_dropping)

    def _go_on_dropping(self) -> None:
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client sends nothing more; true: it still gets its answer."""
        if not self._waits_for_answer():
            return False
        self.cycle.keep_alive = False
        return True

    def on_message_begin(self) -> None:
        self._progressed = True
        if self._stage == _IGNORED:
            return
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._head_size = 0
        self._route, self._name, self._by_head, self._old = None, b"", False, False
        self._since = self.loop.time()
        if self.cycle is None or self.cycle.response_complete:
            self._stage = _HEAD

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self._head_size += len(name) + len(value)
        if name in _NOTED:
            self._old = self.parser.get_http_version() == "1.0"
            if name == b"expect" and value.lower() == b"100-continue" and not self._old:  # RFC 9110 15.2
                self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._progressed = True
        if self._stage == _IGNORED:
            return
        if self._head_size > LARGEST_HEAD or len(self.headers) > MOST_HEADERS:
            self._refuse_head()
            return
        self._offered = self.parser.should_upgrade()
        if self._offered:
            return
        route = self._lean_route() if self._stage == _HEAD else None
        if route is None:
            self._to_application()
            return
        self._route, self._refusal, self._parts, self._size = route, None, [], 0
        self._name = self.front.request_id(self.headers)
        self._stage = _BODY
        method, wanted = self.parser.get_method(), b"GET" if type(route) is Get else b"POST"
        self._by_head = method == b"HEAD"
        if method != wanted and not (method == b"HEAD" and wanted == b"GET"):
            allowed = "POST" if wanted == b"POST" else "GET, HEAD"
            self._refusal = method_refusal(method.decode("ascii"), self.url.decode("ascii"), allowed)
        elif type(route) is Post:
            try:
                self._protocol = chosen_protocol(route, self.headers, self.front.max_body)
            except Refusal as refusal:
                self._refusal = refusal
        if self._refusal is not None and (self.expect_100_continue or self._refusal.status == 413):
            self._refuse_now(self._refusal)
        elif self.expect_100_continue:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _lean_route(self) -> Post | Get | None:
        found = self.front.lean.get(self.url)
        return found if found is not None or b"?" not in self.url else self.front.lean.get(self.url.partition(b"?")[0])

    def on_chunk_header(self) -> None:
        self._progressed = True

    def on_body(self, body: bytes) -> None:
        self._progressed = True
        if self._stage == _BODY:
            self._size += len(body)
            if self._size > self.front.max_body:
                self._refuse_now(too_large(self.front.max_body))
            elif self._refusal is None:
                self._parts.append(body)
        elif self._stage != _IGNORED:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._offered:
            return
        if self._stage == _BODY and self._route is not None:
            keep_alive = self.parser.should_keep_alive() and not self._last
            exchange = Exchange(
                self, self._route.name, self._name, keep_alive=keep_alive, by_head=self._by_head, old=self._old
            )
            self.cycle = exchange  # type: ignore[assignment]
            self._stage = _ANSWERING
            if self._refusal is not None:
                exchange.finish(self._refusal.reply())
            elif type(self._route) is Get:
                exchange.finish(self._route.reply())
            else:
                body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
                self._parts = []
                self.front.answering.take(
                    self._protocol, body, self._name.decode("latin-1"), self.loop, exchange.finish,
                    alone=self._first_of_read and len(self.connections) == 1,
                )  # fmt: skip
            self._first_of_read = False
        elif self._stage != _IGNORED:
            super().on_message_complete()

    def _to_application(self) -> None:
        """uvicorn's own way, with what was parsed until now."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url = url
        self.expect_100_continue = expects
        self.headers.extend(headers)
        self._stage = _APPLICATION
        super().on_headers_complete()

    def write_reply(self, reply: Reply, name: bytes, *, keep_alive: bool, by_head: bool, old: bool) -> bool:
        """Gives whether the connection stays open. ``by_head``: the request was a HEAD; ``old``: in HTTP/1.0."""
        if self.front.draining.begun:
            keep_alive = False
        parts = [_JSON_OK if reply.status == 200 and reply.content_type == b"application/json" else
                 b"%bcontent-type: %b\r\n" % (_STATUS_LINES[reply.status], reply.content_type)]  # fmt: skip
        for header in (*self.server_state.default_headers, *reply.headers):
            parts.append(b"%b: %b\r\n" % header)
            if header == (b"connection", b"close"):
                keep_alive = False
        parts.append(b"content-length: %d\r\n" % len(reply.body))
        if not keep_alive and (b"connection", b"close") not in reply.headers:
            parts.append(b"connection: close\r\n")
        elif keep_alive and old:
            parts.append(b"connection: keep-alive\r\n")
        parts.append(b"x-request-id: %b\r\n\r\n" % name)
        if not by_head:
            parts.append(reply.body)
        self.transport.write(b"".join(parts))
        return keep_alive

    def on_response_complete(self) -> None:
        """An idle connection is closed by `sweep`, not by a timer of its own."""
        self._since = self.loop.time()
        if self._stage in {_ANSWERING, _APPLICATION}:
            self._stage = _IDLE
        if self.pipeline:
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def _waits_for_answer(self) -> bool:
        """Whether a whole request has not been answered yet."""
        return self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body

    def _refuse_now(self, refusal: Refusal) -> None:
        """Before the request is whole; the connection ends, with the answers to the requests before it."""
        self._stage = _IGNORED
        if self._waits_for_answer():
            self.cycle.keep_alive = False
            return
        if self.cycle is not None and not self.cycle.response_complete:  # the application waits for the body
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started or self.pipeline:
                self.transport.close()
                return
        route = self._route.name if self._route is not None else OTHER
        self.front.metrics.answered(route, refusal.status, 0.0)
        name = self._name or self.front.request_id(self.headers or ())
        self.write_reply(refusal.reply(), name, keep_alive=False, by_head=self._by_head, old=self._old)
        self._linger()

    def _linger(self) -> None:
        """The client may still be sending: were the connection closed with that unread, it would be reset, and the
        answer be lost with it (RFC 9112 9.6)."""
        self._since, self._size = self.loop.time(), 0
        if not self.transport.is_closing():
            self.transport.write_eof()

    def _refuse_head(self) -> None:
        self._route = None
        self._refuse_now(Refusal(431, f"the headers are larger than {LARGEST_HEAD} bytes, or more than {MOST_HEADERS}"))

    def _refuse_connection(self, status: int, error: str) -> None:
        if self._stage != _IGNORED and not self.transport.is_closing():
            self._route = None
            self._refuse_now(Refusal(status, error))

    def shutdown(self) -> None:
        """The server ends: a request that is being sent is still answered."""
        if self._stage in {_HEAD, _BODY}:
            self._last = True
        else:
            super().shutdown()

    def pause_writing(self) -> None:
        """The client does not take in its answers: it gets no further ones."""
        super().pause_writing()
        self._since = self.loop.time()
        self.flow.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.flow.resume_reading()

    def sweep(self, now: float) -> None:
        """Called every second: ends connections whose client is too slow, or silent for too long."""
        quiet = now - self._since
        if self.transport.is_closing() or self.flow.write_paused:
            if quiet > SEND_LIMIT:
                self.transport.abort()
        elif self._waits_for_answer():
            return
        elif self._stage == _IGNORED:
            if quiet > SEND_LIMIT:
                self.transport.abort()
        elif self._stage in {_HEAD, _BODY, _APPLICATION} and quiet > SEND_LIMIT:
            self._refuse_now(Refusal(408, f"the request was not sent within {SEND_LIMIT:g} s"))
        elif self._stage == _IDLE and quiet > (KEEP_ALIVE if self.cycle is not None else SEND_LIMIT):
            self.transport.close()
