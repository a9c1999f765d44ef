"""Several workers behind one port: a small parent accepts connections and hands them out in turn.

Each worker is a process of its own with the model in it. The parent passes every accepted connection to the next worker
through a socket of their own (SCM_RIGHTS), so that connections are spread evenly however they arrive; to share a
listening socket or a port among processes leaves that to chance. A worker that ends unexpectedly is started again.

At the end: the parent tells the workers (SIGTERM: not ready any more), goes on for the drain delay, takes what is still
in the backlog, closes its ends; a worker drains once it has read everything up to that.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType

from model_server.serving import BACKLOG, SIGNALS, bound_socket, end_at_once, url_of
from model_server.settings import Settings
from model_server.warning_lines import warn
from model_server.worker_channel import CONNECTION, ENVIRONMENT, FAILED, READY, WorkerPlace
from taskkit.errors import EXIT_DONE, EXIT_FAULT

RESTART_DELAY = 1.0
"""Seconds before a worker that ended by itself is started again."""


@dataclass
class _Worker:
    index: int
    process: subprocess.Popen[bytes]
    channel: socket.socket
    ready: bool = False


class Supervisor:
    """``arguments`` are the command line that each worker is started with, like the parent was."""

    def __init__(self, settings: Settings, arguments: Sequence[str]) -> None:
        self._settings = settings
        self._arguments = list(arguments)
        self._memory = os.memfd_create("model-server-metrics")
        self._workers: list[_Worker] = []
        self._next = 0
        self._signal = 0
        self._restarts: list[tuple[float, int]] = []
        self._selector = selectors.DefaultSelector()
        self._announced = False
        self._told = False
        self._failed: int | None = None

    def run(self) -> int:
        """Until a signal. The exit code: 0, or that of the first worker that could not start."""
        wake, awake = socket.socketpair()
        for end in (wake, awake):
            end.setblocking(False)
        with bound_socket(self._settings.host, self._settings.port) as listener, wake, awake:
            signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
            for number in SIGNALS:
                signal.signal(number, self._on_signal)
            self._selector.register(awake, selectors.EVENT_READ, "signal")
            for index in range(self._settings.workers):
                self._start(index)
            try:
                self._serve(listener, awake)
                if self._failed is None:
                    self._drain(listener)
            finally:
                for worker in self._workers:
                    if worker.process.poll() is None:
                        worker.process.kill()
                        worker.process.wait()
        return self._failed or EXIT_DONE

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self._signal:
            for worker in self._workers:
                worker.process.kill()
            end_at_once(128 + number)
        self._signal = number

    def _start(self, index: int) -> None:
        ours, theirs = socket.socketpair()
        place = WorkerPlace(theirs.fileno(), self._memory, index, self._settings.workers)
        process = subprocess.Popen(
            [sys.executable, "-m", "model_server", *self._arguments], stdin=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(), self._memory), env={**os.environ, ENVIRONMENT: place.text()},
        )  # fmt: skip
        theirs.close()
        ours.setblocking(False)
        worker = _Worker(index, process, ours)
        self._workers.append(worker)
        self._selector.register(ours, selectors.EVENT_READ, worker)

    def _serve(self, listener: socket.socket, awake: socket.socket) -> None:
        while not self._signal and self._failed is None:
            for key, _ in self._selector.select(self._until_restart()):
                if key.data == "signal":
                    with contextlib.suppress(BlockingIOError):
                        awake.recv(64)
                elif key.data == "listener":
                    self._accept(listener)
                else:
                    self._hear(key.data, listener)
            for due in [one for one in self._restarts if one[0] <= time.monotonic()]:
                self._restarts.remove(due)
                self._start(due[1])

    def _until_restart(self) -> float | None:
        return max(0.0, min(at for at, _ in self._restarts) - time.monotonic()) if self._restarts else None

    def _hear(self, worker: _Worker, listener: socket.socket) -> None:
        """A worker is ready, or at its end."""
        try:
            said = worker.channel.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if said.startswith(FAILED):
            self._say_why(said.removeprefix(FAILED).decode(errors="replace"))
            return
        if said:
            worker.ready = True
            if not self._announced and all(one.ready for one in self._workers):
                self._announce(listener, said.removeprefix(READY).decode())
            return
        code = worker.process.wait()
        self._selector.unregister(worker.channel)
        worker.channel.close()
        self._workers.remove(worker)
        if self._signal:
            return
        if not self._announced:
            self._failed = code if 0 < code < 128 else EXIT_FAULT
            return
        warn(f"worker {worker.index} ended with {code}; another one is started in its place")
        self._restarts.append((time.monotonic() + RESTART_DELAY, worker.index))

    def _say_why(self, why: str) -> None:
        """At the start once for all workers, which fail alike; later for each one that can't start again."""
        if self._announced or not self._told:
            print(f"model-server: error: {why}", file=sys.stderr, flush=True)
        self._told = True

    def _announce(self, listener: socket.socket, what: str) -> None:
        self._announced = True
        listener.listen(BACKLOG)
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, "listener")
        print(f"model-server: ready: {what}, {len(self._workers)} workers, {url_of(listener)}", flush=True)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # out of descriptors: the connection waits in the backlog
                warn(f"can't accept a connection ({error.strerror})")
                time.sleep(0.05)
                return
            with connection:
                self._hand_out(connection)

    def _hand_out(self, connection: socket.socket) -> None:
        ready = [worker for worker in self._workers if worker.ready]
        for turn in range(len(ready)):
            worker = ready[(self._next + turn) % len(ready)]
            try:
                socket.send_fds(worker.channel, [CONNECTION], [connection.fileno()])
            except OSError:  # at its end, or so busy that the channel is full
                continue
            self._next = (self._next + turn + 1) % len(ready)
            return

    def _drain(self, listener: socket.socket) -> None:
        name = signal.Signals(self._signal).name
        print(f"model-server: {name}: not ready any more, draining", flush=True)
        for worker in self._workers:
            worker.process.send_signal(signal.SIGTERM)
        end = time.monotonic() + (self._settings.drain_delay if self._signal == signal.SIGTERM else 0)
        while self._announced and (left := end - time.monotonic()) > 0:
            for key, _ in self._selector.select(left):
                if key.data == "listener":
                    self._accept(listener)
                elif isinstance(key.data, _Worker):
                    self._hear(key.data, listener)
        if self._announced:
            self._accept(listener)
        listener.close()
        for worker in self._workers:
            worker.channel.close()
        for worker in self._workers:
            worker.process.wait()
