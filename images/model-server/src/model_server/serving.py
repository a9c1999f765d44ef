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
from model_server.scratch import remove_all
from model_server.settings import Settings
from model_server.upgrades import UpgradeIgnoringProtocol
from model_server.worker_channel import Channel, WorkerPlace
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


@contextlib.contextmanager
def source_of(settings: Settings, place: WorkerPlace | None) -> Iterator[socket.socket | Channel]:
    """Where connections come from: an address of one's own, or the parent. Raises TaskError."""
    if place is not None:
        yield Channel(place)
        return
    with bound_socket(settings.host, settings.port) as listener:
        yield listener


def tell_ready(source: socket.socket | Channel, what: str) -> None:
    if isinstance(source, Channel):
        source.tell_ready(what)
    else:
        print(f"model-server: ready: {what}, {url_of(source)}", flush=True)


class _Server(uvicorn.Server):
    """uvicorn with our signals: its own way ends with the signal itself, which a supervisor reads as a crash."""

    def __init__(
        self, config: uvicorn.Config, draining: Draining, drain_delay: float, when_ready: Callable[[], None],
        channel: Channel | None,
    ) -> None:  # fmt: skip
        super().__init__(config)
        self._draining = draining
        self._drain_delay = drain_delay
        self._when_ready = when_ready
        self._channel = channel
        self._connecting: set[asyncio.Task[Any]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.should_exit:
            return
        if self._channel is not None:
            loop, channel = asyncio.get_running_loop(), self._channel

            def ended() -> None:
                loop.remove_reader(channel.fileno())
                self._draining.begun = True
                self._stop()

            loop.add_reader(channel.fileno(), channel.take, self._connect, ended)
        self._when_ready()

    def _connect(self, connection: socket.socket) -> None:
        """A connection that the parent accepted."""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.connect_accepted_socket(self._protocol, connection))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def _protocol(self) -> asyncio.Protocol:
        made: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = made(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS_A_SECOND == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, LeanProtocol):
                    connection.sweep(now)
            if self._channel is not None and self._channel.orphaned:
                self._stop()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if isinstance(self.config.loaded_app, Front):  # whoever still waits after the drain timeout
            self.config.loaded_app.answering.abandon()
            await asyncio.sleep(0.01)  # lets the answers go out

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        for number in SIGNALS:
            signal.signal(number, self.handle_exit if self._channel is None else self._told_by_parent)
        yield

    def _told_by_parent(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """A worker stops when its parent closes the channel; a Ctrl-C goes to the whole group and is the parent's."""
        if sig == signal.SIGTERM:
            self._draining.begun = True

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
    remove_all()
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
    application: Any, source: socket.socket | Channel, *, draining: Draining, drain_delay: float, drain_timeout: float,
    when_ready: Callable[[], None], lifespan: Literal["auto", "off"] = "off",
) -> None:  # fmt: skip
    """Serves until a signal, connections from a listening socket or from a parent.

    Raises TaskError where the application's own start-up fails.

    ``lifespan`` is ``auto`` for applications of others; ours has none and does not ask who its client is.
    """
    config = uvicorn.Config(
        application, loop="uvloop", http=LeanProtocol if isinstance(application, Front) else UpgradeIgnoringProtocol,
        lifespan=lifespan, proxy_headers=lifespan == "auto",
        access_log=False, log_config=None, server_header=False, backlog=BACKLOG,
        timeout_keep_alive=round(KEEP_ALIVE), timeout_graceful_shutdown=max(1, round(drain_timeout)),
    )  # fmt: skip
    if isinstance(application, Front):  # what did not end in time is told in our own words
        logging.getLogger("uvicorn.error").addFilter(lambda record: not str(record.msg).startswith("Cancel "))
    channel = source if isinstance(source, Channel) else None
    server = _Server(config, draining, drain_delay, when_ready, channel)
    try:
        server.run([source] if isinstance(source, socket.socket) else [])
    except SystemExit as ended:
        if ended.code:
            raise TaskError("the application's start-up failed, see above", "try it with uvicorn alone") from ended
        raise
