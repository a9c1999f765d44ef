"""What the server stands: its own OpenAPI document turned against it, and being ended again and again under load.

    .venvs/tools/bin/python test/bench/serve/robust.py fuzz [--examples 100]
    .venvs/tools/bin/python test/bench/serve/robust.py drain [--requests 10000]

fuzz: schemathesis, in an environment of its own below the user's cache directory, asks every operation with what the
document allows and with what it does not. drain: clients that try again where they get no answer or a 503 send requests
while the server is ended by SIGTERM and started again on the same port; every request must get its one right answer.
"""

from __future__ import annotations

import argparse
import http.client
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from contestants import OURS, PEERS, ROOT, TrainedModel, ask, free_port, train

# That data must fit its shape, tensors each other, and lines of CSV the columns, can't be said in JSON Schema.
RULES = """
[[operations]]
include-path-regex = "/infer$|/invocations$"
checks.positive_data_acceptance.enabled = false
"""
CLIENTS = 8
PATIENCE = 60.0


def started(model: TrainedModel, port: int, log: Any) -> subprocess.Popen[bytes]:
    command = [OURS / "model-server", "--model-dir", model.folder, "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen([*command, "--drain-delay", "0.2"], stdout=log, stderr=log)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            if ask(f"http://127.0.0.1:{port}/readyz")[0] == 200:
                return process
        except OSError:
            time.sleep(0.02)
    process.kill()
    raise RuntimeError("the server did not start")


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
    port, ends = free_port(), 0
    with tempfile.TemporaryFile() as log:
        process = started(model, port, log)
        clients = [Client(port, rows, expected, requests // CLIENTS) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        codes = []
        while any(client.is_alive() for client in clients):
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            codes.append(process.wait(PATIENCE))
            ends += 1
            process = started(model, port, log)
        process.terminate()
        codes.append(process.wait(PATIENCE))
    answered, again, wrong = (
        sum(getattr(client, name) for client in clients) for name in ("answered", "again", "wrong")
    )
    lost = requests // CLIENTS * CLIENTS - answered
    print(f"{answered} requests answered, {lost} lost, {wrong} wrong, {again} sent again; ended {ends} times while asked, "
          f"exit codes {sorted(set(codes))}")  # fmt: skip
    return 0 if not lost and not wrong and set(codes) == {0} else 3


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
            process = started(model, port, log)
            document = f"http://127.0.0.1:{port}/openapi.json"
            asking = [command, "--config-file", rules, "run", document, "--max-examples", str(examples)]
            done = subprocess.run(asking, cwd=PEERS, check=False)  # it leaves files where it runs
            alive = process.poll() is None
            process.terminate()
            failed += done.returncode != 0 or not alive or process.wait(PATIENCE) != 0
    return 3 if failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("fuzz", "drain"))
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--requests", type=int, default=10_000)
    given = parser.parse_args()
    return fuzz(given.examples) if given.what == "fuzz" else drain(given.requests)


if __name__ == "__main__":
    sys.exit(main())
