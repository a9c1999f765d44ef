"""Looking for the next request without going to sleep, while a client sends one as soon as it has the last answer.

A thread that has slept takes two to three times as long for the same work as one that has not: its core has to be
woken, and has forgotten what it was doing. The idea of Linux's SO_BUSY_POLL (socket(7)), for the whole event loop.
"""

from __future__ import annotations

import asyncio
import time

WINDOW = 200e-6
"""Seconds after an answer within which a client counts as one that asks at once, and for which the next is awaited."""


class BusyPolling:
    """For the one client of a server. It never polls for one whose last request came later than `WINDOW` after the
    answer before: a client that is slow or silent costs at most one window."""

    def __init__(self) -> None:
        self._answered = 0.0
        self._at_once = False
        self._until = 0.0
        self.polling = False

    def asked(self) -> None:
        self._at_once = time.perf_counter() - self._answered < WINDOW
        self._until = 0.0

    def answered(self, loop: asyncio.AbstractEventLoop) -> None:
        self._answered = time.perf_counter()
        if self._at_once:
            self._until = self._answered + WINDOW
            if not self.polling:
                self.polling = True
                loop.call_soon(self._poll, loop)

    def _poll(self, loop: asyncio.AbstractEventLoop) -> None:
        """A loop that has something to call looks at its sockets without waiting."""
        self.polling = time.perf_counter() < self._until
        if self.polling:
            loop.call_soon(self._poll, loop)
