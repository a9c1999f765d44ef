"""What the engine adds to running a command by hand, measured side by side in one run.

    PYTHONPATH=scripts .venvs/engine/bin/python test/bench/engine/overhead.py [--steps 20] [--rounds 5]

Prints medians: the command alone; the same as steps of one task, as tasks of a pipeline in a row, and the whole
``run`` command once around an empty step. A step is to cost less than 100 ms more than its command.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from catalog.engine.events import Recorder
from catalog.engine.requests import Prepared, Request, prepare
from catalog.engine.running import Execution, run_folder

LIMIT = 0.1


def task(steps: int) -> str:
    body = ", ".join(f"{{name: s{number}, image: x, command: ['true']}}" for number in range(steps))
    return f"apiVersion: tekton.dev/v1\nkind: TaskRun\nmetadata: {{name: t}}\nspec: {{taskSpec: {{steps: [{body}]}}}}\n"


def pipeline(tasks: int) -> str:
    one = "taskSpec: {steps: [{name: s, image: x, command: ['true']}]}"
    rows = [f"{{name: t{i}, {one}{f', runAfter: [t{i - 1}]' if i else ''}}}" for i in range(tasks)]
    head = "apiVersion: tekton.dev/v1\nkind: PipelineRun\nmetadata: {name: p}\n"
    return f"{head}spec: {{pipelineSpec: {{tasks: [{', '.join(rows)}]}}}}\n"


def median(rounds: int, act: Callable[[], object]) -> float:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        act()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def engine(prepared: Prepared) -> None:
    with run_folder() as folder:
        outcome = Execution(prepared.documents, listener=Recorder()).run(prepared.plans[0], folder)
    if not outcome.succeeded:
        raise SystemExit(f"the run failed: {outcome.message}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        files = {kind: Path(name, f"{kind}.yaml") for kind in ("steps", "tasks", "one")}
        files["steps"].write_text(task(options.steps))
        files["tasks"].write_text(pipeline(options.steps))
        files["one"].write_text(task(1))
        by_hand = median(options.rounds, lambda: [subprocess.run(["true"], check=True) for _ in range(options.steps)])
        inside = {
            kind: median(options.rounds, lambda kind=kind: engine(prepare(Request([files[kind]]))))
            for kind in ("steps", "tasks")
        }
        command = [sys.executable, "-m", "catalog", "run", str(files["one"])]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3] / "scripts")}
        whole = median(
            options.rounds, lambda: subprocess.run(command, check=True, capture_output=True, env=environment)
        )
    count = options.steps
    print(json.dumps({
        "steps": count,
        "by_hand_ms_each": round(by_hand / count * 1000, 2),
        "step_overhead_ms": round((inside["steps"] - by_hand) / count * 1000, 2),
        "task_overhead_ms": round((inside["tasks"] - by_hand) / count * 1000, 2),
        "whole_command_ms": round(whole * 1000, 1),
    }, indent=2))  # fmt: skip
    return 0 if max(inside.values()) - by_hand < LIMIT * count else 3


if __name__ == "__main__":
    sys.exit(main())
