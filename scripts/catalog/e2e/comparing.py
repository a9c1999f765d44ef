"""The page that shows every test on the local engine and on a cluster."""

from __future__ import annotations

from collections.abc import Sequence

from catalog import task_tests
from catalog.differential import Compared, messages, row, table
from catalog.e2e.progress import run_all
from catalog.engine.running import default_jobs
from catalog.rejections import Rejection
from catalog.task_tests import Verdict
from catalog.tree import TREE

_HEAD = """\
# The local engine and Tekton, side by side

Made by `./scripts/e2e --compare FILE`: every test of the Tasks and Pipelines and every case of `test/conformance`, run
by the local engine and by Tekton {tekton}. {agreeing} of {all} runs come out the same.

Compared are status, reason and results of the run, and of each of its tasks status, reason, exit code, attempts and
results. Digests and paths are masked: what different Pythons made differs. Reasons are those of Tekton {tekton}; older
versions [name some differently](tekton-versions.md).
"""
_FOUND = """
## What the cluster found

What the local engine did otherwise before the same runs were compared, and does like Tekton now:

- results that are too large together are lost, and the steps after that one still run;
- an object result that lacks a key fails the TaskRun and is there for others all the same;
- once a failure stops a run, every skipped task is told to have been skipped for that, whatever the reason was before;
- a `finally` task that asks for a result nobody wrote is neither started nor skipped: the run ends by its timeout;
- steps of parallel tasks must start although others' scripts are being written at that moment.
"""
_MESSAGES = """
## What is said of what failed

The local engine's words are its own; they are not compared.
"""
_REFUSED = """
## What is refused

The local engine refuses before anything runs. Where Tekton takes a document and fails the run at its start, its reason
stands before its words.
"""


def page(verdicts: Sequence[Verdict], tekton: str) -> str:
    """Markdown. Runs the tests of these verdicts of a cluster on the local engine."""
    print("the same tests on the local engine", flush=True)
    local = run_all([verdict.test for verdict in verdicts], lambda test, _: _local(test), default_jobs())
    pairs = sorted(zip(local, verdicts, strict=True), key=lambda pair: pair[0].test.name)
    compared = [
        Compared(here.test.name, here.outcome, there.outcome)
        for here, there in pairs
        if not isinstance(here.test, Rejection) and here.outcome and there.outcome
    ]
    refused = [(here, there) for here, there in pairs if isinstance(here.test, Rejection)]
    agreeing = sum(not one.differences for one in compared)
    text = _HEAD.format(tekton=tekton, agreeing=agreeing, all=len(compared))
    text += f"{_FOUND}\n## Every run\n\n{table(compared)}{_MESSAGES}\n{messages(compared)}"
    if refused:
        lines = ["| document | here | by Tekton |", "|---|---|---|"]
        lines += [row(here.test.name, _words(here), _words(there)) for here, there in refused]
        text += f"{_REFUSED}\n" + "\n".join(lines) + "\n"
    return text


def _local(test: task_tests.Case | Rejection) -> Verdict:
    return task_tests.refuse(test) if isinstance(test, Rejection) else task_tests.run(test)


def _words(verdict: Verdict) -> str:
    """What refused a document, with paths from the root of the tree."""
    reason = f"{verdict.outcome.reason}: " if verdict.outcome else ""
    return reason + (verdict.log.replace(f"{TREE.root}/", "") or "taken")
