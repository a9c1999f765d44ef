"""One test on a cluster: a namespace, the source loaded into its claim, the run, what came of it."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.e2e import objects, observing
from catalog.e2e.kubectl import Kubectl, KubectlError
from catalog.engine import expectations
from catalog.engine.expectations import SOURCE
from catalog.engine.outcomes import RunOutcome
from catalog.task_tests import Case, Verdict
from catalog.tree import TREE

PATIENCE = 900
"""Seconds for one run; a step was once seen to start 82 s late."""
_EVENTS = 12
LOADER = "metric-gate"
"""The program whose image the loader runs: the smallest one, and it has Python."""
_UNPACK = "import sys, tarfile; tarfile.open(fileobj=sys.stdin.buffer, mode='r|').extractall('/claim')"
_LIST = (
    "import json, pathlib; root = pathlib.Path('/claim'); "
    "print(json.dumps([str(path.relative_to(root)) for path in root.rglob('*') if not path.is_dir()]))"
)


@dataclass(frozen=True)
class Stage:
    """Where tests run. ``images`` maps each program to its image by digest."""

    kubectl: Kubectl
    images: Mapping[str, str]
    push_bundle: Callable[[Mapping[str, Any]], str]
    """Pushes one Task as a Tekton bundle and gives its reference as the cluster's resolver reaches it."""
    level: str = "restricted"
    keep: bool = False


def run_test(test: Case, stage: Stage, number: int) -> Verdict:
    """Runs one test in a namespace of its own and judges it. Raises KubectlError where the cluster fails."""
    began = time.monotonic()
    kubectl = stage.kubectl.in_namespace(f"e2e-{number}-{test.name}"[:63].rstrip("-"))
    with _namespace(kubectl, stage), tempfile.TemporaryDirectory() as seen:
        document = next(each for each in test.documents.of_kind(*objects.RUNS) if each.name == test.name)
        identity = objects.Identity.random()
        source = expectations.source_folder(test.plan, TREE)
        kubectl.apply(objects.before_the_run(document, test.documents, TREE, stage.images))
        if source:
            kubectl.apply([objects.claim(document), objects.loader(stage.images[LOADER], identity)])
            kubectl("wait", "--for=condition=Ready", "pod/loader", "--timeout=300s", seconds=310)
            kubectl("exec", "-i", "loader", "--", "python3", "-c", _UNPACK, stdin=_packed(source))
        bundles = objects.bundled(document, test.documents, TREE)
        params = {
            name: stage.push_bundle(objects.with_images(task.body, stage.images)) for name, task in bundles.items()
        }
        run = objects.the_run(document, test.plan, stage.images, identity, loaded=source is not None, params=params)
        kubectl.apply([run])
        _wait(kubectl, test)
        if source:
            _fetch_names(kubectl, Path(seen))
        outcome = _outcome(kubectl, test, {SOURCE: Path(seen)} if source else {})
        log = _log(kubectl)
        unmet = tuple(expectations.unmet(expectations.read(test.plan.annotations), outcome, log))
        if unmet:
            log += _for_a_person(kubectl, outcome)
        codes = [task.exit_code for task in outcome.tasks if task.failed]
        return Verdict(test, unmet, log, time.monotonic() - began, str(outcome.status), codes[0] if codes else None)


@contextmanager
def _namespace(kubectl: Kubectl, stage: Stage) -> Iterator[None]:
    kubectl.apply([objects.namespace(kubectl.namespace, stage.level)])
    try:
        until = time.monotonic() + 60
        while not kubectl("get", "serviceaccount", "default", "--ignore-not-found") and time.monotonic() < until:
            time.sleep(0.2)
        yield
    finally:
        if not stage.keep:
            kubectl("delete", "namespace", kubectl.namespace, "--wait=false")


def _packed(source: Path) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path in sorted(source.rglob("*")):
            if "__pycache__" not in path.parts:
                archive.add(path, arcname=str(path.relative_to(source)), recursive=False, filter=_nobodys)
    return packed.getvalue()


def _nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode |= 0o060
    return entry


def _wait(kubectl: Kubectl, test: Case) -> None:
    until = time.monotonic() + PATIENCE
    while not observing.finished(kubectl.get(test.plan.kind.lower(), test.name)):
        if time.monotonic() > until:
            raise KubectlError(
                f"{test.plan.kind} {test.name} did not end within {PATIENCE} s{_for_a_person(kubectl, None)}"
            )
        time.sleep(1)


def _outcome(kubectl: Kubectl, test: Case, workspaces: Mapping[str, Path]) -> RunOutcome:
    task_runs = kubectl.get("taskruns") if test.plan.kind == "PipelineRun" else ()
    return observing.outcome(kubectl.get(test.plan.kind.lower(), test.name), task_runs, workspaces)


def _fetch_names(kubectl: Kubectl, target: Path) -> None:
    """Empty files under the names of those in the claim: expectations ask for names only."""
    for name in json.loads(kubectl("exec", "loader", "--", "python3", "-c", _LIST)):
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _log(kubectl: Kubectl) -> str:
    """What all steps printed, in the order in which the pods were made."""
    texts = []
    for task_run in sorted(kubectl.get("taskruns"), key=lambda each: str(each["metadata"]["creationTimestamp"])):
        status: Mapping[str, Any] = task_run.get("status") or {}
        for step in status.get("steps") or ():
            try:
                texts.append(kubectl("logs", status["podName"], "-c", step["container"]).decode(errors="replace"))
            except (KubectlError, KeyError) as error:
                texts.append(f"(no log of {task_run['metadata']['name']}: {error})")
    return "\n".join(texts)


def _for_a_person(kubectl: Kubectl, outcome: RunOutcome | None) -> str:
    """Conditions and events, for the one who has to find out why."""
    lines = [f"\ncondition: {outcome.reason}: {outcome.message}"] if outcome else []
    tasks = outcome.tasks if outcome else ()
    lines += [f"task {task.name}: {task.status} {task.reason}: {task.message}" for task in tasks]
    events = kubectl("get", "events", "--sort-by=.lastTimestamp").decode(errors="replace").splitlines()
    return "\n".join([*lines, "events:", *(f"  {event}" for event in events[-_EVENTS:])])
