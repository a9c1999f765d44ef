"""``./scripts/e2e [NAME…]``: the tests of the Tasks and Pipelines on real Tekton, judged as on the local engine.

The cluster: ``--context`` of an existing one, else kind where Docker or podman works, else processes of this machine.
One of ours that runs already is used and left running.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import NoReturn

from catalog import images
from catalog.e2e import comparing, junit, progress, scenarios, versions
from catalog.e2e.cluster_run import Stage, run_test
from catalog.e2e.kubectl import KubectlError
from catalog.e2e.selection import CONFORMANCE, Test, chosen, count, programs, suitable
from catalog.e2e.stages import StageError, own_cluster, remove_namespaces, the_users_cluster
from catalog.imaging.errors import ImageError
from catalog.task_tests import Verdict
from catalog.tree import TREE
from taskkit.errors import TaskError

SUCCEEDED, INVALID, FAILED, INTERRUPTED = 0, 2, 3, 130


def main(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    options.scenarios = scenarios.NAME in options.names
    signal.signal(signal.SIGTERM, _stop)
    try:
        names = [name for name in options.names if name != scenarios.NAME]
        tests = chosen(names, options.only, TREE) if names or not options.names else []
    except StageError as error:
        print(f"e2e: error: {error}", file=sys.stderr)
        return INVALID
    try:
        if options.every_version:
            return _on_every_version(tests, options)
        return _once(tests, options)
    except (StageError, ImageError, TaskError, KubectlError) as error:
        print(f"e2e: error: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("e2e: interrupted", file=sys.stderr)
        return INTERRUPTED


def _stop(*_: object) -> NoReturn:
    """As Ctrl-C, also in the background, where shells let SIGINT be ignored."""
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./scripts/e2e", description="The tests of Tasks and Pipelines on real Tekton."
    )
    what = f"just the tests of these; '{CONFORMANCE}': test/conformance; '{scenarios.NAME}': test/scenarios"
    parser.add_argument("names", nargs="*", metavar="TASK|PIPELINE|FILE", help=what)
    parser.add_argument("--only", metavar="NAME", help="just the run of this name")
    parser.add_argument("--tekton", metavar="VERSION", default="", help="of the cluster (default: the newest)")
    parser.add_argument("--context", metavar="NAME", default="", help="an existing cluster of your kubeconfig")
    parser.add_argument("--registry", metavar="PREFIX", default="", help="with --context: where to push the images to")
    parser.add_argument("--keep", action="store_true", help="keep namespaces and cluster, for looking around")
    parser.add_argument("--jobs", type=int, default=4, metavar="N", help="tests at a time (%(default)s)")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write a JUnit report")
    comparison = "run the tests on the local engine, too, and write both side by side"
    parser.add_argument("--compare", type=Path, metavar="FILE", help=comparison)
    every = f"on a cluster with each supported Tekton in turn; writes {versions.PAGE} and the README's table"
    parser.add_argument("--every-version", action="store_true", help=every)
    return parser


def _say(line: str) -> None:
    print(line, flush=True)


def _cluster(tests: Sequence[Test], options: argparse.Namespace, tekton: str) -> AbstractContextManager[Stage]:
    needed = images.programs() if options.scenarios else programs(tests, TREE)
    if options.context:
        return the_users_cluster(options.context, options.registry, needed, keep=options.keep, say=_say)
    return own_cluster(tekton, needed, keep=options.keep, say=_say)


def _verdicts(tests: Sequence[Test], options: argparse.Namespace, tekton: str) -> tuple[list[Verdict], str, bool]:
    """Runs everything on one cluster, which ends before the verdicts are told, unless it was there before; with the
    version of its Tekton, and whether all scenarios passed."""
    with _cluster(tests, options, tekton) as stage:
        began = time.monotonic()
        tests, too_new = suitable(tests, stage.tekton)
        if too_new:
            _say(f"not run, since they need a newer Tekton: {', '.join(test.name for test in too_new)}")
        if tests:
            _say(f"{count(tests)}, {options.jobs} at a time, in namespaces {stage.label}-… ({stage.level})")
        try:
            verdicts = progress.run_all(tests, lambda test, number: run_test(test, stage, number), options.jobs)
            passed = not options.scenarios or _scenarios(stage, options)
        finally:
            if not stage.keep:
                with suppress(KubectlError):
                    remove_namespaces(stage)
        _say(f"took {time.monotonic() - began:.0f} s")
        return verdicts, stage.tekton, passed


def _scenarios(stage: Stage, options: argparse.Namespace) -> bool:
    return scenarios.run(stage, options.jobs, options.only, options.junit)


def _once(tests: Sequence[Test], options: argparse.Namespace) -> int:
    verdicts, tekton, passed = _verdicts(tests, options, options.tekton)
    if options.junit:
        options.junit.write_text(junit.document(verdicts), encoding="utf-8")
    if options.compare:
        options.compare.write_text(comparing.page(verdicts, tekton), encoding="utf-8")
    remark = "" if passed else f"{scenarios.NAME} failed, see above the table; again: ./scripts/e2e {scenarios.NAME}"
    passed &= not verdicts or progress.conclude(verdicts, *_commands(options), remark)
    return SUCCEEDED if passed else FAILED


def _commands(options: argparse.Namespace) -> tuple[str, str]:
    """How to run one test again, on this kind of cluster, and how to keep what it leaves."""
    given = {"--tekton": options.tekton, "--context": options.context, "--registry": options.registry}
    chosen = "".join(f" {name} {value}" for name, value in given.items() if value)
    again = f"./scripts/e2e {{test}}{chosen}"
    return again, f"{again} --keep; on the local engine: ./scripts/run {{test}} --keep"


def _on_every_version(tests: Sequence[Test], options: argparse.Namespace) -> int:
    found = {}
    for version in versions.supported():
        _say(f"── Tekton {version} " + "─" * 50)
        found[version], *_ = _verdicts(tests, options, version)
        progress.conclude(found[version], *_commands(options))
    versions.write(found, TREE.root)
    return SUCCEEDED if all(verdict.passed for verdicts in found.values() for verdict in verdicts) else FAILED
