"""Several workers behind one port: a small parent accepts connections and hands them out in turn.

Each worker is a process of its own with the model in it. The parent passes every accepted connection to the next worker
through a socket of their own (SCM_RIGHTS), so that connections are spread evenly however they arrive; to share a
listening socket or a port among processes leaves that to chance. A worker that ends unexpectedly is started again.

A connection is accepted only where a worker has room for it; until then it waits in the backlog, as it would with one
process. The parent keeps what it handed out until the worker says that it took it: a worker that ends in between, or
can open no more files, loses nothing, since another one gets it.

At the end: the parent tells the workers (SIGTERM: not ready any more), goes on for the drain delay, takes what is still
in the backlog, closes its ends; a worker drains once it has read everything up to that.
"""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import FrameType

from model_server.serving import BACKLOG, SIGNALS, bound_socket, end_at_once, url_of
from model_server.settings import Settings
from model_server.warning_lines import warn
from model_server.worker_channel import CONNECTION, ENVIRONMENT, FAILED, READY, TAKEN, WorkerPlace
from taskkit.errors import EXIT_DONE, EXIT_FAULT

RESTART_DELAY = 1.0
"""Seconds before a worker that ended by itself is started again."""
LAST_WAIT = 1.0
"""Seconds after the drain delay in which workers may still take what waits."""
PAUSE = 0.05
"""Seconds before the next attempt where a process has no descriptor left, of whose end no event tells."""
MOST_UNTAKEN = 64
"""Connections handed to a worker that it has not taken yet."""


@dataclass
class _Worker:
    index: int
    process: subprocess.Popen[bytes]
    channel: socket.socket
    ready: bool = False
    ended: bool = False
    given: deque[socket.socket] = field(default_factory=deque)
    """Connections that it has not said it took, in their order."""

    @property
    def has_room(self) -> bool:
        return self.ready and not self.ended and len(self.given) < MOST_UNTAKEN


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
        self._listening = False
        self._held: deque[socket.socket] = deque()
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
                    self._drain(listener, awake)
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
            self._turn(self._until_restart(), listener, awake)
            for due in [one for one in self._restarts if one[0] <= time.monotonic()]:
                self._restarts.remove(due)
                self._start(due[1])

    def _turn(self, timeout: float | None, listener: socket.socket, awake: socket.socket) -> None:
        """Waits for something to happen, and acts on it."""
        self._heed(listener)
        for key, _ in self._selector.select(timeout):
            if key.data == "signal":
                with contextlib.suppress(BlockingIOError):
                    awake.recv(64)
            elif key.data == "listener":
                self._accept(listener)
            else:
                self._hear(key.data, listener)
        self._hand_out()

    def _heed(self, listener: socket.socket) -> None:
        """The selector looks at the backlog only while a worker has room."""
        listening = self._announced and self._can_accept()
        if listening and not self._listening:
            self._selector.register(listener, selectors.EVENT_READ, "listener")
        elif self._listening and not listening:
            self._selector.unregister(listener)
        self._listening = listening

    def _can_accept(self) -> bool:
        return not self._held and any(worker.has_room for worker in self._workers)

    def _until_restart(self) -> float | None:
        return max(0.0, min(at for at, _ in self._restarts) - time.monotonic()) if self._restarts else None

    def _hear(self, worker: _Worker, listener: socket.socket) -> None:
        """A worker is ready, has taken connections, or is at its end."""
        try:
            said = worker.channel.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if said.startswith(FAILED):
            self._say_why(said.removeprefix(FAILED).decode(errors="replace"))
            return
        if said and worker.ready:
            self._confirm(worker, said)
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
        self._held.extendleft(reversed(worker.given))
        if self._signal:
            return
        if not self._announced:
            self._failed = code if 0 < code < 128 else EXIT_FAULT
            return
        warn(f"worker {worker.index} ended with {code}; another one is started in its place")
        self._restarts.append((time.monotonic() + RESTART_DELAY, worker.index))

    def _confirm(self, worker: _Worker, said: bytes) -> None:
        for answer in said:
            connection = worker.given.popleft()
            if answer == TAKEN[0]:
                connection.close()
            else:
                self._held.append(connection)
        if any(answer != TAKEN[0] for answer in said):
            warn(f"worker {worker.index} can't take a connection (too many open files)")
            time.sleep(PAUSE)

    def _say_why(self, why: str) -> None:
        """At the start once for all workers, which fail alike; later for each one that can't start again."""
        if self._announced or not self._told:
            print(f"model-server: error: {why}", file=sys.stderr, flush=True)
        self._told = True

    def _announce(self, listener: socket.socket, what: str) -> None:
        self._announced = True
        listener.listen(BACKLOG)
        listener.setblocking(False)
        print(f"model-server: ready: {what}, {len(self._workers)} workers, {url_of(listener)}", flush=True)

    def _accept(self, listener: socket.socket) -> bool:
        """Hands out what is in the backlog, as far as workers have room. Whether nothing is left that waits."""
        while self._can_accept():
            try:
                connection, _ = listener.accept()
            except BlockingIOError:
                return True
            except (InterruptedError, ConnectionAbortedError):
                continue
            except OSError as error:  # out of descriptors: the connection waits in the backlog
                warn(f"can't accept a connection ({error.strerror})")
                time.sleep(PAUSE)
                return False
            self._held.append(connection)
            self._hand_out()
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        return not self._held and not poll.poll(0)

    def _hand_out(self) -> None:
        """What is held, in turn, as far as workers have room."""
        while self._held and (worker := self._next_with_room()) is not None:
            try:
                socket.send_fds(worker.channel, [CONNECTION], [self._held[0].fileno()])
            except (BrokenPipeError, ConnectionResetError):  # at its end, which is heard of next
                worker.ended = True
            except OSError as error:  # too many descriptors are under way
                warn(f"can't hand out a connection ({error.strerror})")
                time.sleep(PAUSE)
                return
            else:
                worker.given.append(self._held.popleft())

    def _next_with_room(self) -> _Worker | None:
        count = len(self._workers)
        for turn in range(count):
            worker = self._workers[(self._next + turn) % count]
            if worker.has_room:
                self._next = (self._next + turn + 1) % count
                return worker
        return None

    def _drain(self, listener: socket.socket, awake: socket.socket) -> None:
        name = signal.Signals(self._signal).name
        print(f"model-server: {name}: not ready any more, draining", flush=True)
        for worker in self._workers:
            worker.process.send_signal(signal.SIGTERM)
        end = time.monotonic() + (self._settings.drain_delay if self._signal == signal.SIGTERM else 0)
        while self._announced and (left := end - time.monotonic()) > 0:
            self._turn(left, listener, awake)
        while self._announced and not self._accept(listener):
            if (left := end + LAST_WAIT - time.monotonic()) <= 0:
                warn("connections that no worker took before the end were closed without an answer")
                break
            self._turn(left, listener, awake)
        listener.close()
        for connection in self._held:
            connection.close()
        for worker in self._workers:
            with contextlib.suppress(OSError):  # to close what holds unread words would look like an error over there
                worker.channel.shutdown(socket.SHUT_WR)
            for connection in worker.given:
                connection.close()
        for worker in self._workers:
            worker.process.wait()
