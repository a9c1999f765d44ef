"""Requests wait in one queue; whatever waits is answered together.

Small requests are answered on the event loop itself where the model was measured to be fast, in slices of a few
milliseconds, so that health answers come in between; else in threads. All rows that wait go to the model in one call
(up to `Pace.together` requests): to scikit-learn, and in part to ONNX Runtime, a call costs more than a row does.
Nothing ever waits for others to come. A model with code of its own gets each request by itself, and so does one whose
answers to rows together were seen to differ from those to each row alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from model_server.busy_polling import BusyPolling
from model_server.engine import Answers, Engine, RefusedInputError
from model_server.exchange import Asked, BodyProtocol
from model_server.refusals import Refusal, Reply
from model_server.refused_rows import refusal_of

SLICE = 0.004
"""Seconds of predictions on the event loop before it looks at its sockets again."""
Done = Callable[[Reply], None]


@dataclass(frozen=True)
class Pace:
    """How requests are answered, measured when the model is loaded; see `measured_pace`."""

    on_loop: int = 0
    """Bodies up to this size, in bytes, are answered on the event loop; 0: always in threads."""
    together: int = 1
    """Requests whose rows go to the model in one call."""


class Call:
    """One request that waits. ``done`` is called once, on the event loop."""

    __slots__ = ("answered", "body", "done", "loop", "name", "protocol", "timer")

    def __init__(
        self, protocol: BodyProtocol, body: bytes, name: str, loop: asyncio.AbstractEventLoop, done: Done
    ) -> None:
        self.protocol = protocol
        self.body = body
        self.name = name
        self.loop = loop
        self.done = done
        self.answered = False
        self.timer: asyncio.TimerHandle | None = None

    def answer(self, reply: Reply) -> None:
        if not self.answered:
            self.answered = True
            if self.timer is not None:
                self.timer.cancel()
            try:
                self.done(reply)
            except Exception as error:  # noqa: BLE001  one connection's trouble must not stop the others' answers
                fault_reply(error, self.name, debug=False)


class Answering:
    """``most_waiting`` requests may wait, each for at most ``time_limit`` seconds. ``spare_processor``: one is left for
    a client that asks at once, so that the server may poll."""

    def __init__(
        self, engine: Engine, pace: Pace, executor: Executor, *, threads: int, most_waiting: int, time_limit: float,
        spare_processor: bool = False, debug: bool = False,
    ) -> None:  # fmt: skip
        self._engine = engine
        self._pace = pace
        self._executor = executor
        self._threads = threads
        self._most_waiting = most_waiting
        self._time_limit = time_limit
        self._polling = BusyPolling() if spare_processor else None
        self._debug = debug
        self._queue: deque[Call] = deque()
        self._slow: deque[Call] = deque()
        self._scheduled = False
        self._open: set[Call] = set()
        self._lock = threading.Lock()
        self.predicting = 0
        """Threads of the pool that are at work on requests."""

    @property
    def waiting(self) -> int:
        return len(self._queue) + len(self._slow)

    def take(
        self, protocol: BodyProtocol, body: bytes, name: str, loop: asyncio.AbstractEventLoop, done: Done, *,
        alone: bool = False,
    ) -> None:  # fmt: skip
        """Answers a request, now or later, through ``done``. ``name`` is the request's id. Call on the event loop.
        ``alone``: no other connection is open, so that nothing can come to be answered together with it."""
        if len(self._queue) + len(self._slow) >= self._most_waiting:
            done(_OVERLOADED.reply())
            return
        call = Call(protocol, body, name, loop, done)
        if len(body) <= self._pace.on_loop:
            if alone and not self._queue:
                self._answer_at_once(call, loop)
                return
            self._queue.append(call)
            if not self._scheduled:
                self._scheduled = True
                loop.call_soon(self._answer_waiting, loop)
        else:
            call.timer = loop.call_later(self._time_limit, self._expire, call)
            self._slow.append(call)
            self._open.add(call)
            self._start_threads()

    def _answer_at_once(self, call: Call, loop: asyncio.AbstractEventLoop) -> None:
        if self._polling is None:
            call.answer(self._alone(call))
            return
        self._polling.asked()
        call.answer(self._alone(call))
        self._polling.answered(loop)

    def abandon(self) -> None:
        """Answers whatever still waits with a 503: the server ends."""
        for call in (*self._queue, *self._open):
            call.answer(ENDED.reply())

    def _answer_waiting(self, loop: asyncio.AbstractEventLoop) -> None:
        queue, together, end = self._queue, self._pace.together, time.perf_counter() + SLICE
        while queue:
            if together == 1 or len(queue) == 1:
                call = queue.popleft()
                call.answer(self._alone(call))
            else:
                calls = [queue.popleft() for _ in range(min(together, len(queue)))]
                for call, reply in zip(calls, self._answers(calls), strict=True):
                    call.answer(reply)
            if time.perf_counter() > end:
                break
        if queue:
            loop.call_soon(self._answer_waiting, loop)
        else:
            self._scheduled = False

    def _start_threads(self) -> None:
        while self._slow and self.predicting < self._threads:
            calls: list[Call] = []
            while self._slow and len(calls) < self._pace.together:
                call = self._slow.popleft()
                if not call.answered:
                    calls.append(call)
                if len(call.body) > self._pace.on_loop > 0:
                    break  # a large one takes long enough by itself
            if calls:
                with self._lock:
                    self.predicting += 1
                self._executor.submit(self._answers, calls).add_done_callback(partial(self._back, calls))

    def _back(self, calls: Sequence[Call], done: Future[list[Reply]]) -> None:
        """In the thread: its answers go to the event loop."""
        with self._lock:
            self.predicting -= 1
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it whoever waited
            calls[0].loop.call_soon_threadsafe(self._hand_out, calls, done)

    def _hand_out(self, calls: Sequence[Call], done: Future[list[Reply]]) -> None:
        replies = done.result() if not done.cancelled() else [ENDED.reply()] * len(calls)
        for call, reply in zip(calls, replies, strict=True):
            self._open.discard(call)
            call.answer(reply)
        self._start_threads()

    def _expire(self, call: Call) -> None:
        call.timer = None
        self._open.discard(call)
        text = f"there was no answer within {self._time_limit:g} s; send fewer rows, or try again later"
        call.answer(Refusal(504, text).reply())

    def _answers(self, calls: Sequence[Call]) -> list[Reply]:
        if len(calls) == 1:
            return [self._alone(calls[0])]
        replies: list[Reply | None] = [None] * len(calls)
        read: list[tuple[int, Asked]] = []
        rows: list[Any] = []
        for at, call in enumerate(calls):
            try:
                asked = call.protocol.read(call.body)
            except Exception as error:  # noqa: BLE001
                replies[at] = self._reply_to(error, call)
            else:
                read.append((at, asked))
                rows.extend(asked.rows)
        try:
            answers = self._engine.answer(
                rows, predictions=any(asked.predictions for _, asked in read),
                probabilities=any(asked.probabilities for _, asked in read),
            ) if rows else None  # fmt: skip
        except Exception:  # noqa: BLE001  each alone then, so that only who is to blame hears of it
            answers = None
        start = 0
        for at, asked in read:
            if answers is None:
                replies[at] = self._alone(calls[at])
                continue
            end = start + len(asked.rows)
            try:
                replies[at] = calls[at].protocol.write(asked, answers.part(start, end))
            except Exception as error:  # noqa: BLE001
                replies[at] = self._reply_to(error, calls[at])
            start = end
        return [reply for reply in replies if reply is not None]

    def _alone(self, call: Call) -> Reply:
        try:
            asked = call.protocol.read(call.body)
            return call.protocol.write(asked, self._asked(asked))
        except Exception as error:  # noqa: BLE001  whatever the estimator raises
            return self._reply_to(error, call)

    def _asked(self, asked: Asked) -> Answers:
        def ask(rows: Sequence[Any]) -> Answers:
            return self._engine.answer(rows, predictions=asked.predictions, probabilities=asked.probabilities)

        try:
            return ask(asked.rows)
        except RefusedInputError as refused:
            raise refusal_of(asked.rows, refused, ask) from refused

    def _reply_to(self, error: Exception, call: Call) -> Reply:
        if isinstance(error, Refusal):
            return error.reply()
        return fault_reply(error, call.name, debug=self._debug)


_RETRY = ((b"retry-after", b"1"),)
_OVERLOADED = Refusal(503, "too many requests wait already; send it again later", headers=_RETRY)
ENDED = Refusal(503, "the server ended before this request was done; send it again", headers=_RETRY)


def fault_reply(error: Exception, name: str, *, debug: bool) -> Reply:
    """500 with the request's id; the log has the same id with the reason."""
    text = " ".join(str(error).split())
    print(f"model-server: error: request {name} failed: {type(error).__name__}: {text}", file=sys.stderr, flush=True)
    if debug:
        traceback.print_exception(error)
    return Reply(
        500, msgspec.json.encode({"error": "the server failed on this request; its log has the reason", "id": name})
    )
