"""Carries plans out: the engine's Python interface, for the verbs and for tests.

>>> prepared = prepare(Request([Path("run.yaml")]))
>>> with run_folder() as folder:
...     outcome = Execution(prepared.documents).run(prepared.plans[0], folder)
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from catalog.engine import expectations, pipelinerun, taskrun
from catalog.engine.documents import Documents
from catalog.engine.events import Listener, OneAtATime, Recorder
from catalog.engine.outcomes import RunOutcome
from catalog.engine.planning import Plan
from catalog.engine.process import Cancellation
from catalog.engine.programs import Programs
from catalog.engine.taskrun import TaskRun, Workshop
from catalog.engine.workspaces import Volumes


def default_jobs() -> int:
    return max(2, os.cpu_count() or 2)


@dataclass(frozen=True)
class Execution:
    """How plans are carried out."""

    documents: Documents
    """ConfigMaps and Secrets for workspaces and variables."""
    programs: Programs = field(default_factory=Programs)
    listener: Listener = field(default_factory=Recorder)
    cancellation: Cancellation = field(default_factory=Cancellation)
    jobs: int = field(default_factory=default_jobs)

    def run(self, plan: Plan, folder: Path) -> RunOutcome:
        """Carries out one plan; ``folder`` takes its volumes, results and scratch space.

        Raises PlanError when the source folder of a test is not there.
        """
        listener = OneAtATime(self.listener)
        listener.run_started(plan)
        for notice in plan.notices:
            listener.notice(notice)
        workshop = Workshop(Volumes(folder, self.documents), self.programs, listener)
        if (source := expectations.source_folder(plan, self.programs.tree)) is not None:
            target = workshop.volumes.workspace(plan.bindings[expectations.SOURCE], expectations.SOURCE)
            shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
        if plan.kind == "PipelineRun":
            outcome = pipelinerun.run(plan, workshop, self.cancellation, self.jobs)
        else:
            outcome = _task_run(plan, workshop, self.cancellation)
        listener.run_finished(outcome)
        return outcome


def _task_run(plan: Plan, workshop: Workshop, cancellation: Cancellation) -> RunOutcome:
    task = plan.tasks[0]
    workshop.listener.task_started(task.name)
    outcome = taskrun.run(
        TaskRun(
            label=task.name,
            name=plan.name,
            task_name=task.task_name,
            spec=task.spec,
            params=plan.params,
            workspaces=plan.bindings_for({}),
            retries=plan.retries,
            timeout=task.timeout,
            context=plan.context,
        ),
        workshop,
        cancellation,
    )
    workshop.listener.task_finished(outcome)
    return RunOutcome(
        kind=plan.kind,
        name=plan.name,
        status=outcome.status,
        reason=outcome.reason,
        message=outcome.message,
        tasks=(outcome,),
        results=outcome.results,
        seconds=outcome.seconds,
        workspaces=plan.folders(workshop.volumes),
    )


@contextmanager
def run_folder(keep: bool = False) -> Iterator[Path]:
    """A folder for the files of a run, gone afterwards unless it is to be kept."""
    folder = Path(tempfile.mkdtemp(prefix="catalog-run-"))
    try:
        yield folder
    finally:
        if not keep:
            _remove(folder)


def _remove(folder: Path) -> None:
    """Removes the folder, also what a program has write-protected."""
    for where, folders, _ in os.walk(folder):
        for name in folders:
            path = os.path.join(where, name)
            if not os.path.islink(path):
                os.chmod(path, stat.S_IRWXU)
    shutil.rmtree(folder, ignore_errors=True)
