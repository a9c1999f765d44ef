"""Whether a document uses what the oldest Tekton that it allows does not have.

Source: the types, flags and CRDs in the tags of https://github.com/tektoncd/pipeline.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from catalog.engine.documents import FieldPath
from catalog.rules.metadata import MIN_VERSION
from catalog.rules.subject import Subject

_OF_STEPS = {
    "ref": "1.0.0",
    "results": "1.0.0",
    "when": "1.0.0",
    "displayName": "1.6.0",
}
_OF_TASKS = {"onError": "0.62.0"}
_V1 = "0.43.0"


def check(subject: Subject) -> None:
    written = subject.annotations.text(MIN_VERSION)
    if subject.place is None or not re.fullmatch(r"\d+\.\d+\.\d+", written):
        return
    late = sorted(
        (found for found in _used(subject) if _numbers(found[2]) > _numbers(written)), key=lambda one: _numbers(one[2])
    )
    if late:
        where, what, needed = late[-1]
        line = subject.document.position(where).line
        message = f"it asks for Tekton {written}, but {what} (line {line}) needs {needed}"
        subject.say("min-version-low", subject.annotations.at(MIN_VERSION), message, f'write "{needed}" or do without')


def _used(subject: Subject) -> Iterator[tuple[FieldPath, str, str]]:
    """Fields that came late: where, what, and the release that has them without a flag."""
    if subject.document.api_version == "tekton.dev/v1":
        yield ("apiVersion",), "tekton.dev/v1", _V1
    for spec in subject.task_specs:
        for step in spec.parts("steps"):
            yield from (
                (step.at(key), f"{key!r} of a step", needed) for key, needed in _OF_STEPS.items() if key in step
            )
    for task in subject.pipeline_tasks:
        yield from ((task.at(key), f"{key!r} of a task", needed) for key, needed in _OF_TASKS.items() if key in task)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
