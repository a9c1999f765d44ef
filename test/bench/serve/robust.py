"""What the server stands: its own OpenAPI document turned against it, and being ended again and again under load.

    .venvs/tools/bin/python test/bench/serve/robust.py fuzz [--examples 100]
    .venvs/tools/bin/python test/bench/serve/robust.py drain [--requests 10000]
    .venvs/tools/bin/python test/bench/serve/robust.py crowd [--slow 300]
    .venvs/tools/bin/python test/bench/serve/robust.py memory [--requests 1000000]

fuzz: schemathesis, in an environment of its own below the user's cache directory, asks every operation with what the
document allows and with what it does not. drain: clients that try again where they get no answer or a 503 send requests
while the server is ended by SIGTERM and started again on the same port; every request must get its one right answer.
crowd: wrk asks as usual, first by itself, then beside clients that send a byte of a header now and then, and clients
that send bodies far above the limit without looking at the answer. memory: what the server holds while it answers.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from contestants import CONTESTANTS, OURS, PEERS, ROOT, Running, TrainedModel, ask, free_port, memory_of, running, train
from load import body_file, load

# That data must fit its shape, tensors each other, and lines of CSV the columns, can't be said in JSON Schema.
RULES = """
[[operations]]
include-path-regex = "/infer$|/invocations$"
checks.positive_data_acceptance.enabled = false
"""
CLIENTS = 8
PATIENCE = 60.0


@contextlib.contextmanager
def serving(model: TrainedModel, port: int, log: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A server that is ready; it has ended when the context is left."""
    command = [OURS / "model-server", "--model-dir", model.folder, "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen([*command, "--drain-delay", "0.2"], stdout=log, stderr=log)
    try:
        _await_ready(process, port)
        yield process
    finally:
        process.kill()
        process.wait()


def _await_ready(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            if ask(f"http://127.0.0.1:{port}/readyz")[0] == 200:
                return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError("the server did not start")


def ended(process: subprocess.Popen[bytes]) -> int:
    """The exit code after SIGTERM."""
    process.terminate()
    return process.wait(PATIENCE)


class Client(threading.Thread):
    """Sends its share of rows over a connection that it keeps; counts what it had to send again, and wrong answers."""

    def __init__(self, port: int, rows: list[dict[str, Any]], expected: list[Any], count: int) -> None:
        super().__init__(daemon=True)
        self._port, self._rows, self._expected, self._count = port, rows, expected, count
        self.answered = self.again = self.wrong = 0

    def run(self) -> None:
        connection: http.client.HTTPConnection | None = None
        for number in range(self._count):
            at, until = number % len(self._rows), time.monotonic() + PATIENCE
            body = json.dumps(self._rows[at])
            while time.monotonic() < until:
                try:
                    connection = connection or http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
                    connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
                    answer = connection.getresponse()
                    document = json.loads(answer.read())
                except (OSError, http.client.HTTPException):
                    connection = None
                    self.again += 1
                    time.sleep(0.01)
                    continue
                if answer.status == 503:
                    self.again += 1
                    continue
                self.answered += answer.status == 200
                self.wrong += answer.status != 200 or document["predictions"] != [self._expected[at]]
                break


def drain(requests: int) -> int:
    model = train(PEERS / "models", "M1")
    rows = [model.by_name(row) for row in model.rows]
    expected = json.loads((model.folder / "golden.json").read_text())["predictions"]
    port, codes, asking = free_port(), list[int](), True
    clients = [Client(port, rows, expected, requests // CLIENTS) for _ in range(CLIENTS)]
    with tempfile.TemporaryFile() as log:
        while asking:
            with serving(model, port, log) as process:
                if not codes:
                    for client in clients:
                        client.start()
                time.sleep(0.5)
                asking = any(client.is_alive() for client in clients)
                codes.append(ended(process))
    answered, again, wrong = (
        sum(getattr(client, name) for client in clients) for name in ("answered", "again", "wrong")
    )
    lost = requests // CLIENTS * CLIENTS - answered
    print(f"{answered} requests answered, {lost} lost, {wrong} wrong, {again} sent again; ended {len(codes) - 1} times while asked, "
          f"exit codes {sorted(set(codes))}")  # fmt: skip
    return 0 if not lost and not wrong and set(codes) == {0} else 3


class Crowd(threading.Thread):
    """``slow`` connections that drip a header, and ``huge`` ones after each other that send 200 MB; all come back."""

    def __init__(self, port: int, slow: int, huge: int) -> None:
        super().__init__(daemon=True)
        self._port, self._slow, self._huge = port, slow, huge
        self._ended = threading.Event()
        self.let_go = self.cut_off = 0

    def run(self) -> None:
        asyncio.run(self._all())

    def stop(self) -> None:
        self._ended.set()
        self.join()

    async def _all(self) -> None:
        await asyncio.gather(*(self._drip() for _ in range(self._slow)), *(self._flood() for _ in range(self._huge)))

    async def _drip(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                writer.write(b"POST /predict HTTP/1.1\r\nHost: a\r\nX-Slow: ")
                while not self._ended.is_set() and not reader.at_eof():
                    writer.write(b"a")
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(1000), 0.5)
                writer.close()
                self.let_go += not self._ended.is_set()

    async def _flood(self) -> None:
        part = b" " * (1 << 20)
        while not self._ended.is_set():
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
                writer.write(b"POST /predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
                try:
                    for _ in range(200):
                        writer.write(b"100000\r\n" + part + b"\r\n")
                        await asyncio.wait_for(writer.drain(), 1)
                except (OSError, TimeoutError):
                    self.cut_off += 1
                writer.transport.abort()
            await asyncio.sleep(0.1)


@contextlib.contextmanager
def one_row() -> Iterator[tuple[Running, Path]]:
    """Our server with iris, and what wrk sends to it."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        with running(CONTESTANTS[0], train(PEERS / "models", "M1"), scratch / "server") as server:
            yield server, body_file(server, server.model.rows[:1], scratch)


def memory(requests: int) -> int:
    with one_row() as (server, row):
        seen, served, failures = [memory_of(server.process.pid)], 0.0, 0
        print(f"{seen[0] / 1e6:.1f} MB when ready", flush=True)
        while served < requests:
            run = load(server, row, connections=32, seconds=5)
            served, failures = served + run.requests_per_second * 5, failures + run.failures
            seen.append(memory_of(server.process.pid))
            print(f"{seen[-1] / 1e6:.1f} MB after {served:,.0f} requests, {failures} failed", flush=True)
        code = ended(server.process)
    return 0 if code == 0 and not failures and seen[-1] <= 1.05 * seen[1] else 3


def crowd(slow: int) -> int:
    with one_row() as (server, row):
        alone = load(server, row, connections=8, seconds=5)
        others = Crowd(server.port, slow, 4)
        others.start()
        beside = load(server, row, connections=8, seconds=40)  # slow clients are ended after 30
        others.stop()
        alive = server.process.poll() is None
        code = ended(server.process)
    for name, run in (("alone", alone), (f"beside {slow} slow and 4 huge", beside)):
        print(f"{name}: {run.requests_per_second:,.0f} requests/s, p50 {run.p50:.2f} ms, p99 {run.p99:.2f} ms, "
              f"{run.failures} failed")  # fmt: skip
    print(f"{others.let_go} slow connections were ended by the server, {others.cut_off} huge bodies cut off")
    return 0 if alive and code == 0 and not alone.failures and not beside.failures else 3


def fuzz(examples: int) -> int:
    sys.path.insert(0, str(ROOT / "scripts"))
    from catalog.environments import uv

    command = PEERS / "schemathesis" / "bin" / "schemathesis"
    if not command.exists():
        uv("venv", "--quiet", "--clear", "--python", sys.executable, PEERS / "schemathesis")
        uv("pip", "install", "--quiet", "--python", PEERS / "schemathesis" / "bin" / "python", "schemathesis")
    rules = PEERS / "schemathesis.toml"
    rules.write_text(RULES)
    failed = 0
    for name in ("M1", "M2"):
        model, port = train(PEERS / "models", name), free_port()
        with tempfile.TemporaryFile() as log:
            document = f"http://127.0.0.1:{port}/openapi.json"
            asking = [command, "--config-file", rules, "run", document, "--max-examples", str(examples)]
            with serving(model, port, log) as process:
                done = subprocess.run(asking, cwd=PEERS, check=False)  # it leaves files where it runs
                failed += done.returncode != 0 or process.poll() is not None or ended(process) != 0
    return 3 if failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("fuzz", "drain", "crowd", "memory"))
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--requests", type=int, help="drain: 10,000; memory: a million")
    parser.add_argument("--slow", type=int, default=300, help="connections that drip")
    given = parser.parse_args()
    match given.what:
        case "crowd":
            return crowd(given.slow)
        case "memory":
            return memory(given.requests or 1_000_000)
        case "drain":
            return drain(given.requests or 10_000)
    return fuzz(given.examples)


if __name__ == "__main__":
    sys.exit(main())
