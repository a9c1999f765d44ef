"""An image as a tree: a root document (manifest or index), the manifests below an index, and the blobs they name.

`append` puts layers on top of a base by writing new configs and manifests; it reads no layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from taskkit.errors import TaskError
from taskkit.oci.content import Blob, bytes_blob
from taskkit.oci.documents import (
    CONFIG,
    INDEX,
    INDEXES,
    MANIFEST,
    OCI_OF_DOCKER,
    Descriptor,
    Document,
    Index,
    Manifest,
    Platform,
    document,
    parse_config,
    parse_index,
    parse_manifest,
)

EPOCH = "1970-01-01T00:00:00Z"
"""The time of everything that is made here: an image tells what it is made of, not when."""

_ABOUT_THE_BASE = "org.opencontainers.image."
"""Title, version, source … of the base would be wrong on what is made of it."""


class Store(Protocol):
    """Where images lie: a layout or a repository."""

    @property
    def name(self) -> str: ...
    def manifest(self, descriptor: Descriptor) -> Document: ...
    def document(self, descriptor: Descriptor) -> Document: ...
    def blob(self, descriptor: Descriptor) -> Blob: ...


@dataclass(frozen=True)
class Image:
    """``children`` are the manifests of an index; ``blobs`` every config and layer, each once."""

    root: Document
    children: tuple[Document, ...]
    blobs: tuple[Blob, ...]

    @property
    def digest(self) -> str:
        return self.root.digest


@dataclass(frozen=True)
class PlatformImage:
    """One platform's image: its manifest, its config, and its layers as blobs."""

    descriptor: Descriptor
    manifest: Manifest
    config: dict[str, Any]
    layers: tuple[Blob, ...]

    @property
    def platform(self) -> Platform:
        known = msgspec.convert(self.config, Platform, strict=False) if "architecture" in self.config else None
        return self.descriptor.platform or known or Platform("unknown", "unknown")

    @property
    def labels(self) -> dict[str, str]:
        return dict((self.config.get("config") or {}).get("Labels") or {})


@dataclass(frozen=True)
class Base:
    """A base image: its root descriptor and an image for every platform it is there for."""

    root: Descriptor
    is_index: bool
    platforms: tuple[PlatformImage, ...]
    annotations: dict[str, str]


@dataclass(frozen=True)
class Addition:
    """What `append` adds. ``env``, ``labels`` replace what the base has under the same names."""

    layers: tuple[Blob, ...]
    created_by: tuple[str, ...]
    """A line of history for each layer."""
    env: Mapping[str, str]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    working_directory: str = ""


def read_base(store: Store, root: Document) -> Base:
    """Fetches manifests and configs, no layers. Raises TaskError."""
    where = f"{store.name}@{root.digest}"
    if root.descriptor.media_type not in INDEXES:
        return Base(root.descriptor, False, (_platform_image(store, root, root.descriptor),), {})
    index = parse_index(root.content, where)
    images = [_platform_image(store, store.manifest(entry), entry) for entry in index.manifests if _is_platform(entry)]
    if not images:
        raise TaskError(f"{where} is an index without an image for any platform", "give an image to build on")
    return Base(root.descriptor, True, tuple(images), dict(index.annotations))


def _is_platform(entry: Descriptor) -> bool:
    """Attestations and other artifacts travel in indexes as platform unknown/unknown; they are about the base only."""
    return entry.platform is None or entry.platform.os != "unknown"


def _platform_image(store: Store, found: Document, descriptor: Descriptor) -> PlatformImage:
    where = f"{store.name}@{found.digest}"
    if found.descriptor.media_type in INDEXES:
        raise TaskError(f"{where} is an index within an index", "give an image to build on")
    manifest = parse_manifest(found.content, where)
    kind = OCI_OF_DOCKER.get(manifest.config.media_type, manifest.config.media_type)
    if kind != CONFIG:
        raise TaskError(
            f"{where} has a config of type '{kind}'", "it is an artifact and no image; give an image to build on"
        )
    config = parse_config(store.document(manifest.config).content, where)
    diff_ids = (config.get("rootfs") or {}).get("diff_ids") or []
    if len(diff_ids) != len(manifest.layers):
        raise TaskError(
            f"{where} has {len(manifest.layers)} layers and {len(diff_ids)} diff_ids",
            "the base image is damaged; give another one",
        )
    return PlatformImage(descriptor, manifest, config, tuple(store.blob(layer) for layer in manifest.layers))


def scratch(platform: Platform) -> Base:
    """A base of nothing."""
    config = {"architecture": platform.architecture, "os": platform.os, "rootfs": {"type": "layers", "diff_ids": []}}
    if platform.variant:
        config["variant"] = platform.variant
    nothing = Descriptor(MANIFEST, "", 0)
    image = PlatformImage(nothing, Manifest(config=Descriptor(CONFIG, "", 0)), config, ())
    return Base(nothing, False, (image,), {})


def append(base: Base, addition_for: Callable[[PlatformImage], Addition]) -> Image:
    """A new image for each of the base's platforms. Docker media types of the base become OCI ones."""
    made = [_append_one(image, addition_for(image)) for image in base.platforms]
    blobs: dict[str, Blob] = {}
    for _, some, _ in made:
        for blob in some:
            blobs.setdefault(blob.digest, blob)
    if not base.is_index:
        return Image(made[0][0], (), tuple(blobs.values()))
    entries = tuple(
        msgspec.structs.replace(child.descriptor, platform=image.platform)
        for image, (child, _, _) in zip(base.platforms, made, strict=True)
    )
    root = document(Index(media_type=INDEX, manifests=entries, annotations=made[0][2]), INDEX)
    return Image(root, tuple(child for child, _, _ in made), tuple(blobs.values()))


def _append_one(image: PlatformImage, addition: Addition) -> tuple[Document, list[Blob], dict[str, str]]:
    config = document(_new_config(image, addition), CONFIG)
    kept = [_as_oci(blob) for blob in image.layers]
    layers = [*kept, *addition.layers]
    annotations = dict(addition.annotations)
    manifest = Manifest(
        config=config.descriptor,
        media_type=MANIFEST,
        layers=tuple(blob.descriptor for blob in layers),
        annotations=annotations,
    )
    config_blob = bytes_blob(config.content, CONFIG)
    return document(manifest, MANIFEST), [*layers, config_blob], annotations


def _as_oci(blob: Blob) -> Blob:
    kind = blob.descriptor.media_type
    descriptor = msgspec.structs.replace(blob.descriptor, media_type=OCI_OF_DOCKER.get(kind, kind))
    if blob.descriptor.urls or "nondistributable" in kind or "foreign" in kind:
        raise TaskError(
            f"the base image's layer {blob.digest} may not be copied (type {kind})", "give another base image"
        )
    return Blob(descriptor, blob.read, blob.home)


def _new_config(image: PlatformImage, addition: Addition) -> dict[str, Any]:
    config = {
        name: value for name, value in image.config.items() if name not in ("container", "container_config", "id")
    }
    run = dict(config.get("config") or {})
    run["Env"] = _merged_env(run.get("Env") or [], addition.env)
    kept = {name: value for name, value in image.labels.items() if not name.startswith(_ABOUT_THE_BASE)}
    run["Labels"] = {**kept, **addition.labels}
    if addition.working_directory:
        run["WorkingDir"] = addition.working_directory
    diff_ids = [*image.config["rootfs"]["diff_ids"], *(blob.digest for blob in addition.layers)]
    history = list(config.get("history") or [])
    if history or not image.layers:  # a history must tell of all layers or of none
        history += [{"created": EPOCH, "created_by": line} for line in addition.created_by]
    return {
        **config,
        "created": EPOCH,
        "config": run,
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": history,
    }


def _merged_env(before: Sequence[str], added: Mapping[str, str]) -> list[str]:
    kept = [line for line in before if line.partition("=")[0] not in added]
    return [*kept, *(f"{name}={value}" for name, value in sorted(added.items()))]
