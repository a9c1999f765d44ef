"""One step of a task: from what the YAML says to what runs, and what is recorded of it.

Source: docs/tasks.md#defining-steps, docs/container-contract.md, cmd/entrypoint of tektoncd/pipeline.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from catalog.engine import durations, process, results
from catalog.engine.documents import Documents
from catalog.engine.expansion import expand, expand_env
from catalog.engine.outcomes import StepOutcome
from catalog.engine.process import Cancellation
from catalog.engine.programs import Programs
from catalog.engine.substitution import Replacements, Value, allows
from catalog.engine.workspaces import WorkspaceError, contents

_MERGED_BY = {"env": "name", "volumeMounts": "mountPath"}
_LONGEST_ARGUMENT = 32 * 4096 - 1
"""Bytes: MAX_ARG_STRLEN of execve(2) without the byte that ends it."""


class StepError(ValueError):
    """The step cannot be run here."""


def step_name(step: Mapping[str, Any], index: int) -> str:
    """The step's container name without ``step-``; unnamed ones are numbered (pkg/pod.StepName)."""
    return str(step.get("name") or f"unnamed-{index}")


def merged(steps: Iterable[Mapping[str, Any]], template: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The steps on top of the stepTemplate (docs/tasks.md#specifying-a-step-template).

    Lists without a merge key (``command``, ``args``) are replaced, ``env`` is merged by name. A strategic merge puts
    a step's own new variables *before* the template's, so that ``$(VAR)`` of the template is unknown to them.
    """
    return [_merged(step, template or {}) for step in steps]


def _merged(step: Mapping[str, Any], template: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(template)
    for key, value in step.items():
        if isinstance(value, list) and not value and key in {"command", "args"}:
            continue
        result[key] = _merged_list(value, template.get(key) or [], _MERGED_BY[key]) if key in _MERGED_BY else value
    return result


def _merged_list(own: list[dict[str, Any]], template: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Strategic merge of two lists of maps (mergeSortedSlice in apimachinery's strategicpatch)."""
    places = {item[key]: place for place, item in enumerate(template)}
    mine = [{**(template[places[item[key]]] if item[key] in places else {}), **item} for item in own]
    names = {item[key] for item in own}
    others = [item for item in template if item[key] not in names]
    result: list[dict[str, Any]] = []
    while mine and others:
        place = places.get(mine[0][key])
        result.append(others.pop(0) if place is not None and places[others[0][key]] < place else mine.pop(0))
    return result + mine + others


@dataclass(frozen=True)
class Room:
    """The folders of one attempt of one TaskRun: what Tekton has below ``/tekton``, and scratch space."""

    root: Path

    @property
    def results(self) -> Path:
        return self.root / "results"

    def step(self, name: str) -> Path:
        return self.root / "steps" / name

    def step_results(self, name: str) -> Path:
        return self.step(name) / "results"

    def exit_code(self, name: str) -> Path:
        return self.step(name) / "exitCode"

    def make(self, steps: Iterable[str]) -> None:
        self.results.mkdir(parents=True)
        for name in steps:
            self.step_results(name).mkdir(parents=True)


@dataclass(frozen=True)
class Surroundings:
    """What all steps of a TaskRun share."""

    room: Room
    programs: Programs
    documents: Documents
    declared_results: tuple[str, ...]
    cancellation: Cancellation
    on_line: Callable[[str, str], None]
    """Is called with the name of the step and a line of its output."""
    default_env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Command:
    """A step ready to run."""

    argv: list[str]
    env: dict[str, str]
    cwd: Path


def prepare(step: Mapping[str, Any], name: str, around: Surroundings, earlier: Mapping[str, Value]) -> Command:
    """The command of a merged step whose variables are replaced, but for results of ``earlier`` steps.

    Raises StepError, ProgramError and WorkspaceError.
    """
    scratch = around.room.step(name)
    temporary = _temporary(step, scratch, around.room)
    home = scratch / "home"
    for folder in (temporary, home):
        folder.mkdir(parents=True, exist_ok=True)
    own = expand_env(_env(step, around.documents), _env_from(step, around.documents))
    argv = _argv(step, name, scratch, own)
    late = Replacements(earlier)
    own = {key: late.text(value) for key, value in own.items()}
    if own.get("HOME") == "/tmp":  # noqa: S108 - a container's own, which is this step's private folder here
        own["HOME"] = str(temporary)
    basis = around.programs.environment(str(step.get("image") or ""))
    env = {**basis, **around.default_env, "HOME": str(home), "TMPDIR": str(temporary), **own}
    return Command(late.items(argv), env, _working_dir(step, scratch))


def _temporary(step: Mapping[str, Any], scratch: Path, room: Room) -> Path:
    """The step's own folder for temporary files, or the volume that it mounts at /tmp, which steps may share."""
    volumes = [mount["name"] for mount in step.get("volumeMounts") or () if mount["mountPath"].rstrip("/") == "/tmp"]  # noqa: S108
    return room.root / "volumes" / volumes[0] if volumes else scratch / "tmp"


def _argv(step: Mapping[str, Any], name: str, scratch: Path, env: Mapping[str, str]) -> list[str]:
    args = [expand(text, env) for text in step.get("args") or ()]
    if script := step.get("script"):
        return [str(_write_script(scratch / "script", str(script))), *args]
    command = [expand(text, env) for text in step.get("command") or ()]
    if not command:
        raise StepError(
            f"step {name} has neither command nor script; what its image {step.get('image')} would run by itself "
            "is not known without pulling it, so give the step a command"
        )
    return [*command, *args]


def _write_script(path: Path, text: str) -> Path:
    """The script as a file. Without a shebang it gets Tekton's: ``/bin/sh`` and ``set -e`` (docs/tasks.md).

    A shebang after blanks counts as one for Tekton, but not for the kernel: such a script cannot be executed.
    """
    if not text.strip().startswith("#!"):
        text = f"#!/bin/sh\nset -e\n{text}"
    process.write_executable(path, text)
    return path


def _working_dir(step: Mapping[str, Any], scratch: Path) -> Path:
    wanted = step.get("workingDir")
    if not wanted:
        empty = scratch / "cwd"
        empty.mkdir(exist_ok=True)
        return empty
    if not os.path.isabs(wanted):
        raise StepError(
            f"workingDir {wanted} is relative, which never starts on a cluster; begin it with $(workspaces.<name>.path)"
        )
    if not os.path.isdir(wanted):
        # Kubernetes would create it anywhere; on this machine only below what belongs to the run.
        raise StepError(f"workingDir {wanted} does not exist; create it in an earlier step or in the workspace")
    return Path(wanted)


def _env(step: Mapping[str, Any], documents: Documents) -> list[tuple[str, str]]:
    found = []
    for variable in step.get("env") or ():
        source = variable.get("valueFrom")
        value = _value_from(variable["name"], source, documents) if source else str(variable.get("value") or "")
        if value is not None:
            found.append((variable["name"], value))
    return found


def _value_from(name: str, source: Mapping[str, Any], documents: Documents) -> str | None:
    for field_name, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if (wanted := source.get(field_name)) is not None:
            document = documents.find(kind, wanted.get("name") or "")
            found = contents(document) if document else {}
            if wanted["key"] in found:
                return found[wanted["key"]].decode("utf-8", errors="replace")
            if wanted.get("optional"):
                return None
            raise WorkspaceError(
                f"env {name}: {kind} {wanted.get('name')} with key {wanted['key']} is not among the documents given"
            )
    raise StepError(f"env {name}: valueFrom {', '.join(source)} needs a cluster; give a value")


def _env_from(step: Mapping[str, Any], documents: Documents) -> dict[str, str]:
    found: dict[str, str] = {}
    for source in step.get("envFrom") or ():
        for field_name, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if (wanted := source.get(field_name)) is None:
                continue
            document = documents.find(kind, wanted.get("name") or "")
            if document is None and not wanted.get("optional"):
                raise WorkspaceError(f"envFrom: {kind} {wanted.get('name')} is not among the documents given")
            if document is not None:
                prefix = source.get("prefix") or ""
                found |= {prefix + key: value.decode("utf-8", "replace") for key, value in contents(document).items()}
    return found


def run(step: Mapping[str, Any], name: str, around: Surroundings, earlier: Mapping[str, Value]) -> StepOutcome:
    """Runs one step and reads its results; faults of the step become outcomes.

    Raises ProgramError, StepError and WorkspaceError where the fault lies in the YAML or on this machine.
    """
    late = Replacements(earlier)
    if step.get("when") and not allows(late.when(step["when"])):
        around.room.exit_code(name).write_text("0")
        return StepOutcome(name, 0, "Skipped", "when expressions evaluated to false")
    command = prepare(step, name, around, earlier)
    timeout = durations.seconds(step["timeout"]) if step.get("timeout") else None
    try:
        ended = process.run(
            command.argv,
            cwd=command.cwd,
            env=command.env,
            on_line=lambda line: around.on_line(name, line),
            cancellation=around.cancellation,
            timeout=timeout or None,
        )
    except OSError as error:
        # onError does not cover this: the entrypoint itself ends with 1 (observed; docs/tasks.md#onerror).
        message = _not_started(step, command, error)
        return _with_results(step, around, StepOutcome(name, 1, "Error", message, stops=True))
    return _with_results(step, around, _recorded(step, name, ended, around))


def _not_started(step: Mapping[str, Any], command: Command, error: OSError) -> str:
    what = "its script" if step.get("script") else command.argv[0]
    why = {"FileNotFoundError": "not found", "PermissionError": "not executable"}.get(type(error).__name__)
    if why is None:
        why = "exec format error" if error.errno == errno.ENOEXEC else (error.strerror or str(error))
    if error.errno == errno.E2BIG and (long := _longest(command.argv)):
        why = (f"an argument is longer than the {_LONGEST_ARGUMENT} bytes that Linux takes in one ({long}); "
               "put the value into a file of a workspace and pass its path")  # fmt: skip
    if step.get("script") and why == "not found":
        why = "the interpreter of its first line was not found"
    return f"could not be started: {what}: {why}"


def _longest(argv: Sequence[str]) -> str:
    """The beginning and size of an argument that is too long; nothing where all of them together are."""
    size, text = max((len(os.fsencode(text)), text) for text in argv)
    return f"{text[:40]!r}… of {size}" if size > _LONGEST_ARGUMENT else ""


def _recorded(step: Mapping[str, Any], name: str, ended: process.Ended, around: Surroundings) -> StepOutcome:
    if ended.why == "timeout":
        message = f"exceeded the step's timeout of {step['timeout']}"
        return StepOutcome(name, 1, "TimeoutExceeded", message, ended.seconds, stops=True)
    if ended.why == "cancelled":
        return StepOutcome(name, 1, "Cancelled", around.cancellation.reason, ended.seconds, stops=True)
    if ended.code == 0:
        around.room.exit_code(name).write_text("0")
        return StepOutcome(name, 0, "Completed", "", ended.seconds)
    message = f"was killed by {ended.signal}" if ended.signal else f"exited with code {ended.code}"
    if step.get("onError") == "continue":
        # Go's ExitCode() of a process that a signal ended is -1, and so is what Tekton records.
        code = -1 if ended.signal else ended.code
        around.room.exit_code(name).write_text(str(code))
        return StepOutcome(name, code, "Continued", message, ended.seconds)
    return StepOutcome(name, 255 if ended.signal else ended.code, "Error", message, ended.seconds, stops=True)


def _with_results(step: Mapping[str, Any], around: Surroundings, outcome: StepOutcome) -> StepOutcome:
    declared = step.get("results") or []
    texts = results.written(around.room.step_results(outcome.name), [result["name"] for result in declared])
    of_task = results.written(around.room.results, around.declared_results)
    size = results.message_size(of_task, texts)
    if size > results.LIMIT:
        message = (
            f"its results take {size} bytes with the JSON around them, more than the {results.LIMIT} that Tekton "
            "carries; write large ones to a workspace"
        )
        return replace(outcome, exit_code=1, ended="Error", message=message)
    values, problems = results.parse_all(declared, texts)
    if problems:
        message = "; ".join(problems)
        return replace(outcome, exit_code=1, ended="Error", message=message, stops=True, carried=of_task)
    return replace(outcome, results=values, carried=of_task)
