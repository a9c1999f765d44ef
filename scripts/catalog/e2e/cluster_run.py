"""One test on a cluster: a namespace, the source loaded into its claim, the run, what came of it."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from catalog.e2e import circumstances, objects, observing
from catalog.e2e.kubectl import Kubectl, KubectlError
from catalog.engine import expectations
from catalog.engine.expectations import SOURCE
from catalog.engine.outcomes import RunOutcome
from catalog.rejections import Rejection, judge
from catalog.task_tests import Case, Verdict, exit_code
from catalog.tree import TREE

PATIENCE = 900
"""Seconds for one run; a step was once seen to start 82 s late."""
_STARTING = 300
"""Seconds for a pod to start."""
_SETTLING = 60
"""Seconds for the TaskRuns of a run that has ended."""
_UNPACK = "import sys, tarfile; tarfile.open(fileobj=sys.stdin.buffer, mode='r|').extractall('/claim')"
_LIST = (
    "import json, pathlib; root = pathlib.Path('/claim'); "
    "print(json.dumps([str(path.relative_to(root)) for path in root.rglob('*') if not path.is_dir()]))"
)


@dataclass(frozen=True)
class Stage:
    """Where tests run. ``images`` maps each program to its image by digest, ``stand_ins`` others' images to those that
    this cluster can pull; ``label`` tells this invocation's namespaces from others'."""

    kubectl: Kubectl
    images: Mapping[str, str]
    push_bundle: Callable[[Mapping[str, Any]], str]
    """Pushes one Task as a Tekton bundle and gives its reference as the cluster's resolver reaches it."""
    tekton: str
    label: str
    level: str = "restricted"
    keep: bool = False
    stand_ins: Mapping[str, str] = field(default_factory=dict)

    def with_images(self, document: Any) -> Any:
        return objects.with_images(document, self.images, self.stand_ins)


def run_test(test: Case | Rejection, stage: Stage, number: int) -> Verdict:
    """Runs one test in a namespace of its own and judges it; a cluster that fails is a test that failed."""
    began = time.monotonic()
    kubectl = stage.kubectl.in_namespace(f"{stage.label}-{number}-{test.name}"[:63].rstrip("-"))
    try:
        with _namespace(kubectl, stage):
            try:
                if isinstance(test, Rejection):
                    return _refused(test, stage, kubectl, began)
                return _ran(test, stage, kubectl, began)
            except KubectlError as error:
                log, why = _log(kubectl), circumstances.told(kubectl)
                unmet = (str(error),)
                return Verdict(test, unmet, log, time.monotonic() - began, "Unknown", circumstances=why)
    except KubectlError as error:  # not even a namespace
        return Verdict(test, (str(error),), "", time.monotonic() - began, "Unknown")


def _ran(test: Case, stage: Stage, kubectl: Kubectl, began: float) -> Verdict:
    kind, name = test.plan.kind.lower(), test.name
    document = next(each for each in test.documents.of_kind(*objects.RUNS) if each.name == name)
    identity = objects.Identity.random()
    source = expectations.source_folder(test.plan, TREE)
    kubectl.apply(stage.with_images(objects.before_the_run(document, test.documents, TREE)))
    if source:
        kubectl.apply([objects.claim(document), objects.loader(stage.images[objects.LOADER], identity)])
        kubectl.wait_for("condition=Ready", "pod/loader", _STARTING)
        kubectl("exec", "-i", "loader", "--", "python3", "-c", _UNPACK, stdin=_packed(source))
    bundles = objects.bundled(document, test.documents, TREE)
    params = {name: stage.push_bundle(stage.with_images(task.body)) for name, task in bundles.items()}
    run = objects.the_run(document, test.plan, identity, loaded=source is not None, params=params)
    kubectl.apply([stage.with_images(run)])
    ended = _when_ended(kubectl, kind, name)
    with tempfile.TemporaryDirectory() as seen:
        if source:
            _fetch_names(kubectl, Path(seen))
        outcome = _outcome(kubectl, ended, {SOURCE: Path(seen)} if source else {})
        log = _log(kubectl)
        unmet = tuple(expectations.unmet(expectations.read(test.plan.annotations), outcome, log))
    why = circumstances.told(kubectl) if unmet else ""
    seconds = time.monotonic() - began
    return Verdict(test, unmet, log, seconds, str(outcome.status), exit_code(outcome), outcome, why)


def _refused(test: Rejection, stage: Stage, kubectl: Kubectl, began: float) -> Verdict:
    """Tekton must not take one of the documents, or fail the run at its start."""
    reason, status, outcome = "", "Rejected", None
    others = [document.body for document in test.documents if document is not test.run]
    try:
        kubectl.apply(stage.with_images(others))
        kubectl.apply([stage.with_images(test.run.body)])
    except KubectlError as error:
        complaint = str(error)
    else:
        ended = _when_ended(kubectl, test.run.kind.lower(), test.name)
        outcome = _outcome(kubectl, ended, {})
        status = str(outcome.status)
        reason, complaint = ("", "") if outcome.succeeded else (outcome.reason, outcome.message)
    unmet = tuple(judge(test, complaint, reason))
    why = circumstances.told(kubectl) if unmet else ""
    return Verdict(test, unmet, complaint, time.monotonic() - began, status, None, outcome, why)


@contextmanager
def _namespace(kubectl: Kubectl, stage: Stage) -> Iterator[None]:
    """Created, never taken over: a namespace that is there already is somebody else's."""
    wanted = objects.namespace(kubectl.namespace, stage.level, stage.label)
    kubectl("create", "-f", "-", stdin=json.dumps(wanted).encode())
    try:
        kubectl.wait_for("create", "serviceaccount/default", 60)
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


def _when_ended(kubectl: Kubectl, kind: str, name: str) -> Mapping[str, Any]:
    """The run when it has ended. Raises KubectlError when that takes too long."""
    until = time.monotonic() + PATIENCE
    while not observing.finished(run := kubectl.get(kind, name)):
        kubectl.wait_for("jsonpath={.status.completionTime}", f"{kind}/{name}", max(1, until - time.monotonic()))
    return dict(run)


def _outcome(kubectl: Kubectl, run: Mapping[str, Any], workspaces: Mapping[str, Path]) -> RunOutcome:
    task_runs = _task_runs(kubectl) if run["kind"] == "PipelineRun" else ()
    return observing.outcome(run, task_runs, workspaces)


def _task_runs(kubectl: Kubectl) -> Sequence[Mapping[str, Any]]:
    """When all have ended: a PipelineRun that is cancelled or times out ends before those that it stops."""
    until = time.monotonic() + _SETTLING
    while True:
        found: Sequence[Mapping[str, Any]] = kubectl.get("taskruns")
        if all(map(observing.finished, found)) or time.monotonic() > until:
            return found
        time.sleep(0.5)


def _fetch_names(kubectl: Kubectl, target: Path) -> None:
    """Empty files under the names of those in the claim: expectations ask for names only."""
    for name in json.loads(kubectl("exec", "loader", "--", "python3", "-c", _LIST)):
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _log(kubectl: Kubectl) -> str:
    """What all steps printed, in the order in which the pods were made; earlier attempts included."""
    texts = []
    try:
        task_runs = sorted(kubectl.get("taskruns"), key=lambda each: str(each["metadata"]["creationTimestamp"]))
    except KubectlError as error:
        return f"(no logs: {error})"
    for task_run in task_runs:
        status: Mapping[str, Any] = task_run.get("status") or {}
        for attempt in (*(status.get("retriesStatus") or ()), status):
            for step in attempt.get("steps") or ():
                try:
                    texts.append(kubectl("logs", attempt["podName"], "-c", step["container"]).decode(errors="replace"))
                except (KubectlError, KeyError) as error:
                    texts.append(f"(no log of {task_run['metadata']['name']}: {error})")
    return "\n".join(texts)
