"""The loop stays awake for a client that asks at once, and only for such a one."""

import asyncio
import selectors
import time
from functools import partial

import pytest

from model_server import busy_polling
from model_server.answering import Pace
from model_server.busy_polling import BusyPolling

WINDOW, SLOW, SILENCE = 0.02, 0.05, 0.2
"""Seconds; a window that a busy machine can't fill with a pause of its own."""


@pytest.fixture(autouse=True)
def a_wide_window(monkeypatch):
    monkeypatch.setattr(busy_polling, "WINDOW", WINDOW)


class Watched(selectors.DefaultSelector):
    """Notes when the loop looks at its sockets without going to sleep."""

    def __init__(self):
        super().__init__()
        self.looks = []

    def select(self, timeout=None):
        if timeout == 0:
            self.looks.append(time.perf_counter())
        return super().select(timeout)


def looks_after(main):
    """When the loop looks without sleeping while it is silent after ``main(loop)``, in seconds from then."""
    watched = Watched()

    async def silent_after():
        main(asyncio.get_running_loop())
        began = time.perf_counter()
        await asyncio.sleep(SILENCE)
        return [at - began for at in watched.looks if at > began]

    with asyncio.Runner(loop_factory=partial(asyncio.SelectorEventLoop, watched)) as runner:
        return runner.run(silent_after())


def one_after_another(pauses, loop):
    polling = BusyPolling()
    for pause in pauses:
        time.sleep(pause)
        polling.asked()
        polling.answered(loop)


@pytest.mark.parametrize(
    ("pauses", "polls"),
    [((0,), False), ((0, 0), True), ((0, 0, 0), True), ((0, SLOW), False), ((0, 0, SLOW), False)],
    ids=["its first request", "at once", "at once again", "slowly", "slowly after one at once"],
)
def test_only_a_client_whose_last_request_came_at_once_is_polled_for(pauses, polls):
    looks = looks_after(partial(one_after_another, pauses))
    assert len(looks) > 5 if polls else len(looks) <= 2


def test_a_client_that_falls_silent_costs_one_window():
    looks = looks_after(partial(one_after_another, (0, 0, 0)))
    assert len([at for at in looks if at > SILENCE / 2]) <= 2


@pytest.mark.parametrize(
    ("spare", "alone", "polls"), [(True, True, True), (False, True, False), (True, False, False)],
    ids=["alone", "no processor is left for the client", "beside others"],
)  # fmt: skip
def test_a_server_polls_for_its_only_client_where_a_processor_is_left_for_that(front_of, spare, alone, polls):
    front = front_of(lambda rows: rows, pace=Pace(on_loop=100), spare_processor=spare)
    replies = []

    def ask(loop):
        for _ in range(3):
            front.answering.take(front.lean[b"/predict"].json, b"1", "id", loop, replies.append, alone=alone)

    looks = looks_after(ask)
    assert len(looks) > 5 if polls else len(looks) <= 2
    assert [reply.status for reply in replies] == [200] * 3
