"""One model: all servers up at once, asked in turn, round after round, so that whatever the machine does hits all."""

from __future__ import annotations

import http.client
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from contestants import CONTESTANTS, PEERS, Contestant, Running, TrainedModel, memory_of, running
from load import Run, body_file, load

BATCH = 1000


@dataclass
class Measured:
    """Of one server with one model; a run for each round."""

    model: str
    server: str
    what: str
    start_seconds: float
    idle_bytes: int
    many: list[Run] = field(default_factory=list)
    one: list[Run] = field(default_factory=list)
    batch: list[Run] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        return asdict(self)


def fitting(model: TrainedModel, only: set[str]) -> Iterator[Contestant]:
    for contestant in CONTESTANTS:
        if only and contestant.name not in only:
            continue
        if contestant.converted_only and not model.converted:
            continue
        if contestant.only_for not in {"", model.name} and contestant.name not in only:
            continue
        if contestant.needs and not (PEERS / contestant.needs / "bin" / "python").exists():
            print(f"  {contestant.name}: not measured, its environment is not there (--peers makes it)", flush=True)
            continue
        yield contestant


def measure(
    model: TrainedModel, scratch: Path, *, rounds: int, seconds: int, connections: int, only: set[str]
) -> tuple[list[Measured], dict[str, Any]]:
    """Every server's runs, and what else was seen of ours."""
    found: list[Measured] = []
    with ExitStack() as stack:
        up: list[tuple[Running, Measured]] = []
        for at, contestant in enumerate(fitting(model, only)):
            try:
                server = stack.enter_context(running(contestant, model, scratch / f"{model.name}-{at}"))
            except RuntimeError as error:
                print(f"  {contestant.name}: not measured: {error}", flush=True)
                continue
            up.append(
                (
                    server,
                    Measured(model.name, contestant.name, contestant.what, server.start_seconds, server.idle_bytes),
                )
            )
        found = [measured for _, measured in up]
        for _ in range(rounds):
            for server, measured in up:
                folder = scratch / f"{server.port}"
                folder.mkdir(exist_ok=True)
                one = body_file(server, model.rows[:1], folder)
                measured.many.append(load(server, one, connections=connections, seconds=seconds))
                measured.one.append(load(server, one, connections=1, seconds=max(1, seconds // 2)))
                if server.contestant.batches:
                    many = body_file(server, model.batch(BATCH), folder)
                    measured.batch.append(load(server, many, connections=1, seconds=max(1, seconds // 2)))
        return found, beside(up, scratch, seconds, connections)


def beside(up: list[tuple[Running, Measured]], scratch: Path, seconds: int, connections: int) -> dict[str, Any]:
    """Of our own server: health answers under full load, memory over many requests."""
    ours = [server for server, _ in up if server.contestant.name == "ours /predict"]
    if not ours:
        return {}
    [server] = ours
    script = body_file(server, server.model.rows[:1], scratch / f"{server.port}")
    before, served = memory_of(server.process.pid), 0.0
    probes = HealthProbes(server.port)
    probes.start()
    for _ in range(3):
        served += load(server, script, connections=connections, seconds=seconds).requests_per_second * seconds
    times = probes.stop()
    two = [other for other, _ in up if other.contestant.name == "ours, 2 workers"]
    return {
        **({"workers": two_workers(server, two[0], scratch, seconds)} if two else {}),
        "livez_p50_ms": statistics.median(times) * 1e3,
        "livez_p99_ms": sorted(times)[int(len(times) * 0.99)] * 1e3,
        "livez_answers": len(times),
        "requests_between": round(served),
        "memory_before": before,
        "memory_after": memory_of(server.process.pid),
    }


def two_workers(one: Running, two: Running, scratch: Path, seconds: int) -> list[float]:
    """Rows/s of two workers against one, a ratio a round. Asked in batches, so that the servers, not wrk, take the
    processors, and no worker gains by answering together what would have been shared."""
    body = body_file(one, one.model.batch(BATCH), scratch / f"{one.port}")
    ratios = []
    for _ in range(3):
        runs = [load(server, body, connections=8, seconds=seconds) for server in (one, two)]
        ratios.append(runs[1].requests_per_second / runs[0].requests_per_second)
    return ratios


class HealthProbes(threading.Thread):
    """Asks /livez a hundred times a second, over one connection, from another thread."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self._ended = threading.Event()
        self.times: list[float] = []

    def run(self) -> None:
        while not self._ended.wait(0.01):
            began = time.perf_counter()
            self._connection.request("GET", "/livez")
            self._connection.getresponse().read()
            self.times.append(time.perf_counter() - began)

    def stop(self) -> list[float]:
        self._ended.set()
        self.join()
        self._connection.close()
        return self.times
