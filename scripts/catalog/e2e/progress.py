"""Tests that run at the same time: a line for each that ends, a sign of life when none does, a table at the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from catalog.e2e.selection import Test
from catalog.engine import report
from catalog.task_tests import Verdict, explain, line

_QUIET = 60
"""Seconds without a line after which it is said what still runs."""

Run = Callable[[Test, int], Verdict]


def run_all(tests: Sequence[Test], run: Run, jobs: int) -> list[Verdict]:
    """All verdicts in the order of the tests. The threads end with the process, so Ctrl-C waits for none of them."""
    waiting: SimpleQueue[tuple[int, Test]] = SimpleQueue()
    for numbered in enumerate(tests):
        waiting.put(numbered)
    ended: SimpleQueue[tuple[int, Verdict]] = SimpleQueue()
    running: dict[str, float] = {}

    def work() -> None:
        while True:
            try:
                number, test = waiting.get_nowait()
            except Empty:
                return
            running[test.name] = began = time.monotonic()
            try:
                verdict = run(test, number)
            except Exception as error:  # noqa: BLE001 - one broken test must not hang all others
                why = f"the harness failed: {type(error).__name__}: {error}"
                verdict = Verdict(test, (why,), "", time.monotonic() - began, "Unknown")
            running.pop(test.name, None)
            ended.put((number, verdict))

    for _ in range(max(1, jobs)):
        threading.Thread(target=work, daemon=True).start()
    verdicts: dict[int, Verdict] = {}
    while len(verdicts) < len(tests):
        try:
            number, verdicts[number] = ended.get(timeout=_QUIET)
        except Empty:
            now = time.monotonic()
            still = [f"{name} ({now - began:.0f} s)" for name, began in running.copy().items()]
            print(f"      still running: {', '.join(still)}", flush=True)
            continue
        print(f"{len(verdicts):>3}/{len(tests)}  {line(verdicts[number])}", flush=True)
    return [verdicts[number] for number in sorted(verdicts)]


def table(verdicts: Sequence[Verdict]) -> list[str]:
    """The longest first."""
    rows = sorted(verdicts, key=lambda verdict: verdict.seconds, reverse=True)
    widest = max((len(verdict.test.name) for verdict in rows), default=0)
    return [
        f"{'passed' if verdict.passed else 'FAILED'}  {report.duration(verdict.seconds):>6}  "
        f"{verdict.test.name:<{widest}}  {verdict.status}"
        + (f" exit {verdict.exit_code}" if verdict.exit_code is not None else "")
        for verdict in rows
    ]


def conclude(verdicts: Sequence[Verdict], again: str, watch: str, remark: str = "") -> bool:
    """Prints the table, what is wrong with those that failed, a remark, and the closing line. Whether all passed."""
    print("\n" + "\n".join(table(verdicts)))
    failed = [verdict for verdict in verdicts if not verdict.passed]
    for verdict in failed:
        explain(verdict, again, watch)
    print(f"\n{remark}" if remark else "")
    print(f"{len(verdicts) - len(failed)} passed, {len(failed)} failed", flush=True)
    return not failed
