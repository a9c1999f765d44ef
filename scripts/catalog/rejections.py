"""Tests of what must be refused: runs with ``test/expect-rejected`` (:mod:`catalog.engine.expectations`).

The local engine refuses them before anything runs. A harness for clusters applies ``rejection.documents`` and judges
what the API server says with :func:`judge`; where the expectations name a reason, the server accepts the run, and it
ends at once with that reason.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from catalog.engine import expectations
from catalog.engine.documents import Document, Documents
from catalog.engine.expectations import PREFIX, ExpectationError, Expectations
from catalog.engine.planning import PlanError
from catalog.engine.requests import RUNS, Request, prepare
from catalog.tree import Tree

_ANNOTATION = f"{PREFIX}expect-rejected"


@dataclass(frozen=True)
class Rejection:
    """One run that must be refused, with the documents of its file."""

    run: Document
    documents: Documents
    expected: Expectations

    @property
    def name(self) -> str:
        return self.run.name

    @property
    def path(self) -> Path:
        return self.run.path

    @property
    def at_start(self) -> bool:
        """Whether Tekton accepts the document, and fails the run at its start for the expected reason."""
        return bool(self.expected.reason)


def of_file(path: Path) -> list[Rejection]:
    """The runs of a file that must be refused. Raises PlanError where their annotations cannot be understood."""
    documents, _ = Documents.load([path])
    found = []
    for run in documents.of_kind(*RUNS):
        annotations = _annotations(run)
        if _ANNOTATION in annotations:
            try:
                found.append(Rejection(run, documents, expectations.read(annotations)))
            except ExpectationError as error:
                raise PlanError([f"{path}: {run.name}: {error}"]) from None
    return found


def _annotations(run: Document) -> dict[str, str]:
    metadata = run.body.get("metadata")
    found = metadata.get("annotations") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


def collect(paths: Iterable[Path]) -> tuple[list[Rejection], list[str]]:
    """All runs in the files that must be refused, and annotations that cannot be understood."""
    found: list[Rejection] = []
    problems: list[str] = []
    for path in paths:
        try:
            found += of_file(path)
        except PlanError as error:
            problems += error.problems
    return found, problems


def judge(rejection: Rejection, complaint: str, reason: str = "") -> list[str]:
    """What was not kept, one line each. ``complaint``: what refused the document or made the run fail, empty when
    nothing did; ``reason``: the run's, when it was accepted."""
    wrong = expectations.unmet_rejection(rejection.expected, complaint)
    if reason and reason != rejection.expected.reason:
        wanted = rejection.expected.reason or "that it is not accepted at all"
        wrong.append(f"expected {wanted}, got a run that failed with the reason {reason}")
    return wrong


def run(rejection: Rejection, tree: Tree) -> tuple[list[str], str, float]:
    """Asks the local engine: what was not kept, its complaint, and the seconds it took."""
    began = time.monotonic()
    complaint = ""
    try:
        prepare(Request([rejection.path], only=rejection.name, tree=tree))
    except PlanError as error:
        complaint = "\n".join(error.problems)
    return judge(rejection, complaint), complaint, time.monotonic() - began
