"""``./scripts/run FILE…``: runs Task, TaskRun, Pipeline and PipelineRun documents on this machine."""

from __future__ import annotations

import argparse
import io
import json
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from catalog.closed_pipe import discard_stdout
from catalog.engine import display, dryrun
from catalog.engine.outcomes import RunOutcome
from catalog.engine.planning import Plan, PlanError
from catalog.engine.process import Cancellation
from catalog.engine.programs import Programs
from catalog.engine.requests import Prepared, Request, prepare
from catalog.engine.running import Execution, default_jobs, run_folder

SUCCEEDED, INVALID, FAILED, OUR_FAULT, INTERRUPTED = 0, 2, 3, 70, 130

_EPILOG = """\
exit codes: 0 all runs succeeded · 2 nothing was run, the input is wrong · 3 a run failed · 70 a fault of the engine ·
130 stopped with Ctrl-C

examples:
  ./scripts/run pipeline/train-gate-build/0.1/samples/iris.yaml --workspace source=my-project
  ./scripts/run task.yaml --param script=train.py --param 'args=["--epochs", "3"]' --results json
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run",
        description="Runs Tekton documents on this machine: no cluster, no container engine, no root.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="YAML files or folders")
    parser.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="a param; arrays and objects as JSON"
    )
    parser.add_argument(
        "--workspace", action="append", default=[], metavar="NAME=FOLDER", help="a folder as a workspace, used in place"
    )
    parser.add_argument("--only", metavar="NAME", help="of several runs (Pipelines, Tasks) in the files just this one")
    parser.add_argument(
        "--jobs", type=_positive, default=default_jobs(), metavar="N", help="tasks at a time (%(default)s)"
    )
    parser.add_argument(
        "--results", choices=["json"], help="print the outcome as JSON on stdout, everything else on stderr"
    )
    parser.add_argument("--dry-run", action="store_true", help="check everything and print the plan, run nothing")
    parser.add_argument("--keep", action="store_true", help="keep the folder with workspaces and results of the run")
    parser.add_argument("--debug", action="store_true", help="print a traceback where the engine itself fails")
    return parser


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of tasks; give 1 or more")
    return int(text)


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a log must not end at a letter the terminal lacks
    try:
        return _run(options)
    except PlanError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        print(f"nothing was run: {_count(len(error.problems))}", file=sys.stderr)
        return INVALID
    except BrokenPipeError:
        discard_stdout()
        return FAILED
    except OSError as error:  # disk full, a folder that may not be written
        print(f"run: {error}", file=sys.stderr)
        return FAILED
    except Exception as error:  # noqa: BLE001 - whatever it is, it is ours
        if options.debug:
            traceback.print_exc()
        print(f"run: a fault of the engine: {type(error).__name__}: {error} (--debug shows where)", file=sys.stderr)
        return OUR_FAULT


def _count(problems: int) -> str:
    return "1 problem" if problems == 1 else f"{problems} problems"


def _folders(assignments: Sequence[str]) -> dict[str, Path]:
    found = {}
    for text in assignments:
        name, equals, folder = text.partition("=")
        if not (name and equals and folder):
            raise PlanError([f"--workspace {text}: write it as name=folder"])
        found[name] = Path(folder)
    return found


def _run(options: argparse.Namespace) -> int:
    programs = Programs()
    request = Request(options.files, options.param, _folders(options.workspace), options.only)
    prepared = prepare(request, programs)
    for warning in prepared.warnings:
        print(warning, file=sys.stderr)
    if options.dry_run:
        _print_plans(prepared, programs, as_json=bool(options.results))
        return SUCCEEDED
    stream = sys.stderr if options.results else sys.stdout
    cancellation = Cancellation()
    with _stopped_by_signals(cancellation):
        outcomes = [
            _one(plan, prepared, programs, options, stream, cancellation)
            for plan in prepared.plans
            if not cancellation.thrown
        ]
    if options.results:
        print(json.dumps(_document(outcomes), indent=2, ensure_ascii=False))
    if cancellation.thrown:
        return INTERRUPTED
    return SUCCEEDED if all(outcome.succeeded for outcome in outcomes) else FAILED


def _one(
    plan: Plan,
    prepared: Prepared,
    programs: Programs,
    options: argparse.Namespace,
    stream: Any,
    cancellation: Cancellation,
) -> RunOutcome:
    shown = display.for_stream(stream)
    try:
        with run_folder(keep=options.keep) as folder:
            for notice in prepared.notices:
                shown.notice(notice)
            execution = Execution(prepared.documents, programs, shown, cancellation, options.jobs)
            outcome = execution.run(plan, folder)
            if options.keep:
                print(f"kept: {folder}", file=stream)
                for name, path in outcome.workspaces.items():
                    print(f"kept: workspace {name}: {path}", file=stream)
            return outcome
    finally:
        shown.close()


def _print_plans(prepared: Prepared, programs: Programs, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([dryrun.as_json(plan) for plan in prepared.plans], indent=2, ensure_ascii=False))
        return
    for notice in prepared.notices:
        print(f"note: {notice}")
    for plan in prepared.plans:
        print("\n".join(dryrun.describe(plan, programs)))


def _document(outcomes: Sequence[RunOutcome]) -> dict[str, Any]:
    """One run's outcome; of several a summary with all of them below ``runs``."""
    if len(outcomes) == 1:
        return outcomes[0].as_json()
    failed = [outcome for outcome in outcomes if not outcome.succeeded]
    return {"status": "Failed" if failed else "Succeeded", "runs": [outcome.as_json() for outcome in outcomes]}


@contextmanager
def _stopped_by_signals(cancellation: Cancellation) -> Iterator[None]:
    """Ctrl-C and a polite kill end the steps and let the run report; a second one ends the engine at once."""

    def stop(number: int, _: FrameType | None) -> None:
        if cancellation.thrown:
            raise KeyboardInterrupt
        name = signal.Signals(number).name
        print(f"\nstopping after {name}: running steps are ended", file=sys.stderr, flush=True)
        cancellation.throw(f"stopped by {name}")

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        cancellation.throw("stopped twice")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
