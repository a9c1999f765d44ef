"""Has the model described and proved in two fresh processes, side by side because each imports for seconds."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from sklearn_train.cgroup import memory_group
from sklearn_train.documents import DescribeRequest, Description, Proof, ProofRequest, read_document, write_document
from sklearn_train.request import Request
from sklearn_train.script_environment import THREAD_VARIABLES
from sklearn_train.supervised_process import Ended, SupervisedProcess, Watch
from taskkit.command_line import say
from taskkit.errors import TaskError
from taskkit.model_directory import CODE, GOLDEN, ONNX
from taskkit.model_manifest import Onnx

PROOF_SECONDS = 120.0
PROOF_MEMORY = 4 << 30


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
    environment = _environment(os.environ)
    files = [str(material.private / name) for name in ("describe.json", "description.json", "prove.json", "proof.json")]
    watch = Watch(memory=memory_group(), output=False)
    proof_watch = replace(watch, time_limit=PROOF_SECONDS, resident_limit=PROOF_MEMORY)
    write_document(Path(files[0]), _describe_request(material))
    describer = _start("describer", files[:2], empty, environment, watch)
    with describer, _start("prover", [*files[2:], material.request.onnx], empty, environment, proof_watch) as prover:
        description = _description(Path(files[1]), describer.wait(), material.shown_model)
        write_document(Path(files[2]), _proof_request(material, description))
        return Described(description, _proof(Path(files[3]), prover.wait(), material))


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """One thread each, and no import path but the image's own."""
    kept = {name: value for name, value in given.items() if name not in ("PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME")}
    return {**kept, **dict.fromkeys(THREAD_VARIABLES, "1"), "PYTHONHASHSEED": "0", "PYTHONNOUSERSITE": "1"}


def _start(
    module: str, arguments: list[str], cwd: Path, environment: Mapping[str, str], watch: Watch
) -> SupervisedProcess:
    code = f"import sys; from sklearn_train.{module} import main; main(*sys.argv[1:])"
    command = [sys.executable, "-P", "-c", code, *arguments]
    return SupervisedProcess(command, cwd=cwd, environment=environment, watch=watch, name=module)


def _describe_request(material: Material) -> DescribeRequest:
    request = material.request
    script = request.script
    folder = request.workspace if script.is_module or script.file is None else script.file.parent
    return DescribeRequest(
        model_file=str(material.model_file), shown_model=material.shown_model, target=str(material.target),
        workspace=str(request.workspace), script=script.given, script_folder=str(folder),
        observations=str(material.private / "observations"), overlay=str(material.overlay or ""),
        include=request.include, input_example=str(material.input_example or ""),
        golden=request.golden,
    )  # fmt: skip


def _description(file: Path, ended: Ended, shown: str) -> Description:
    trace = _ProcessTrace("\n" + ended.error_tail)
    if ended.stopped:
        raise TaskError(
            f"loading {shown} was stopped near the memory limit", "raise the step's memory limit"
        ) from trace
    try:
        description = read_document(file, Description)
    except (OSError, msgspec.DecodeError) as error:
        if ended.code < 0:
            raise TaskError(f"the process that loads {shown} was killed by signal {-ended.code}",
                            "the file is damaged, or there is too little memory") from trace  # fmt: skip
        raise RuntimeError(f"the describer ended with exit code {ended.code}: {ended.last_line}") from error
    if description.problem:
        raise TaskError(description.problem, description.remedy) from trace
    if not description.signature:
        say(f"note: no signature: {description.signature_reason}; give input-example, a few rows as JSON or CSV, so "
            "that the server can check and name its inputs")  # fmt: skip
    return description


def _proof_request(material: Material, description: Description) -> ProofRequest:
    wanted = material.request.onnx != "off"
    return ProofRequest(
        model_file=str(material.model_file), code=str(material.target / CODE), overlay=str(material.overlay or ""),
        golden=str(material.target / GOLDEN) if description.golden_rows else "",
        observations=str(material.private / "observations"), signature=description.signature,
        onnx_file=str(material.target / ONNX) if wanted else "",
    )  # fmt: skip


def _proof(file: Path, ended: Ended, material: Material) -> Proof:
    """A prover that was stopped or crashed proves nothing more, and fails nothing."""
    limits = {
        "time": f"it took longer than {PROOF_SECONDS:.0f} s",
        "memory": f"it took more than {PROOF_MEMORY >> 30} GiB, or all there is",
    }
    reason = limits.get(ended.stopped, "" if ended.code == 0 else f"its process ended with code {ended.code}")
    status = Onnx("off") if material.request.onnx == "off" else Onnx("skipped", reason or "it gave no answer")
    try:
        proof = read_document(file, Proof)
    except (OSError, msgspec.DecodeError):
        return Proof(replays=False, replay_reason=reason or "a second process gave no answer", onnx=status)
    if not reason:
        return proof
    (material.target / ONNX).unlink(missing_ok=True)
    return msgspec.structs.replace(proof, onnx=status)
