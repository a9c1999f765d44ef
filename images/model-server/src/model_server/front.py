"""The lean ASGI callable in front of the application: probes, /predict, /v2 infer; what it does not know goes there.

Requests with a body are answered by plain functions of bytes in a pool of threads, so that health answers never wait
for a prediction.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import Executor
from typing import Any

import msgspec

from model_server.refusals import Refusal, Reply

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApplication = Callable[[Scope, Receive, Send], Awaitable[None]]
BodyHandler = Callable[[bytes], Reply]
Probe = Callable[[], Reply]

_JSON = (b"content-type", b"application/json")
_CLOSE = (b"connection", b"close")


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
    """``posts`` and ``probes`` by exact path; ``application`` answers everything else."""

    def __init__(
        self,
        posts: Mapping[str, BodyHandler],
        probes: Mapping[str, Probe],
        application: AsgiApplication,
        *,
        executor: Executor,
        max_body: int,
        draining: Draining,
        debug: bool = False,
    ) -> None:
        self._posts = dict(posts)
        self._probes = dict(probes)
        self._application = application
        self._executor = executor
        self._max_body = max_body
        self._draining = draining
        self._debug = debug
        self._lock = threading.Lock()
        self.predicting = 0
        """Requests that a thread of the pool is working on."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            if (handler := self._posts.get(path)) is not None:
                await self._post(handler, scope, receive, send)
                return
            if (probe := self._probes.get(path)) is not None:
                await self._probe(probe, scope, send)
                return
        await self._application(scope, receive, send)

    async def _probe(self, probe: Probe, scope: Scope, send: Send) -> None:
        if scope["method"] not in {"GET", "HEAD"}:
            await self._send(send, _method_refusal(scope, "GET, HEAD").reply(), (b"allow", b"GET, HEAD"))
            return
        reply = probe()
        await self._send(send, reply, empty=scope["method"] == "HEAD")

    async def _post(self, handler: BodyHandler, scope: Scope, receive: Receive, send: Send) -> None:
        headers: tuple[tuple[bytes, bytes], ...] = ()
        try:
            if scope["method"] != "POST":
                headers = ((b"allow", b"POST"),)
                raise _method_refusal(scope, "POST")
            check_headers(scope["headers"], self._max_body)
            body = await _body(receive, self._max_body)
            if body is None:
                return  # the client is gone
            reply = await asyncio.get_running_loop().run_in_executor(self._executor, self._answer, handler, body)
        except Refusal as refusal:
            reply = refusal.reply()
            if refusal.status == 413:
                headers = (_CLOSE,)  # the rest of the body is not read
        except asyncio.CancelledError:
            if not self._draining.begun:
                raise
            # The drain timeout: the thread goes on, but nobody waits for it any more.
            reply = Refusal(503, "the server ended before this request was done; send it again").reply()
            headers = ((b"retry-after", b"1"),)
        await self._send(send, reply, *headers)

    def _answer(self, handler: BodyHandler, body: bytes) -> Reply:
        """In a thread of the pool. What is not a refusal is our fault: an id for the client, the reason in the log."""
        with self._lock:
            self.predicting += 1
        try:
            return handler(body)
        except Refusal as refusal:
            return refusal.reply()
        except Exception as error:  # noqa: BLE001  whatever the estimator raises
            return fault_reply(error, debug=self._debug)
        finally:
            with self._lock:
                self.predicting -= 1

    async def _send(self, send: Send, reply: Reply, *headers: tuple[bytes, bytes], empty: bool = False) -> None:
        length = (b"content-length", b"%d" % len(reply.body))
        closing = (_CLOSE,) if self._draining.begun else ()
        await send(
            {"type": "http.response.start", "status": reply.status, "headers": [_JSON, length, *headers, *closing]}
        )
        await send({"type": "http.response.body", "body": b"" if empty else reply.body})


def fault_reply(error: Exception, *, debug: bool) -> Reply:
    """500 with an id; the log has the same id with the reason."""
    fault = uuid.uuid4().hex[:12]
    text = " ".join(str(error).split())
    print(f"model-server: error: request {fault} failed: {type(error).__name__}: {text}", file=sys.stderr, flush=True)
    if debug:
        traceback.print_exception(error)
    return Reply(
        500, msgspec.json.encode({"error": "the server failed on this request; its log has the reason", "id": fault})
    )


def check_headers(headers: list[tuple[bytes, bytes]], max_body: int) -> None:
    """Raises Refusal: 413 for a body announced as too large, 415 for one that is not plain JSON."""
    for name, value in headers:
        if name == b"content-length":
            if value.isdigit() and int(value) > max_body:
                raise too_large(max_body)
        elif name == b"content-type":
            _check_content_type(value)
        elif name == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}:
            raise Refusal(415, f"the body has the content encoding {value.decode('latin-1')}; send it as it is")
        elif name == b"inference-header-content-length":
            raise Refusal(415, "binary tensor data is not supported; send tensors as JSON (binary_data=False)")


def _check_content_type(value: bytes) -> None:
    if value == b"application/json":
        return
    kind, _, parameters = value.decode("latin-1").lower().partition(";")
    kind = kind.strip()
    if kind and kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise Refusal(415, f"the body is {kind}; send JSON with the header 'Content-Type: application/json'")
    for parameter in parameters.split(";"):
        name, _, charset = parameter.partition("=")
        if name.strip() == "charset" and charset.strip().strip('"') not in {"utf-8", "utf8", "us-ascii"}:
            raise Refusal(415, f"the body is in {charset.strip()}; send JSON in UTF-8")


async def _body(receive: Receive, max_body: int) -> bytes | None:
    """The whole body, or None where the client left. Raises Refusal (413)."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size > max_body:
            raise too_large(max_body)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts) if len(parts) > 1 else part


def too_large(max_body: int) -> Refusal:
    return Refusal(413, f"the body is larger than {max_body} bytes; send fewer rows at a time")


def _method_refusal(scope: Scope, allowed: str) -> Refusal:
    return Refusal(405, f"{scope['path']} takes {allowed}, not {scope['method']}")
