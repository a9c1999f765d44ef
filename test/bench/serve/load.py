"""Load by wrk (Debian's package), in short bounded runs."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contestants import Running, processor_seconds

_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
_SCRIPT = """
local file = io.open("{body}", "rb")
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = file:read("*a")
"""


@dataclass(frozen=True)
class Run:
    requests_per_second: float
    p50: float
    """Milliseconds."""
    p99: float
    failures: int
    """Answers that are no 2xx or 3xx, and errors of sockets."""
    processor_microseconds: float
    """Of the server, per request."""


def body_file(running: Running, rows: Sequence[Sequence[Any]], folder: Path) -> Path:
    path = folder / f"{len(rows)}-rows.lua"
    content = folder / f"{len(rows)}-rows.json"
    content.write_text(json.dumps(running.contestant.body(running.model, rows), separators=(",", ":")))
    path.write_text(_SCRIPT.format(body=content))
    return path


def load(running: Running, script: Path, *, connections: int, seconds: int, url: str | None = None) -> Run:
    before = processor_seconds(running.process.pid)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "20s", "-s", str(script)]
    done = subprocess.run([*command, url or running.url], check=True, capture_output=True, text=True)
    used = processor_seconds(running.process.pid) - before
    return parsed(done.stdout, used)


def parsed(text: str, used: float) -> Run:
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])  # type: ignore[index]
    count = int(re.search(r"(\d+) requests in", text)[1])  # type: ignore[index]
    failures = sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", text)))
    for line in re.findall(r"Socket errors: (.*)", text):
        failures += sum(map(int, re.findall(r"\d+", line)))
    quantiles = {share: float(number) * _UNITS[unit] for share, number, unit in
                 re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s|m)", text)}  # fmt: skip
    return Run(rate, quantiles.get("50", 0.0), quantiles.get("99", 0.0), failures, 1e6 * used / max(count, 1))
