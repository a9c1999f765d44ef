"""The worker's end of what it shares with its parent, see `workers`: connections come in, ready or why not goes out."""

from __future__ import annotations

import contextlib
import mmap
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

ENVIRONMENT = "MODEL_SERVER_WORKER"
READY, FAILED, CONNECTION = b"ready ", b"failed ", b"c"
TAKEN, NOT_TAKEN = b"+", b"-"
"""Said of each connection, in their order; the parent keeps it until then."""
_LONGEST_REASON = 3000


@dataclass(frozen=True)
class WorkerPlace:
    """File descriptors of the channel and of the shared counters; which worker of how many."""

    channel: int
    memory: int
    index: int
    count: int

    def text(self) -> str:
        return f"{self.channel},{self.memory},{self.index},{self.count}"


def own_place() -> WorkerPlace | None:
    """Where this process is a worker. Its own children are none."""
    text = os.environ.pop(ENVIRONMENT, "")
    return WorkerPlace(*map(int, text.split(","))) if text else None


def tell_failed(place: WorkerPlace, why: str) -> None:
    """Leaves it to the parent to say, once, since workers fail alike."""
    os.write(place.channel, FAILED + why.encode()[:_LONGEST_REASON])


def shared_memory(place: WorkerPlace, size: int) -> mmap.mmap:
    """Counters of all workers, who all ask for the same size."""
    os.ftruncate(place.memory, size)
    return mmap.mmap(place.memory, size)


class Channel:
    def __init__(self, place: WorkerPlace) -> None:
        self.place = place
        self._socket = socket.socket(fileno=place.channel)
        self._socket.setblocking(False)
        self._parent = os.getppid()

    def fileno(self) -> int:
        return self._socket.fileno()

    def tell_ready(self, what: str) -> None:
        self._socket.sendall(READY + what.encode())

    @property
    def orphaned(self) -> bool:
        """Whether the parent was killed, which the event loop does not tell where its end held unread words."""
        return os.getppid() != self._parent

    def take(self, connected: Callable[[socket.socket], None], ended: Callable[[], None]) -> None:
        """Call when there is something to read."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self._socket, 1, 1)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        if not data:
            ended()
            return
        with contextlib.suppress(OSError):  # the parent is at its end
            self._socket.send(TAKEN if descriptors else NOT_TAKEN)
        for descriptor in descriptors:
            connection = socket.socket(fileno=descriptor)
            connection.setblocking(False)
            connected(connection)
