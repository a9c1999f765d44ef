"""Counters for Prometheus, as numbers in one block of memory: counting costs a fraction of a microsecond, and with
several workers the block is shared, so that whichever of them is asked answers for all.

Text format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import mmap
import os
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from taskkit.model_signature import Label

CODES = (200, 400, 404, 405, 408, 413, 415, 422, 429, 431, 500, 501, 503, 504)
KINDS = {
    400: "malformed", 404: "unknown_path", 405: "method", 408: "slow_client", 413: "too_large", 415: "media_type",
    422: "invalid_input", 429: "overloaded", 431: "large_headers", 500: "fault", 501: "no_signature",
    503: "unavailable", 504: "time_limit",
}  # fmt: skip
BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
OTHER = "other"
MEDIA_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "model_server"


def slot_count(routes: Sequence[str], labels: Sequence[Label] | None) -> int:
    return (len(routes) + 1) * (len(CODES) + 1 + len(BUCKETS) + 2) + 1 + len(labels or ()) + 1


class Metrics:
    """``memory`` holds a line of ``slot_count`` doubles for each worker; this one counts in line ``worker``."""

    def __init__(
        self, routes: Sequence[str], labels: Sequence[Label] | None, info: Mapping[str, str],
        gauges: Mapping[str, float] | None = None, *, memory: mmap.mmap | None = None, worker: int = 0,
        workers: int = 1,
    ) -> None:  # fmt: skip
        self._routes = {route: at for at, route in enumerate((*routes, OTHER))}
        self._labels = list(labels or ())
        self._info = dict(info)
        self._gauges = dict(gauges or {})
        self._width = slot_count(routes, labels)
        self._workers = workers
        self._memory = memoryview(memory if memory is not None else mmap.mmap(-1, workers * self._width * 8)).cast("d")
        self._base = worker * self._width
        self._codes = {code: at for at, code in enumerate(CODES)}
        self._codes_at = self._base
        self._buckets_at = self._codes_at + len(self._routes) * (len(CODES) + 1)
        self._seconds_at = self._buckets_at + len(self._routes) * (len(BUCKETS) + 1)
        self._rows_at = self._seconds_at + len(self._routes)
        self._label_at = {label: self._rows_at + 1 + at for at, label in enumerate(self._labels)}
        self._other_label = self._rows_at + 1 + len(self._labels)

    def answered(self, route: str, status: int, seconds: float, predictions: Sequence[Any] | None = None) -> None:
        slots, at = self._memory, self._routes.get(route)
        if at is None:
            at = self._routes[OTHER]
        slots[self._codes_at + at * (len(CODES) + 1) + self._codes.get(status, len(CODES))] += 1
        slots[self._buckets_at + at * (len(BUCKETS) + 1) + bisect_left(BUCKETS, seconds)] += 1
        slots[self._seconds_at + at] += seconds
        if predictions:
            slots[self._rows_at] += len(predictions)
            if self._labels:
                known, other = self._label_at, self._other_label
                if len(predictions) == 1:
                    slots[known.get(predictions[0], other)] += 1
                else:
                    for label, count in Counter(predictions).items():
                        slots[known.get(label, other)] += count

    def text(self, now: Mapping[str, float] | None = None) -> bytes:
        """All workers together; ``now`` are gauges of this moment."""
        slots, width = self._memory, self._width
        line = [sum(slots[at + worker * width] for worker in range(self._workers)) for at in range(width)]
        return ("\n".join(self._lines(line, now or {})) + "\n").encode()

    def _lines(self, line: Sequence[float], now: Mapping[str, float]) -> Iterator[str]:
        base = self._base
        yield from _head("requests_total", "counter", "Requests answered, by route and HTTP status.")
        errors: dict[str, float] = {}
        for route, at in self._routes.items():
            for index, code in enumerate((*CODES, 0)):
                count = line[self._codes_at - base + at * (len(CODES) + 1) + index]
                if count:
                    yield _sample("requests_total", count, route=route, code=str(code or "other"))
                    if code in KINDS:
                        errors[KINDS[code]] = errors.get(KINDS[code], 0) + count
        yield from _head("errors_total", "counter", "Requests refused or failed, by kind.")
        yield from (_sample("errors_total", errors.get(kind, 0), kind=kind) for kind in KINDS.values())
        yield from _head("request_seconds", "histogram", "From the last byte of a request to its answer.")
        for route, at in self._routes.items():
            counts = line[self._buckets_at - base + at * (len(BUCKETS) + 1) :][: len(BUCKETS) + 1]
            if total := sum(counts):
                running = 0.0
                for bound, count in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
                    running += count
                    yield _sample("request_seconds_bucket", running, route=route, le=bound)
                yield _sample("request_seconds_sum", line[self._seconds_at - base + at], route=route)
                yield _sample("request_seconds_count", total, route=route)
        yield from _head("rows_total", "counter", "Rows predicted.")
        yield _sample("rows_total", line[self._rows_at - base])
        if self._labels:
            yield from _head("predictions_total", "counter", "Rows predicted, by class.")
            for label in self._labels:
                yield _sample("predictions_total", line[self._label_at[label] - base], label=_label(label))
        yield from _head("model_info", "gauge", "What is served; always 1.")
        yield _sample("model_info", 1, **self._info)
        for name, value in {**self._gauges, **now}.items():
            yield from _head(name, "gauge", _GAUGES.get(name, name))
            yield _sample(name, value)


_GAUGES = {
    "golden_rows_replayed": "Golden rows that gave the same answers as in training when the model was loaded.",
    "golden_check_passed": "1: the golden rows were replayed; 0: there are none, or GOLDEN_CHECK=warn let them pass.",
    "load_seconds": "From the start of the process to being ready.",
    "ready": "1 while requests should be sent here.",
    "waiting_requests": "Requests of the worker that was asked that wait for a prediction.",
    "resident_memory_bytes": "Resident memory of the worker that was asked.",
    "start_time_seconds": "When the worker that was asked was ready, in seconds since 1970.",
    "workers": "Worker processes.",
}


def process_gauges() -> dict[str, float]:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return {}
    return {"resident_memory_bytes": float(pages * os.sysconf("SC_PAGE_SIZE"))}


def ready_gauges(loading_since: float) -> dict[str, float]:
    """``loading_since`` is on the clock of `time.monotonic`."""
    return {"load_seconds": round(time.monotonic() - loading_since, 3), "start_time_seconds": round(time.time(), 3)}


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP {_PREFIX}_{name} {text}"
    yield f"# TYPE {_PREFIX}_{name} {kind}"


def _sample(name: str, value: float, **labels: str) -> str:
    inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    number = f"{value:.0f}" if value == int(value) else repr(value)
    return f"{_PREFIX}_{name}{f'{{{inner}}}' if inner else ''} {number}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _label(label: Label) -> str:
    return ("false", "true")[label] if isinstance(label, bool) else str(label)
