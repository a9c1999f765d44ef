"""Runs of the catalog's own YAML on the local engine, in a folder that the test made."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer

from catalog.engine.events import Recorder
from catalog.engine.outcomes import RunOutcome
from catalog.engine.process import Cancellation
from catalog.engine.programs import Programs
from catalog.engine.requests import Request, prepare
from catalog.engine.running import Execution, run_folder
from catalog.tree import TREE

PIPELINE = TREE.root / "pipeline" / "train-gate-build" / "0.1" / "train-gate-build.yaml"
PROJECTS = TREE.root / "test" / "projects"

Params = Mapping[str, str | list[str]]


def task_file(name: str) -> Path:
    return TREE.root / "task" / name / "0.1" / f"{name}.yaml"


@dataclass(frozen=True)
class Done:
    """A run that is over; ``project`` is the folder that was its workspace ``source``."""

    outcome: RunOutcome
    log: str
    project: Path

    @property
    def results(self) -> dict[str, str]:
        return {name: str(value) for name, value in self.outcome.results.items()}

    @property
    def exit_code(self) -> int | None:
        """Of the task that failed, or of the last one."""
        failed = [task.exit_code for task in self.outcome.tasks if task.failed]
        return failed[0] if failed else self.outcome.tasks[-1].exit_code

    def error_lines(self) -> list[str]:
        """What our programs said is wrong."""
        programs = "|".join(TREE.programs)
        return [line for line in self.log.splitlines() if re.match(rf"({programs}): error: ", line)]

    def explain(self) -> str:
        messages = [f"{task.name}: {task.status} {task.message}" for task in self.outcome.tasks]
        return "\n".join([*messages, *self.log.splitlines()[-60:]])


@dataclass(frozen=True)
class Run:
    """What is run, on which folders; ``environment`` is what the machine of the engine has set besides."""

    file: Path
    project: Path
    params: Params = field(default_factory=dict)
    workspaces: Mapping[str, Path] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_after: float | None = None
    """Seconds until the run is cancelled, as by a timeout."""

    def go(self) -> Done:
        programs = Programs(host={**os.environ, **self.environment})
        texts = [
            f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in self.params.items()
        ]
        prepared = prepare(Request([self.file], texts, {"source": self.project, **self.workspaces}), programs)
        recorder, cancellation = Recorder(), Cancellation()
        timer = Timer(self.stop_after, cancellation.throw, ("stopped by the test",)) if self.stop_after else None
        if timer:
            timer.start()
        try:
            with run_folder() as folder:
                outcome = Execution(prepared.documents, programs, recorder, cancellation).run(prepared.plans[0], folder)
        finally:
            if timer:
                timer.cancel()
        return Done(outcome, recorder.log(), self.project)


def copied_project(name: str, folder: Path) -> Path:
    shutil.copytree(PROJECTS / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder / name
