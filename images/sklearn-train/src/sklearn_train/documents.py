"""What the supervisor asks of the process that examines the model, and its answers: JSON files in the run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from taskkit.model_directory import CODE
from taskkit.model_manifest import Environment, Onnx
from taskkit.model_signature import Signature, TaskKind

Document = TypeVar("Document", bound=msgspec.Struct)


class ExamineRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Paths are absolute. ``target`` is the new model directory, where code/, golden.json and model.onnx go."""

    model_file: str
    shown_model: str
    """The file's name for messages."""
    target: str
    workspace: str
    script: str
    script_folder: str
    observations: str
    overlay: str
    """Folder with the extra packages, empty without any."""
    include: tuple[str, ...]
    input_example: str
    golden: Literal["shuffled", "rows", "none"]
    onnx: bool
    """Whether to convert the model."""

    @property
    def model_imports(self) -> list[str]:
        """Folders for ``sys.path``: what the model's own modules are imported from."""
        return [str(Path(self.target) / CODE), *([self.overlay] if self.overlay else [])]


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answer; ``problem`` and ``remedy`` are set, and the rest means nothing, where the model can't be used."""

    problem: str = ""
    remedy: str = ""
    class_name: str = ""
    shown: str = ""
    """The estimator as one short line, for people."""
    format: Literal["pickle", "joblib", "cloudpickle", "skops"] = "pickle"
    task: TaskKind = "other"
    project_globals: tuple[str, ...] = ()
    package_globals: tuple[str, ...] = ()
    signature: Signature | None = None
    signature_reason: str = ""
    golden_rows: int = 0
    golden_reason: str = ""
    environment: Environment | None = None
    imported: tuple[str, ...] = ()
    """Files of the workspace that the script's process had imported, as absolute paths."""


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    replays: bool
    replay_reason: str
    onnx: Onnx


def write_document(path: Path, document: msgspec.Struct) -> None:
    """Appears under its name only when it is whole."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(msgspec.json.encode(document))
    fresh.replace(path)


def read_document(path: Path, kind: type[Document]) -> Document:
    """Raises OSError, msgspec.DecodeError."""
    return msgspec.json.decode(path.read_bytes(), type=kind)
