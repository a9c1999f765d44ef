"""What lies where in the image.

``/models``  the model directory's files and the gate report, in layers that change apart: wheels, code, model
``/app``     with ``app``: links to the model under the name its script gave, and to the project's code
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from model_serve_build.approval import ApprovedModel
from taskkit.confined_paths import relative_name
from taskkit.errors import TaskError, UsageError
from taskkit.model_directory import CODE, WHEELS
from taskkit.model_manifest import MANIFEST
from taskkit.oci.content import Blob
from taskkit.oci.tar_layers import DiskFile, Entry, InlineFile, Link, layer

MODELS = "models"
APP = "app"
GATE_REPORT = "gate-report.json"
TITLE = "org.opencontainers.image.title"


@dataclass(frozen=True)
class ModelLayer:
    """``what`` is a word for people: model, code, wheels, app."""

    what: str
    blob: Blob


def model_layers(model: ApprovedModel, app: str) -> tuple[ModelLayer, ...]:
    """The layers, those that change least first. Raises UsageError where ``app`` names no file of code/."""
    wheels, code, rest = (list(_files(model, part)) for part in (WHEELS, CODE, ""))
    rest.append(InlineFile(f"{MODELS}/{GATE_REPORT}", model.report_content))
    links = list(_app_links(model, app)) if app else []
    parts = (("wheels", wheels), ("code", code), ("app", links), ("model", rest))
    return tuple(ModelLayer(what, layer(entries, {TITLE: what})) for what, entries in parts if entries)


def _files(model: ApprovedModel, part: str) -> Iterator[Entry]:
    """The files below one folder of the model directory, or for an empty name those below neither code/ nor wheels/."""
    for name, entry in model.manifest.files.items():
        top = name.partition("/")[0] if "/" in name else ""
        if (top if top in (CODE, WHEELS) else "") != part:
            continue
        if name == GATE_REPORT:
            raise TaskError(f"the model directory has a file {GATE_REPORT}, where the gate's report goes", "rename it")
        yield DiskFile(f"{MODELS}/{name}", model.directory / name, entry.size, entry.sha256)
    if not part:
        path = model.directory / MANIFEST
        yield DiskFile(f"{MODELS}/{MANIFEST}", path, path.stat().st_size, model.model_digest.partition(":")[2])


def _app_links(model: ApprovedModel, app: str) -> Iterator[Entry]:
    estimator = model.manifest.estimator
    code = [name for name in model.manifest.files if name.startswith(f"{CODE}/")]
    file, colon, attribute = app.partition(":")
    if not colon or not attribute.replace(".", "_").isidentifier() or not file.endswith(".py"):
        raise UsageError(f"app '{app}' is not FILE.py:NAME", "for example src/serve.py:app")
    if f"{CODE}/{file}" not in code:
        raise UsageError(
            f"app '{app}': the model directory has no {CODE}/{file}",
            "give the file to sklearn-train's param include and train again",
        )
    targets = {name.removeprefix(f"{CODE}/"): name for name in code}
    own_name = estimator.original_name if relative_name(estimator.original_name) else posixpath.basename(estimator.file)
    if own_name in targets:
        raise TaskError(
            f"the model's name {own_name} is also that of a file in {CODE}/", "save the model under another name"
        )
    targets[own_name] = estimator.file
    for name, target in targets.items():
        above = "../" * (name.count("/") + 1)
        yield Link(f"{APP}/{name}", f"{above}{MODELS}/{target}")
