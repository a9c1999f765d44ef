"""``./scripts/e2e [NAME…]``: the tests of the Tasks and Pipelines on real Tekton, judged as on the local engine.

The cluster: ``--context`` of an existing one, else kind where Docker or podman works, else processes of this machine.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from catalog.e2e import cluster_run, junit
from catalog.e2e.cluster_run import Stage
from catalog.e2e.kubectl import KubectlError
from catalog.e2e.stages import StageError, own_cluster, the_users_cluster
from catalog.imaging.errors import ImageError
from catalog.task_tests import Case, Verdict, collect, explain, files, line
from catalog.tree import TREE, Tree
from taskkit.errors import TaskError

SUCCEEDED, INVALID, FAILED, INTERRUPTED = 0, 2, 3, 130


def main(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    try:
        paths = [path for name in options.names for path in places(name, TREE)] or files(TREE)
        tests, problems = collect(paths, TREE)
        tests = [test for test in tests if options.only in {None, test.name}]
        if problems or not tests:
            raise StageError("; ".join(problems) or "there are no tests of that name")
        if options.context:
            stage, end = the_users_cluster(options.context, options.registry, options.keep)
        else:
            stage, end = own_cluster(options.tekton, options.keep)
    except StageError as error:
        print(f"e2e: error: {error}", file=sys.stderr)
        return INVALID
    except (ImageError, TaskError, KubectlError) as error:
        print(f"e2e: error: {error}", file=sys.stderr)
        return FAILED
    try:
        return _judge(_run_all(tests, stage, options.jobs), options.junit)
    except KeyboardInterrupt:
        print("e2e: interrupted", file=sys.stderr)
        return INTERRUPTED
    finally:
        if not options.keep:
            end()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./scripts/e2e", description="The tests of Tasks and Pipelines on real Tekton."
    )
    parser.add_argument("names", nargs="*", metavar="TASK|PIPELINE|FILE", help="just the tests of these")
    parser.add_argument("--only", metavar="NAME", help="just the run of this name")
    parser.add_argument("--tekton", metavar="VERSION", default="", help="of the cluster (default: the newest)")
    parser.add_argument("--context", metavar="NAME", default="", help="an existing cluster of your kubeconfig")
    parser.add_argument("--registry", metavar="PREFIX", default="", help="with --context: where to push the images to")
    parser.add_argument("--keep", action="store_true", help="keep namespaces and cluster, for looking around")
    parser.add_argument("--jobs", type=int, default=3, metavar="N", help="tests at a time (%(default)s)")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write a JUnit report")
    return parser


def places(name: str, tree: Tree) -> list[Path]:
    """The test files of a Task, a Pipeline, a folder or a file. Raises StageError."""
    given = Path(name)
    found = [given] if given.is_file() else sorted(given.rglob("*.yaml")) if given.is_dir() else []
    found = found or [path for path in files(tree) if path.relative_to(tree.root).parts[1] == name]
    if not found:
        names = sorted({path.relative_to(tree.root).parts[1] for path in files(tree)})
        raise StageError(f"there are no tests of '{name}'; there are: {', '.join(names)}")
    return found


def _run_all(tests: Sequence[Case], stage: Stage, jobs: int) -> list[Verdict]:
    """All verdicts in the order of the tests, each printed as it comes."""

    def one(numbered: tuple[int, Case]) -> Verdict:
        number, test = numbered
        began = time.monotonic()
        try:
            verdict = cluster_run.run_test(test, stage, number)
        except KubectlError as error:
            verdict = Verdict(test, (str(error),), "", time.monotonic() - began, "Unknown")
        print(line(verdict), flush=True)
        return verdict

    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        try:
            return list(pool.map(one, enumerate(tests)))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _judge(verdicts: Sequence[Verdict], report: Path | None) -> int:
    failed = [verdict for verdict in verdicts if not verdict.passed]
    for verdict in failed:
        explain(verdict, "./scripts/e2e")
    if report:
        report.write_text(junit.document(verdicts), encoding="utf-8")
    print(f"\n{len(verdicts) - len(failed)} passed, {len(failed)} failed")
    return FAILED if failed else SUCCEEDED
