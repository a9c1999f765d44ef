"""What is asked where: predictions by exact path, probes and pages, and the application for everything else.

Two ways lead here. `lean_protocol` asks the tables and functions of this module straight from the HTTP parser; the
ASGI callable does the same for requests that it leaves aside (pipelined ones, paths with escapes) and in any ASGI
server.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple

from model_server.answering import ENDED, Answering
from model_server.exchange import BodyProtocol
from model_server.metrics import OTHER, Metrics
from model_server.refusals import Refusal, Reply

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApplication = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

_CLOSE = (b"connection", b"close")
_REQUEST_ID = b"x-request-id"
_JSON_KIND = b"application/json"
_LONGEST_ID = 128
_LONGEST_NUMBER = 18
_LOOKED_AT = frozenset((b"content-length", b"content-type", b"content-encoding", b"inference-header-content-length"))


class Post(NamedTuple):
    """A path that takes bodies, read by ``json`` or, where there is one, ``csv``. ``csv_answers`` makes protocols
    that answer in CSV of those that answer in JSON."""

    name: str
    """In the metrics."""
    json: BodyProtocol
    csv: BodyProtocol | None = None
    csv_answers: Callable[[BodyProtocol], BodyProtocol] | None = None
    with_bytes: Callable[[int], BodyProtocol] | None = None
    """Makes a protocol for bodies whose JSON has that many bytes, with tensors behind it."""


class Get(NamedTuple):
    name: str
    reply: Callable[[], Reply]


class Draining:
    """Whether the server is on its way out: not ready any more, still answering."""

    def __init__(self) -> None:
        self.begun = False


class Deferred:
    """An application that is made when it is first asked: most servers only ever answer predictions and probes."""

    def __init__(self, make: Callable[[], AsgiApplication]) -> None:
        self._make = make
        self._lock = asyncio.Lock()
        self._application: AsgiApplication | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._lock:
            if self._application is None:
                self._application = await asyncio.to_thread(self._make)
            application = self._application
        await application(scope, receive, send)


class Front:
    """``posts`` and ``gets`` by exact path; ``application`` answers everything else."""

    def __init__(
        self, posts: Mapping[str, Post], gets: Mapping[str, Get], application: AsgiApplication, *,
        answering: Answering, metrics: Metrics, max_body: int, draining: Draining,
    ) -> None:  # fmt: skip
        self.posts = dict(posts)
        self.gets = dict(gets)
        self.lean: dict[bytes, Post | Get] = {path.encode(): post for path, post in posts.items()}
        self.lean.update({path.encode(): get for path, get in gets.items()})
        self.answering = answering
        self.metrics = metrics
        self.max_body = max_body
        self.draining = draining
        self._application = application
        self._numbers = itertools.count(1)
        self._process = os.urandom(4).hex().encode()

    def request_id(self, headers: Headers) -> bytes:
        """The client's own, or one that is unique."""
        for name, value in headers:
            if name == _REQUEST_ID and 0 < len(value) <= _LONGEST_ID and value.isascii():
                return value
        return b"%b-%x" % (self._process, next(self._numbers))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        started, path = time.perf_counter(), scope["path"]
        if (post := self.posts.get(path)) is not None:
            await self._post(post, scope, receive, send, started)
        elif (get := self.gets.get(path)) is not None:
            refusal = method_refusal(scope["method"], path, "GET, HEAD")
            reply = get.reply() if refusal is None else refusal.reply()
            await self._send(scope, send, reply, started, get.name)
        else:
            await self._counted(scope, receive, send, started)

    async def _counted(self, scope: Scope, receive: Receive, send: Send, started: float) -> None:
        name = self.request_id(scope["headers"])

        async def counting(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self.metrics.answered(OTHER, message["status"], time.perf_counter() - started)
                message["headers"] = [*message.get("headers", ()), (_REQUEST_ID, name)]
            await send(message)

        await self._application(scope, receive, counting)

    async def _post(self, post: Post, scope: Scope, receive: Receive, send: Send, started: float) -> None:
        name = self.request_id(scope["headers"])
        try:
            if (refusal := method_refusal(scope["method"], scope["path"], "POST")) is not None:
                raise refusal
            protocol = chosen_protocol(post, scope["headers"], self.max_body)
            body = await _body(receive, self.max_body)
            if body is None:
                return  # the client is gone
            started = time.perf_counter()
            loop = asyncio.get_running_loop()
            answer: asyncio.Future[Reply] = loop.create_future()
            self.answering.take(
                protocol, body, name.decode("latin-1"), loop,
                lambda reply: None if answer.done() else answer.set_result(reply),
            )  # fmt: skip
            reply = await answer
        except Refusal as refusal:
            reply = refusal.reply()
        except asyncio.CancelledError:
            if not self.draining.begun:
                raise
            reply = ENDED.reply()  # the drain timeout: a thread may go on, but nobody waits for it any more
        await self._send(scope, send, reply, started, post.name, name)

    async def _send(
        self, scope: Scope, send: Send, reply: Reply, started: float, route: str, name: bytes | None = None
    ) -> None:
        self.metrics.answered(route, reply.status, time.perf_counter() - started, reply.predictions)
        closing = (_CLOSE,) if self.draining.begun and _CLOSE not in reply.headers else ()
        headers = [
            (b"content-type", reply.content_type), (b"content-length", b"%d" % len(reply.body)),
            (_REQUEST_ID, name or self.request_id(scope["headers"])), *reply.headers, *closing,
        ]  # fmt: skip
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.body})


def method_refusal(method: str, path: str, allowed: str) -> Refusal | None:
    if method in allowed.split(", "):
        return None
    return Refusal(405, f"{path} takes {allowed}, not {method}", headers=((b"allow", allowed.encode()),))


def chosen_protocol(post: Post, headers: Headers, max_body: int) -> BodyProtocol:
    """By the content type. Raises Refusal: 413 for a body announced as too large, 415 for one that is not plain."""
    kind, length = _JSON_KIND, b""
    for name, value in headers:
        if name not in _LOOKED_AT:
            continue
        if name == b"content-length":
            if value.isdigit() and int(value) > max_body:
                raise too_large(max_body)
        elif name == b"content-type":
            kind = value
        elif name == b"content-encoding":
            if value.strip().lower() not in {b"", b"identity"}:
                raise Refusal(415, f"the body has the content encoding {value.decode('latin-1')}; send it as it is")
        else:
            length = value
    if length:
        return _with_bytes(post, length)
    found = post.json if kind == _JSON_KIND else _by_content_type(post, kind)
    if post.csv_answers is not None and _wants_csv(headers):
        return post.csv_answers(found)
    return found


def _with_bytes(post: Post, length: bytes) -> BodyProtocol:
    if post.with_bytes is None:
        raise Refusal(415, "binary tensor data goes to /v2 only; send JSON")
    if not length.isdigit() or len(length) > _LONGEST_NUMBER:
        raise Refusal(400, f"Inference-Header-Content-Length is {length.decode('latin-1')!r}, not a number of bytes")
    return post.with_bytes(int(length))


def _wants_csv(headers: Headers) -> bool:
    return any(name == b"accept" and value.lower().startswith(b"text/csv") for name, value in headers)


def _by_content_type(post: Post, value: bytes) -> BodyProtocol:
    kind, _, parameters = value.decode("latin-1").lower().partition(";")
    kind = kind.strip()
    for parameter in parameters.split(";"):
        name, _, charset = parameter.partition("=")
        if name.strip() == "charset" and charset.strip().strip('"') not in {"utf-8", "utf8", "us-ascii"}:
            raise Refusal(415, f"the body is in {charset.strip()}; send it in UTF-8")
    if kind == "text/csv" and post.csv is not None:
        return post.csv
    if kind and kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        others = " or CSV as 'text/csv'" if post.csv is not None else ""
        raise Refusal(415, f"the body is {kind}; send JSON with the header 'Content-Type: application/json'{others}")
    return post.json


async def _body(receive: Receive, max_body: int) -> bytes | None:
    """The whole body, or None where the client left. Raises Refusal (413)."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > max_body:
            raise too_large(max_body)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts) if len(parts) > 1 else part


def too_large(max_body: int) -> Refusal:
    """The rest of the body is not read, so the connection can't go on."""
    return Refusal(413, f"the body is larger than {max_body} bytes; send fewer rows at a time", headers=(_CLOSE,))
