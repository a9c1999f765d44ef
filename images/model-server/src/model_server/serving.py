"""uvicorn and its end: SIGTERM makes the server not ready, then lets it drain, then ends it with exit code 0.

The order is the one that lets load balancers notice in time: /readyz says 503 while requests are still taken for
``drain_delay`` seconds, then the socket closes, requests in flight end (at most ``drain_timeout`` seconds).
A second signal ends the process at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Literal, NoReturn

import uvicorn

from model_server.front import Draining, Front
from model_server.lean_protocol import KEEP_ALIVE, LeanProtocol
from taskkit.errors import TaskError

BACKLOG = 2048
TICKS_A_SECOND = 10
"""How often uvicorn calls ``on_tick``."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket that holds the address before the model is loaded: a taken port is told at once. Raises TaskError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise TaskError(
            f"can't listen on {host} port {port} ({error.strerror})", "give another --host or --port"
        ) from error
    listener.set_inheritable(True)
    return listener


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """uvicorn with our signals: its own way ends with the signal itself, which a supervisor reads as a crash."""

    def __init__(
        self, config: uvicorn.Config, draining: Draining, drain_delay: float, when_ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._draining = draining
        self._drain_delay = drain_delay
        self._when_ready = when_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._when_ready()

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS_A_SECOND == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, LeanProtocol):
                    connection.sweep(now)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if isinstance(self.config.loaded_app, Front):  # whoever still waits after the drain timeout
            self.config.loaded_app.answering.abandon()
            await asyncio.sleep(0.01)  # lets the answers go out

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        for number in SIGNALS:
            signal.signal(number, self.handle_exit)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self._draining.begun:
            end_at_once(128 + sig)
        self._draining.begun = True
        print(f"model-server: {signal.Signals(sig).name}: not ready any more, draining", flush=True)
        if self._drain_delay and sig == signal.SIGTERM:
            timer = threading.Timer(self._drain_delay, self._stop)
            timer.daemon = True
            timer.start()
        else:
            self._stop()

    def _stop(self) -> None:
        self.should_exit = True


def end_at_once(exit_code: int) -> NoReturn:
    """Without waiting for threads that are still predicting."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


class StoppedWhileLoading(SystemExit):
    """A signal came before the server was ready."""


@contextlib.contextmanager
def stoppable_while_loading() -> Iterator[None]:
    """A signal ends the process in order until the server's own handlers: process 1 of a container has no default."""

    def stop(sig: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
        print(f"model-server: {signal.Signals(sig).name} before being ready, ended", flush=True)
        raise StoppedWhileLoading(0)

    for number in SIGNALS:
        signal.signal(number, stop)
    yield


def serve(
    application: Any, listener: socket.socket, *, draining: Draining, drain_delay: float, drain_timeout: float,
    when_ready: Callable[[], None], lifespan: Literal["auto", "off"] = "off",
) -> None:  # fmt: skip
    """Serves until a signal. Raises TaskError where the application's own start-up fails.

    ``lifespan`` is ``auto`` for applications of others; ours has none and does not ask who its client is.
    """
    config = uvicorn.Config(
        application, loop="uvloop", http=LeanProtocol if isinstance(application, Front) else "httptools",
        lifespan=lifespan, proxy_headers=lifespan == "auto",
        access_log=False, log_config=None, server_header=False, backlog=BACKLOG,
        timeout_keep_alive=round(KEEP_ALIVE), timeout_graceful_shutdown=max(1, round(drain_timeout)),
    )  # fmt: skip
    if isinstance(application, Front):  # what did not end in time is told in our own words
        logging.getLogger("uvicorn.error").addFilter(lambda record: not str(record.msg).startswith("Cancel "))
    server = _Server(config, draining, drain_delay, when_ready)
    try:
        server.run([listener])
    except SystemExit as ended:
        if ended.code:
            raise TaskError("the application's start-up failed, see above", "try it with uvicorn alone") from ended
        raise
