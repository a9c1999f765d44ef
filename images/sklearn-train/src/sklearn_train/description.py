"""Has the model described and proved by the process of examination.py, and says what came of it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from sklearn_train import prover
from sklearn_train.cgroup import memory_group
from sklearn_train.documents import Description, ExamineRequest, Proof, read_document, write_document
from sklearn_train.request import Request
from sklearn_train.script_environment import THREAD_VARIABLES
from sklearn_train.supervised_process import Ended, SupervisedProcess, Watch
from taskkit.command_line import say
from taskkit.errors import TaskError
from taskkit.model_directory import ONNX
from taskkit.model_manifest import Onnx


@dataclass(frozen=True)
class Material:
    """Absolute paths. ``target`` is the new model directory; ``private`` the run's own folder."""

    request: Request
    model_file: Path
    shown_model: str
    private: Path
    target: Path
    overlay: Path | None
    input_example: Path | None


@dataclass(frozen=True)
class Described:
    description: Description
    proof: Proof


class _ProcessTrace(Exception):  # noqa: N818 - a traceback from elsewhere, seen with --debug
    """What another process wrote on stderr."""


def describe(material: Material) -> Described:
    """Raises TaskError where the model can't be used."""
    empty = material.private / "empty"
    empty.mkdir()
    request, description, proof = (
        material.private / name for name in ("examine.json", "description.json", "proof.json")
    )
    write_document(request, _request(material))
    code = "import sys; from sklearn_train.examination import main; main(*sys.argv[1:])"
    command = [sys.executable, "-P", "-c", code, str(request), str(description), str(proof)]
    watch = Watch(memory=memory_group(), output=False)
    with SupervisedProcess(
        command, cwd=empty, environment=_environment(os.environ), watch=watch, name="examination"
    ) as process:
        ended = process.wait()
    return Described(_description(description, ended, material.shown_model), _proof(proof, ended, material))


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """One thread each, and no import path but the image's own."""
    kept = {name: value for name, value in given.items() if name not in ("PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME")}
    return {**kept, **dict.fromkeys(THREAD_VARIABLES, "1"), "PYTHONHASHSEED": "0", "PYTHONNOUSERSITE": "1"}


def _request(material: Material) -> ExamineRequest:
    request = material.request
    script = request.script
    folder = request.workspace if script.is_module or script.file is None else script.file.parent
    return ExamineRequest(
        model_file=str(material.model_file), shown_model=material.shown_model, target=str(material.target),
        workspace=str(request.workspace), script=script.given, script_folder=str(folder),
        observations=str(material.private / "observations"), overlay=str(material.overlay or ""),
        include=request.include, input_example=str(material.input_example or ""),
        golden=request.golden, onnx=request.onnx != "off",
    )  # fmt: skip


def _description(file: Path, ended: Ended, shown: str) -> Description:
    trace = _ProcessTrace("\n" + ended.error_tail)
    try:
        description = read_document(file, Description)
    except (OSError, msgspec.DecodeError) as error:
        if ended.stopped_at_memory:
            raise TaskError(
                f"loading {shown} was stopped near the memory limit", "raise the step's memory limit"
            ) from trace
        if ended.code < 0:
            raise TaskError(f"the process that loads {shown} was killed by signal {-ended.code}",
                            "the file is damaged, or there is too little memory") from trace  # fmt: skip
        raise RuntimeError(f"the describer ended with exit code {ended.code}: {ended.last_line}") from error
    if description.problem:
        raise TaskError(description.problem, description.remedy) from trace
    if not description.signature:
        say(f"note: no signature: {description.signature_reason}; give input-example, a few rows as JSON or CSV, so "
            "that the server can check and name its inputs")  # fmt: skip
    if description.format == "skops":
        say("note: a skops file holds a clock and addresses, so each run has another digest; joblib gives the same one")
    return description


def _proof(file: Path, ended: Ended, material: Material) -> Proof:
    """A proof that was stopped or crashed proves nothing more, and fails nothing."""
    reason = _why_unfinished(ended)
    status = Onnx("off") if material.request.onnx == "off" else Onnx("skipped", reason or "it gave no answer")
    try:
        proof = read_document(file, Proof)
    except (OSError, msgspec.DecodeError):
        return Proof(replays=False, replay_reason=reason or "a second process gave no answer", onnx=status)
    if not reason:
        return proof
    (material.target / ONNX).unlink(missing_ok=True)
    return msgspec.structs.replace(proof, onnx=status)


def _why_unfinished(ended: Ended) -> str:
    if ended.stopped_at_memory:
        return "it took all the memory there is"
    if ended.code == -signal.SIGALRM:
        return f"it took longer than {prover.SECONDS} s"
    return f"its process ended with code {ended.code}" if ended.code else ""
