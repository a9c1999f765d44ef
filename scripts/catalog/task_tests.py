"""``./scripts/task-tests [FILE…]``: runs the tests of the Tasks and Pipelines on the local engine.

A test is a TaskRun or PipelineRun in ``task/*/*/tests/`` or ``pipeline/*/*/tests/`` whose annotations say what must
come of it: see :mod:`catalog.engine.expectations`. A file may hold ConfigMaps, Secrets and several runs. Those that
must be refused are tests, too (:mod:`catalog.rejections`).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from catalog import rejections
from catalog.engine import expectations, report
from catalog.engine.documents import Documents
from catalog.engine.events import Recorder
from catalog.engine.outcomes import RunOutcome
from catalog.engine.planning import Plan, PlanError
from catalog.engine.process import Cancellation
from catalog.engine.programs import Programs
from catalog.engine.requests import Prepared, Request, prepare
from catalog.engine.running import Execution, default_jobs, run_folder
from catalog.rejections import Rejection
from catalog.run import FAILED, INTERRUPTED, INVALID, SUCCEEDED
from catalog.tree import TREE, Tree

_TAIL = 25
"""Lines of the log that are shown of a failed test."""


@dataclass(frozen=True)
class Case:
    """One run of one file."""

    plan: Plan
    documents: Documents

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def path(self) -> Path:
        return self.plan.path


@dataclass(frozen=True)
class Verdict:
    """What came of a test; it passed when nothing is ``unmet``.

    ``outcome``: of what ran, as far as it is known; ``circumstances``: what else helps to find out why, shown in full.
    """

    test: Case | Rejection
    unmet: tuple[str, ...]
    log: str
    seconds: float
    status: str
    exit_code: int | None = None
    outcome: RunOutcome | None = None
    circumstances: str = ""

    @property
    def passed(self) -> bool:
        return not self.unmet


def files(tree: Tree) -> list[Path]:
    """All files with tests of newest versions, those that must fail included.

    Older versions were released with their images and tested then: the programs of the tree have moved on.
    """
    newest = [tree.file(kind, name) for kind in ("Task", "Pipeline") for name in tree.names(kind)]
    return sorted(path for manifest in newest if manifest for path in manifest.parent.glob("tests/**/*.yaml"))


def collect(paths: Iterable[Path], tree: Tree) -> tuple[list[Case], list[str]]:
    """The tests in the files that run, and what is wrong with files that cannot; what must be refused is left out."""
    tests: list[Case] = []
    problems: list[str] = []
    for path in paths:
        try:
            if rejections.of_file(path):
                continue
            prepared: Prepared = prepare(Request([path], tree=tree))
        except PlanError as error:
            problems += error.problems
        else:
            tests += [Case(plan, prepared.documents) for plan in prepared.plans]
    return tests, problems


def run(test: Case, tree: Tree = TREE, cancellation: Cancellation | None = None) -> Verdict:
    """Runs one test in a folder of its own."""
    recorder = Recorder()
    began = time.monotonic()
    execution = Execution(test.documents, Programs(tree), recorder, cancellation or Cancellation())
    with run_folder() as folder:
        outcome = execution.run(test.plan, folder)
        unmet = expectations.unmet(expectations.read(test.plan.annotations), outcome, recorder.log())
    log = "\n".join(f"[{task}] {text}" for task, _, text in recorder.lines)
    log += "".join(f"\n{text}" for text in report.explanations(outcome))
    seconds = time.monotonic() - began
    return Verdict(test, tuple(unmet), log, seconds, str(outcome.status), exit_code(outcome), outcome)


def exit_code(outcome: RunOutcome) -> int | None:
    """That of the first task that failed."""
    return next((task.exit_code for task in outcome.tasks if task.failed), None)


def refuse(test: Rejection, tree: Tree = TREE) -> Verdict:
    """Asks the engine to plan what must be refused."""
    unmet, complaint, seconds = rejections.run(test, tree)
    return Verdict(test, tuple(unmet), complaint, seconds, "Rejected" if complaint else "Accepted")


def _shown(path: Path) -> str:
    """Relative to where the user stands, when that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(str(path)) else str(path)


def explain(verdict: Verdict, again: str, watch: str) -> None:
    """Prints what a failed test did not keep, the end of its log, and how to run just it again.

    ``again`` and ``watch`` are commands with the place ``{test}`` for the file and the name.
    """
    print(f"\n{_shown(verdict.test.path)}: {verdict.test.name}")
    for text in verdict.unmet:
        print(f"  {text}")
    for text in verdict.circumstances.splitlines():
        print(f"  {text}")
    lines = verdict.log.splitlines()
    if len(lines) > _TAIL:
        print(f"  … {len(lines) - _TAIL} lines before")
    for line in lines[-_TAIL:]:
        print(f"  | {line}")
    chosen = f"{_shown(verdict.test.path)} --only {verdict.test.name}"
    print(f"  again: {again.format(test=chosen)}")
    print(f"  watch: {watch.format(test=chosen)}", flush=True)


def line(verdict: Verdict) -> str:
    """One line about a test that ended."""
    mark = "ok  " if verdict.passed else "FAIL"
    code = f" exit {verdict.exit_code}" if verdict.exit_code is not None else ""
    what = f"{verdict.status}{code}"
    return (
        f"{mark}  {report.duration(verdict.seconds):>6}  {what:<17}  {_shown(verdict.test.path)}: {verdict.test.name}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="task-tests", description="Runs the tests of Tasks and Pipelines here.")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="files or folders (all tests of the tree)")
    parser.add_argument("--only", metavar="NAME", help="just the run of this name")
    parser.add_argument("--jobs", type=int, default=default_jobs(), metavar="N", help="tests at a time (%(default)s)")
    options = parser.parse_args(argv)
    paths = [path for given in options.files for path in (sorted(given.rglob("*.yaml")) if given.is_dir() else [given])]
    paths = paths or files(TREE)
    cases, problems = collect(paths, TREE)
    for problem in problems:
        print(problem, file=sys.stderr)
    everything: list[Case | Rejection] = [*cases, *rejections.collect(paths)[0]]
    tests = [test for test in everything if options.only in {None, test.name}]
    if not tests:
        print("there are no tests to run", file=sys.stderr)
        return INVALID
    verdicts = _run_all(tests, max(1, options.jobs))
    if verdicts is None:
        return INTERRUPTED
    failed = [verdict for verdict in verdicts if not verdict.passed]
    for verdict in failed:
        explain(verdict, "./scripts/task-tests {test}", "./scripts/run {test} --keep")
    print(f"\n{len(verdicts) - len(failed)} of {len(verdicts)} tests passed", end="")
    print(f", {len(problems)} problems in files that were not run" if problems else "")
    if problems:
        return INVALID
    return FAILED if failed else SUCCEEDED


def _run_all(tests: Sequence[Case | Rejection], jobs: int) -> list[Verdict] | None:
    """All verdicts in the order of the tests, each printed as it comes; None after Ctrl-C."""
    cancellation = Cancellation()
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        futures = [pool.submit(_run_and_print, test, cancellation) for test in tests]
        try:
            return [future.result() for future in futures]
        except KeyboardInterrupt:
            cancellation.throw("stopped by SIGINT")
            pool.shutdown(cancel_futures=True)
            print("stopped", file=sys.stderr)
            return None


def _run_and_print(test: Case | Rejection, cancellation: Cancellation) -> Verdict:
    verdict = refuse(test) if isinstance(test, Rejection) else run(test, TREE, cancellation)
    print(line(verdict), flush=True)
    return verdict


if __name__ == "__main__":
    sys.exit(main())
