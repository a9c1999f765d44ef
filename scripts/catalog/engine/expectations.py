r"""What a test expects of a run, written as annotations on the TaskRun or PipelineRun itself.

The local engine and the harness for real clusters read the same ones; the run stays an ordinary document.

======================== ===============================================================================================
``test/source``          a folder, relative to the YAML file or else to the root of the tree. Its content is copied into
                         the workspace ``source`` before the run, which must be bound to a claim.
``test/expect-status``   ``Succeeded`` (the default) or ``Failed``
``test/expect-reason``   the run's reason: ``Completed``, ``StepFailed``, ``PipelineRunTimeout``, …
``test/expect-exit-code`` the exit code of the failed step: ``"3"``; for a certain task ``"gate=10"``, several by commas
``test/expect-message``  regular expressions, one a line, each of which must be found in what the steps printed or in a
                         task's message; alternatives are written with ``|``
``test/expect-no-message`` the same, none of which may be found
``test/expect-results``  YAML, ``name: regular expression``; the whole value must match, arrays and objects as JSON. The
                         results are the run's; ``task.name`` is the result ``name`` of the task ``task``.
``test/expect-skipped``  names of the tasks that must have been skipped, by commas, and no other may be
``test/expect-files``    paths, one a line, that must exist in the workspace ``source`` afterwards; ``*`` and ``?`` work
``test/expect-no-files`` paths that must not
``test/expect-rejected`` the document must be refused: regular expressions, one a line, each of which must be found in
                         the complaint. The local engine's words and those of Tekton's webhook differ: write ``|``
                         between them. With ``test/expect-reason`` Tekton takes the document and fails the run at its
                         start for that reason, which the local engine sees beforehand. No other expectation makes sense
                         beside it, and the file holds no other run (:mod:`catalog.rejections`).
``test/needs-tekton``    ``v1.12.1``: older versions of Tekton do otherwise, so the test is not run on them
======================== ===============================================================================================

Example::

    metadata:
      name: worse-than-baseline
      annotations:
        test/source: test/projects/iris
        test/expect-status: Failed
        test/expect-exit-code: "10"
        test/expect-message: |
          accuracy .* worse
          gate: fail
        test/expect-files: gate/report.json
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from catalog.engine.outcomes import RunOutcome, Status
from catalog.engine.planning import Plan, PlanError
from catalog.engine.substitution import Value
from catalog.engine.workspaces import FOLDER
from catalog.tree import Tree

PREFIX = "test/"
SOURCE = "source"
_KNOWN = {
    "source",
    "expect-status",
    "expect-reason",
    "expect-exit-code",
    "expect-message",
    "expect-no-message",
    "expect-results",
    "expect-skipped",
    "expect-files",
    "expect-no-files",
    "expect-rejected",
    "needs-tekton",
}


class ExpectationError(ValueError):
    """An annotation cannot be understood."""


@dataclass(frozen=True)
class Expectations:
    """The annotations, read. ``exit_codes`` has the key "" for whichever task failed."""

    source: str = ""
    status: str = "Succeeded"
    reason: str = ""
    exit_codes: Mapping[str, int] = field(default_factory=dict)
    messages: tuple[str, ...] = ()
    no_messages: tuple[str, ...] = ()
    results: Mapping[str, str] = field(default_factory=dict)
    skipped: frozenset[str] | None = None
    files: tuple[str, ...] = ()
    no_files: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    needs_tekton: str = ""


def read(annotations: Mapping[str, str]) -> Expectations:
    """The expectations of a run. Raises ExpectationError naming the annotation."""
    given = {key.removeprefix(PREFIX): text for key, text in annotations.items() if key.startswith(PREFIX)}
    if unknown := sorted(given.keys() - _KNOWN):
        known = ", ".join(PREFIX + key for key in sorted(_KNOWN))
        raise ExpectationError(f"annotation {PREFIX}{unknown[0]} is not known; there are {known}")
    status = given.get("expect-status", "Succeeded")
    if status not in {"Succeeded", "Failed"}:
        raise ExpectationError(f"annotation {PREFIX}expect-status: {status!r} is neither Succeeded nor Failed")
    needed = given.get("needs-tekton", "")
    if needed and not re.fullmatch(r"v\d+\.\d+\.\d+", needed):
        raise ExpectationError(f"annotation {PREFIX}needs-tekton: {needed!r} is no version like v1.12.1")
    skipped = given.get("expect-skipped")
    return Expectations(
        source=given.get("source", ""),
        status=status,
        reason=given.get("expect-reason", ""),
        exit_codes=_exit_codes(given.get("expect-exit-code", "")),
        messages=tuple(_pattern("expect-message", line) for line in _lines(given.get("expect-message", ""))),
        no_messages=tuple(_pattern("expect-no-message", line) for line in _lines(given.get("expect-no-message", ""))),
        results=_results(given.get("expect-results", "")),
        skipped=None if skipped is None else frozenset(_items(skipped)),
        files=tuple(_lines(given.get("expect-files", ""))),
        no_files=tuple(_lines(given.get("expect-no-files", ""))),
        rejected=tuple(_pattern("expect-rejected", line) for line in _lines(given.get("expect-rejected", ""))),
        needs_tekton=needed,
    )


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.replace("\n", ",").split(",") if item.strip()]


def _exit_codes(text: str) -> dict[str, int]:
    found = {}
    for item in _items(text):
        task, _, code = item.rpartition("=")
        if not code.strip().isdigit():
            raise ExpectationError(f"annotation {PREFIX}expect-exit-code: write {item!r} as 3 or as task=3")
        found[task.strip()] = int(code)
    return found


def _pattern(annotation: str, text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ExpectationError(f"annotation {PREFIX}{annotation}: {text!r} is no regular expression: {error}") from None
    return text


def _results(text: str) -> dict[str, str]:
    try:
        found = yaml.load(text, Loader=yaml.BaseLoader) if text.strip() else {}  # noqa: S506 - strings only
    except yaml.YAMLError as error:
        raise ExpectationError(f"annotation {PREFIX}expect-results is no YAML: {error}") from None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ExpectationError(f"annotation {PREFIX}expect-results: write one line 'name: expression' for each result")
    return {name: _pattern("expect-results", value) for name, value in found.items()}


def source_folder(plan: Plan, tree: Tree) -> Path | None:
    """The folder to copy into the workspace ``source``; None without the annotation or with ``--workspace source=…``.

    Raises PlanError where the folder or a claim to copy it into is missing, or an annotation is wrong.
    """
    try:
        source = read(plan.annotations).source
    except ExpectationError as error:
        raise PlanError([f"{plan.path}: {plan.name}: {error}"]) from None
    binding = plan.bindings.get(SOURCE)
    if not source or (binding and FOLDER in binding):
        return None
    if not binding or "persistentVolumeClaim" not in binding:
        wanted = f"a workspace {SOURCE} that is bound to a volumeClaimTemplate or persistentVolumeClaim"
        raise PlanError([f"{plan.path}: {plan.name}: {PREFIX}source needs {wanted}"])
    for base in (plan.path.parent, tree.root):
        if (base / source).is_dir():
            return base / source
    raise PlanError(
        [f"{plan.path}: {plan.name}: {PREFIX}source: {source} is no folder beside {plan.path} nor below {tree.root}"]
    )


def unmet_rejection(expected: Expectations, complaint: str) -> list[str]:
    """What a refusal did not keep of the expectations; ``complaint`` is empty when nothing was refused."""
    if not complaint:
        return ["expected the document to be refused, but it was accepted"]
    return [
        f"the complaint does not match {pattern!r}: {complaint}"
        for pattern in expected.rejected
        if not re.search(pattern, complaint, re.MULTILINE)
    ]


def unmet(expected: Expectations, outcome: RunOutcome, log: str) -> list[str]:
    """What a run did not keep of the expectations, one line each; empty when the test passes."""
    return [
        *_status(expected, outcome),
        *_codes(expected, outcome),
        *_messages(expected, outcome, log),
        *_result_values(expected, outcome),
        *_skips(expected, outcome),
        *_files(expected, outcome),
    ]


def _status(expected: Expectations, outcome: RunOutcome) -> Iterator[str]:
    if outcome.status != expected.status:
        why = f": {outcome.message}" if outcome.status is not Status.SUCCEEDED else ""
        yield f"expected status {expected.status}, got {outcome.status} ({outcome.reason}){why}"
    if expected.reason and outcome.reason != expected.reason:
        yield f"expected reason {expected.reason}, got {outcome.reason}"


def _codes(expected: Expectations, outcome: RunOutcome) -> Iterator[str]:
    codes = {name: task.exit_code for name, task in outcome.every().items()}
    failed = [task.exit_code for task in outcome.tasks if task.failed]
    for name, code in expected.exit_codes.items():
        if name and name not in codes:
            yield f"expected exit code {code} of task {name}, but there is no such task"
        elif name and codes[name] != code:
            yield f"expected exit code {code} of task {name}, got {codes[name]}"
        elif not name and code not in (failed or [0]):
            yield f"expected exit code {code}, got {', '.join(map(str, failed)) or 'no failure'}"


def _messages(expected: Expectations, outcome: RunOutcome, log: str) -> Iterator[str]:
    text = "\n".join([log, *(task.message for task in outcome.tasks), outcome.message])
    for pattern in expected.messages:
        if not re.search(pattern, text, re.MULTILINE):
            yield f"nothing that was printed matches {pattern!r}"
    for pattern in expected.no_messages:
        if found := re.search(pattern, text, re.MULTILINE):
            yield f"nothing that was printed should match {pattern!r}, but there is {found[0]!r}"


def _result_values(expected: Expectations, outcome: RunOutcome) -> Iterator[str]:
    values: dict[str, Value] = {
        f"{name}.{result}": value for name, task in outcome.every().items() for result, value in task.results.items()
    }
    values |= outcome.results
    for name, pattern in expected.results.items():
        if name not in values:
            yield f"expected a result {name}; there are {', '.join(values) or 'none'}"
            continue
        value = values[name]
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if not re.fullmatch(pattern, text, re.DOTALL):
            yield f"expected result {name} to match {pattern!r}, got {text!r}"


def _skips(expected: Expectations, outcome: RunOutcome) -> Iterator[str]:
    if expected.skipped is None:
        return
    skipped = {task.name for task in outcome.tasks if task.status is Status.SKIPPED}
    if skipped != expected.skipped:
        wanted, got = (", ".join(sorted(names)) or "none" for names in (expected.skipped, skipped))
        yield f"expected skipped tasks {wanted}; got {got}"


def _files(expected: Expectations, outcome: RunOutcome) -> Iterator[str]:
    folder = outcome.workspaces.get(SOURCE)
    for pattern in (*expected.files, *expected.no_files):
        found = sorted(folder.glob(pattern)) if folder else []
        if not found and pattern in expected.files:
            yield f"expected the file {pattern} in the workspace {SOURCE}, which is not there"
        elif found and pattern in expected.no_files:
            yield f"expected no file {pattern} in the workspace {SOURCE}, but there is {found[0].name}"
