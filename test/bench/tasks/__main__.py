"""What the tasks cost over what they do: training by hand and by sklearn-train, a decision of metric-gate.

    .venvs/tools/bin/python test/bench/tasks [--rounds 3] [--gigabytes 5] [--output folder]

By hand and by the task in turn, round after round, from process start to process end; the script's own memory is what
sklearn-train says of it. `--gigabytes` is the size of a dataset (a file with holes) that is only hashed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from measured_process import run

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
TRAIN = ROOT / ".venvs" / "sklearn-train" / "bin"
GATE = ROOT / ".venvs" / "metric-gate" / "bin" / "metric-gate"
MODELS = {"M1": "logistic regression, iris", "M3": "random forest, 100 trees", "M5": "does not convert"}
IDLE_SCRIPT = """
import argparse, json, pickle
from sklearn.dummy import DummyClassifier
parser = argparse.ArgumentParser()
for name in ("data", "model", "metrics"):
    parser.add_argument(f"--{name}-path")
given = parser.parse_args()
pickle.dump(DummyClassifier().fit([[0], [1]], [0, 1]), open(given.model_path, "wb"))
json.dump({"accuracy": 0.5}, open(given.metrics_path, "w"))
"""


@dataclass
class Trained:
    """Seconds and bytes, one of each per round."""

    by_hand: list[float] = field(default_factory=list)
    by_task: list[float] = field(default_factory=list)
    memory_by_hand: list[int] = field(default_factory=list)
    memory_by_task: list[int] = field(default_factory=list)


def training(name: str, rounds: int, scratch: Path) -> Trained:
    took, folder = Trained(), scratch / name
    shutil.copytree(ROOT / "test" / "bench" / "serve" / "project", folder)
    (folder / "out").mkdir()
    for _ in range(rounds):
        by_hand = [TRAIN / "python", "src/train.py", "--which", name, "--model-path", "out/model.pkl",
                   "--metrics-path", "out/metrics.json"]  # fmt: skip
        alone = run(by_hand, folder)
        took.by_hand.append(alone.seconds)
        took.memory_by_hand.append(alone.peak_bytes)
        by_task = [
            TRAIN / "sklearn-train",
            "--",
            "--which",
            name,
            "--model-path",
            "{model}",
            "--metrics-path",
            "{metrics}",
        ]
        task = run(by_task, folder)
        told = re.search(r"the script ended after .* memory (\d+) MiB at most", task.log)
        took.by_task.append(task.seconds)
        took.memory_by_task.append(int(told[1]) << 20 if told else 0)
    return took


def deciding(rounds: int, scratch: Path) -> list[float]:
    folder = scratch / "gate"
    shutil.copytree(scratch / "M1" / "model", folder / "model")
    (folder / "baseline").mkdir()
    (folder / "baseline" / "accuracy").write_text("0.9\n")
    command = [GATE, "--baseline=baseline", "--rules=accuracy: {min: 0.5, max_drop: 0.01}"]
    return [run(command, folder).seconds for _ in range(rounds)]


def hashing(gigabytes: float, scratch: Path) -> tuple[float, int]:
    """Seconds of a whole training beside such a dataset, and the memory of its largest process."""
    folder = scratch / "large"
    folder.mkdir()
    (folder / "train.py").write_text(IDLE_SCRIPT)
    with (folder / "data.bin").open("wb") as file:
        file.truncate(round(gigabytes * 1e9))
    took = run([TRAIN / "sklearn-train", "--script=train.py", "--dataset=data.bin", "--onnx=off"], folder)
    return took.seconds, took.peak_bytes


def text(trained: dict[str, Trained], decisions: Sequence[float], large: tuple[float, float, int] | None) -> str:
    def middle(values: Sequence[float]) -> str:
        return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"

    lines = ["| training | by hand, s | sklearn-train, s | more, s | memory of the script, by hand → observed |",
             "|---|--:|--:|--:|--:|"]  # fmt: skip
    for name, took in trained.items():
        more = [task - hand for hand, task in zip(took.by_hand, took.by_task, strict=True)]
        before, after = statistics.median(took.memory_by_hand) / 1e6, statistics.median(took.memory_by_task) / 1e6
        lines.append(f"| {name}: {MODELS[name]} | {middle(took.by_hand)} | {middle(took.by_task)} | {middle(more)} | "
                     f"{before:.0f} → {after:.0f} MB ({100 * (after / before - 1):+.0f} %) |")  # fmt: skip
    lines += ["", f"metric-gate, from process start to its verdict: {middle(decisions)} s."]
    if large:
        gigabytes, seconds, peak = large
        lines.append(f"A dataset of {gigabytes:g} GB: the whole training took {seconds:.1f} s, no process more than "
                     f"{peak / 1e6:.0f} MB.")  # fmt: skip
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=sorted(MODELS), default=sorted(MODELS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--gigabytes", type=float, default=5)
    parser.add_argument("--output", type=Path, help="folder for tasks.json and tasks.md")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        began = time.monotonic()
        trained = {name: training(name, given.rounds, scratch) for name in dict.fromkeys(["M1", *given.models])}
        decisions = deciding(max(5, given.rounds), scratch)
        large = (given.gigabytes, *hashing(given.gigabytes, scratch)) if given.gigabytes else None
    found = text(trained, decisions, large)
    print(
        f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f}, {time.monotonic() - began:.0f} s\n\n{found}"
    )
    if given.output:
        given.output.mkdir(parents=True, exist_ok=True)
        documents = {
            "training": {name: asdict(took) for name, took in trained.items()},
            "gate": decisions,
            "large": large,
        }
        (given.output / "tasks.json").write_text(json.dumps(documents, indent=1))
        (given.output / "tasks.md").write_text(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
