"""The steps of a build, in order: approval, files, pickles, base, layers, image, destination."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from model_serve_build.approval import ApprovedModel, approved_model
from model_serve_build.compatibility import base_facts, check_base
from model_serve_build.contents import APP, ModelLayer, model_layers
from model_serve_build.destination import default_model_name, destination
from model_serve_build.labels import environment, image_annotations
from model_serve_build.runtime import Asked, Runtime, chosen_runtime
from taskkit.confined_paths import confined
from taskkit.errors import TaskError, UsageError
from taskkit.model_directory import CODE
from taskkit.oci.documents import Platform
from taskkit.oci.images import Addition, Base, Image, append, read_base, scratch
from taskkit.oci.layout import Layout
from taskkit.oci.publishing import OnExistingTag, Published, push, write_to_layout
from taskkit.oci.references import LayoutReference, Reference, RegistryReference, parse_reference
from taskkit.oci.repository import Registries
from taskkit.pickles import check as check_pickle

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Request:
    """The program's options; paths are relative to ``workspace`` and confined to it."""

    workspace: Path
    model_dir: str
    report_dir: str
    approval: str
    image: str
    runtime: Asked
    base_image: str
    base_image_onnx: str
    app: str
    model_name: str
    on_existing_tag: OnExistingTag
    insecure_registries: tuple[str, ...] = ()
    docker_config: Path | None = None
    ca_directory: Path | None = None


@dataclass(frozen=True)
class Places:
    """Where images are read from and written to."""

    workspace: Path
    registries: Registries

    def layout(self, reference: LayoutReference, what: str, *, anywhere: bool = False) -> Layout:
        """A base may lie outside the workspace when its path is absolute: it is only read."""
        outside = anywhere and os.path.isabs(reference.path)
        path = Path(reference.path) if outside else confined(self.workspace, reference.path, what)
        return Layout(path, f"oci-layout:{reference.path}")


@dataclass(frozen=True)
class Built:
    """``base`` is None for a model-only image."""

    model: ApprovedModel
    reference: Reference
    runtime: Runtime
    base: Reference | None
    base_image: Base
    layers: tuple[ModelLayer, ...]
    image: Image
    published: Published
    warnings: tuple[str, ...]


def build(request: Request) -> Built:
    """Raises TaskError."""
    workspace = request.workspace
    model_directory = confined(workspace, request.model_dir, "model-dir")
    model = approved_model(model_directory, confined(workspace, request.report_dir, "report-dir"), request.approval)
    check_pickle(model_directory / model.manifest.estimator.file, model.manifest, model_directory / CODE)
    reference = destination(request.image, model.manifest, model.model_digest)
    runtime = chosen_runtime(request.runtime, model.manifest, base=request.base_image,
                             onnx_base=request.base_image_onnx, app=request.app)  # fmt: skip
    base_reference = parse_reference(runtime.base, runtime.param) if runtime.base else None
    registries = Registries(request.docker_config, request.ca_directory, request.insecure_registries)
    places = Places(workspace, registries)
    base = _base(base_reference, model, places, runtime.param)
    warnings = _warnings(model, base_reference, base, runtime)
    layers = model_layers(model, request.app)
    name = request.model_name or default_model_name(reference)
    image = append(base, lambda _: _addition(model, name, request.app, layers, base_reference, base, runtime))
    published = _publish(image, reference, places, request.on_existing_tag)
    return Built(model, reference, runtime, base_reference, base, layers, image, published, warnings)


def _warnings(model: ApprovedModel, reference: Reference | None, base: Base, runtime: Runtime) -> tuple[str, ...]:
    lines = (
        []
        if reference is None
        else [
            line
            for image in base.platforms
            for line in check_base(model.manifest, base_facts(image, str(reference)), runtime)
        ]
    )
    if model.manifest.source.dirty:
        lines.append(
            f"the model was trained from a dirty checkout: commit {model.manifest.source.commit} is not all of it"
        )
    return tuple(dict.fromkeys(lines))


def _base(reference: Reference | None, model: ApprovedModel, places: Places, param: str) -> Base:
    if reference is None:
        machine = model.manifest.environment.platform.split("-")[1:2] or ["x86_64"]
        return scratch(Platform(_ARCHITECTURES.get(machine[0], machine[0]), "linux"))
    if isinstance(reference, RegistryReference):
        if not (reference.digest or reference.tag):
            raise UsageError(f"{param} '{reference}' has no tag and no digest", "add one, best a digest")
        repository = places.registries.repository(reference)
        return read_base(repository, repository.fetch(reference.digest or reference.tag))
    layout = places.layout(reference, param, anywhere=True)
    root = layout.find(reference.tag, reference.digest)
    if root is None:
        raise TaskError(
            f"{param} {reference}: there is no such image in the layout",
            f"it has: {', '.join(tag or '(no tag)' for tag in layout.tags()) or 'nothing'}",
        )
    return read_base(layout, layout.manifest(root))


def _addition(
    model: ApprovedModel, name: str, app: str, layers: tuple[ModelLayer, ...], reference: Reference | None, base: Base,
    runtime: Runtime,
) -> Addition:  # fmt: skip
    told = image_annotations(model, name, reference, base.root if reference else None, runtime)
    return Addition(
        layers=tuple(one.blob for one in layers),
        created_by=tuple(f"model-serve-build: {one.what}" for one in layers),
        env=environment(model, name, app, runtime),
        labels=told,
        annotations=told,
        working_directory=f"/{APP}" if app else "",
    )


def _publish(image: Image, reference: Reference, places: Places, policy: OnExistingTag) -> Published:
    if isinstance(reference, RegistryReference):
        return push(image, places.registries.repository(reference), reference.tag, policy)
    return write_to_layout(image, places.layout(reference, "image"), reference.tag, policy)
