"""Kills train, gate and build at random moments, and looks at what is left: ``python test/endtoend/interrupts.py 200``.

After each kill -9 everything of the run's output is whole or absent: what stands under the name of the model directory,
the report or the image is what the last complete run put there or what this one did. A rerun then succeeds, and removes
what was half done.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {
    name: ROOT / ".venvs" / name / "bin" / name for name in ("sklearn-train", "metric-gate", "model-serve-build")
}
SCRIPT = """
import json, pickle, sys
from sklearn.linear_model import LinearRegression
model = LinearRegression().fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
pickle.dump(model, open(sys.argv[1], "wb"))
json.dump({"r2": 1.0}, open(sys.argv[2], "w"))
"""


@dataclass(frozen=True)
class Stage:
    """A program with its command line, and what must hold of its output, which is there or not."""

    program: str
    options: Callable[[Path], list[str]]
    output: str
    check: Callable[[Path], object]


@dataclass
class Tally:
    """What came of the interruptions of one program."""

    killed: int = 0
    ended_before: int = 0
    found: Counter[str] = field(default_factory=Counter)
    """Of the killed ones: how often the output was absent, the old one, or the new one."""
    problems: list[str] = field(default_factory=list)


def _check_model(folder: Path) -> object:
    from taskkit.model_directory import verify

    return verify(folder / "model")[1]


def _check_report(folder: Path) -> object:
    from taskkit.gate_report import approval_of, parse_report

    content = (folder / "gate" / "report.json").read_bytes()
    parse_report(content, "report.json")
    assert (folder / "gate" / "report.md").is_file()
    return approval_of(content)


def _check_image(folder: Path) -> object:
    from taskkit.oci.layout import Layout
    from taskkit.oci.unpack import unpack

    with tempfile.TemporaryDirectory() as root:
        return unpack(Layout(folder / "image"), Path(root) / "root").digest


def _build_options(folder: Path) -> list[str]:
    return [
        f"--approval={_check_report(folder)}",
        "--image=oci-layout:image",
        "--base-image=",
        "--on-existing-tag=move",
    ]


STAGES = (
    Stage("sklearn-train", lambda _: ["--onnx=off", "--", "{model}", "{metrics}"], "model/model.json", _check_model),
    Stage("metric-gate", lambda _: [], "gate/report.json", _check_report),
    Stage("model-serve-build", _build_options, "image/index.json", _check_image),
)


def new_project(folder: Path) -> None:
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "train.py").write_text(SCRIPT)


def started(stage: Stage, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [PROGRAMS[stage.program], *stage.options(folder)], cwd=folder,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def complete(stage: Stage, folder: Path) -> float:
    """Runs a program to its end; gives the seconds it took. AssertionError where it fails or leaves something."""
    began = time.monotonic()
    process = started(stage, folder)
    error = process.communicate()[1].decode()
    assert process.returncode == 0, f"{stage.program} ended with {process.returncode}: {error}"
    stage.check(folder)
    left = [path.name for path in folder.iterdir() if path.name.startswith(".")]
    left += [path.name for path in (folder / "image").rglob("*") if path.name.startswith((".", "tmp"))]
    assert not left, f"{stage.program} left {left}"
    return time.monotonic() - began


def interrupt(stage: Stage, folder: Path, after: float, tally: Tally, *, whole_group: bool) -> None:
    """One kill -9 after some seconds: of the program alone, or with all that it started, as when a pod goes."""
    before = stage.check(folder) if (folder / stage.output).exists() else None
    process = started(stage, folder)
    try:
        process.wait(after)
        tally.ended_before += 1
    except subprocess.TimeoutExpired:
        tally.killed += 1
        os.kill(process.pid, signal.SIGKILL)
        if whole_group:
            for one in _below(process.pid):
                os.kill(one, signal.SIGKILL)
    process.communicate()
    if not (folder / stage.output).exists():
        tally.found["absent"] += 1
        return
    found = stage.check(folder)
    tally.found["as before" if found == before else "new"] += 1


def _below(session: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getsid(int(entry.name)) == session:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def interrupts(
    count: int, seed: int, stages: Sequence[Stage] = STAGES, project: Callable[[Path], object] = new_project
) -> dict[str, Tally]:
    """``count`` kills over the programs of ``stages``, each followed by a look and a rerun; ended before do not count.

    What was there before is, by chance, nothing, or the output of an earlier run. ``project`` makes a folder in which
    the stages can run.
    """
    dice = random.Random(seed)
    tallies = {stage.program: Tally() for stage in stages}
    with tempfile.TemporaryDirectory(prefix="interrupts-") as where:
        folder = Path(where) / "project"
        project(folder)
        durations = {stage.program: complete(stage, folder) for stage in stages}
        for at in range(2 * count):
            if sum(one.killed for one in tallies.values()) == count:
                break
            stage, tally = stages[at % len(stages)], tallies[stages[at % len(stages)].program]
            if dice.random() < 0.5:
                shutil.rmtree((folder / stage.output).parent, ignore_errors=True)
            try:
                interrupt(
                    stage,
                    folder,
                    dice.uniform(0, 1.1 * durations[stage.program]),
                    tally,
                    whole_group=dice.random() < 0.5,
                )
                complete(stage, folder)
            except Exception as error:  # noqa: BLE001 - whatever is found, the run goes on and tells
                tally.problems.append(f"{type(error).__name__}: {error}")
    return tallies


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tallies = interrupts(options.count, options.seed)
    for program, tally in tallies.items():
        found = ", ".join(f"{count} {what}" for what, count in sorted(tally.found.items()))
        print(f"{program:18} killed {tally.killed}, ended before {tally.ended_before}; output: {found}; "
              f"{len(tally.problems)} problems")  # fmt: skip
        for problem in tally.problems[:5]:
            print(f"  {problem}")
    return 3 if any(tally.problems for tally in tallies.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
