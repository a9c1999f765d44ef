"""model.json: the manifest of a model directory. Its sha256 is the model digest.

It holds no clock, duration, host or path of the machine, so a deterministic script gives the same bytes again where
the file that it saves does (a skops file holds a clock).
The published JSON Schema is ``schemas/model.schema.json``, generated from these classes.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from taskkit.canonical import canonical_json, digest_of
from taskkit.errors import TaskError
from taskkit.model_signature import Signature, TaskKind

MANIFEST = "model.json"
SCHEMA_VERSION = "1"

HexSha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Size = Annotated[int, msgspec.Meta(ge=0)]


class FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: HexSha256
    size: Size


class Estimator(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The saved object. ``file`` is its path in the model directory."""

    class_name: str
    """Module and qualified name, for example ``sklearn.pipeline.Pipeline``."""
    file: str
    format: Literal["pickle", "joblib", "cloudpickle", "skops"]
    """Told by content. cloudpickle: a pickle that carries code by value."""
    original_name: str
    """Path under which the script saved it, relative to the workspace or the folder it was told."""
    task: TaskKind
    project_globals: tuple[str, ...] = ()
    """``module.name`` of every class and function of the project that loading the file imports; defined in code/."""
    package_globals: tuple[str, ...] = ()
    """``module.name`` of everything that loading imports from extra distributions in wheels/."""


class Dataset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    path: str
    sha256: HexSha256
    size: Size


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The git commit the script ran from; empty where the workspace is no git checkout.

    ``dirty``: a tracked file differed, or the script, or a file of the workspace that it imported, was not tracked.
    """

    url: str = ""
    commit: str = ""
    dirty: bool | None = None


class TrainingRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``args`` as given, placeholders not filled in."""

    script: str
    args: tuple[str, ...]
    hyperparameters: dict[str, str]


class Environment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    python: str
    platform: str
    packages: dict[str, str]
    """Normalized distribution name to version, everything on the path when the model was described."""


class Onnx(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    status: Literal["proved", "skipped", "off"]
    reason: str = ""
    rows_compared: int = 0
    largest_difference: float | None = None
    """Largest relative difference of a number in predict or predict_proba between scikit-learn and ONNX Runtime."""
    relative_tolerance: float | None = None


class GoldenSummary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rows: int
    replays: bool
    """Whether a fresh process gave the same answers."""
    reason: str = ""


class ModelManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=False):
    schema_version: Literal["1"]
    files: dict[str, FileEntry]
    """Every other file of the model directory, by its path with forward slashes."""
    estimator: Estimator
    signature: Signature | None
    signature_reason: str
    """Why there is no signature; empty where there is one."""
    metrics: dict[str, float | int]
    """The finite numbers at the top level of metrics.json."""
    dataset: Dataset | None
    source: Source
    run: TrainingRun
    environment: Environment
    onnx: Onnx
    golden: GoldenSummary

    def to_json(self) -> bytes:
        """The canonical bytes that are written to model.json."""
        return canonical_json(msgspec.to_builtins(self))

    @property
    def digest(self) -> str:
        """The model digest, ``sha256:<hex>``."""
        return digest_of(self.to_json())


def parse_manifest(content: bytes, where: str) -> ModelManifest:
    """Reads model.json. ``where`` names the file in errors. Raises TaskError."""
    try:
        return msgspec.json.decode(content, type=ModelManifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TaskError(f"{where} is not a model manifest ({error})",
                        "it must be the one that sklearn-train wrote; run the training again") from error  # fmt: skip
