"""Descriptors, manifests and indexes (OCI image-spec 1.1), and how Docker's older media types map to them.

Image configs are kept as plain mappings: whatever a base image says there is carried on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from taskkit.canonical import canonical_json, digest_of
from taskkit.errors import TaskError

_T = TypeVar("_T")

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER_TAR = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP = LAYER_TAR + "+gzip"
LAYER_ZSTD = LAYER_TAR + "+zstd"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"

MANIFESTS = (MANIFEST, DOCKER_MANIFEST)
INDEXES = (INDEX, DOCKER_INDEX)
OCI_OF_DOCKER = {
    DOCKER_MANIFEST: MANIFEST,
    DOCKER_INDEX: INDEX,
    "application/vnd.docker.container.image.v1+json": CONFIG,
    "application/vnd.docker.image.rootfs.diff.tar": LAYER_TAR,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": LAYER_GZIP,
    "application/vnd.docker.image.rootfs.diff.tar.zstd": LAYER_ZSTD,
}
REF_NAME = "org.opencontainers.image.ref.name"
DOCUMENT_LIMIT = 4 << 20
"""Largest manifest, index or config that is read: registries must accept 4 MiB, larger ones are no images."""


class Platform(
    msgspec.Struct, frozen=True, omit_defaults=True, rename={"os_version": "os.version", "os_features": "os.features"}
):
    architecture: str
    os: str
    os_version: str = ""
    os_features: tuple[str, ...] = ()
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Descriptor(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    media_type: str
    digest: str
    size: int
    urls: tuple[str, ...] = ()
    annotations: dict[str, str] = {}
    platform: Platform | None = None
    artifact_type: str = ""


def _two() -> int:
    """As a factory, since plain defaults are left out of what is written, and this one must be there."""
    return 2


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    config: Descriptor
    schema_version: int = msgspec.field(default_factory=_two)
    media_type: str = ""
    artifact_type: str = ""
    layers: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    annotations: dict[str, str] = {}


class Index(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    schema_version: int = msgspec.field(default_factory=_two)
    media_type: str = ""
    artifact_type: str = ""
    manifests: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    annotations: dict[str, str] = {}


@dataclass(frozen=True)
class Document:
    """A manifest, index or config: its bytes and the descriptor that addresses them."""

    content: bytes
    descriptor: Descriptor

    @property
    def digest(self) -> str:
        return self.descriptor.digest


def document(value: Any, media_type: str) -> Document:
    """The canonical document of a Manifest, an Index or plain values."""
    content = canonical_json(msgspec.to_builtins(value))
    return Document(content, Descriptor(media_type, digest_of(content), len(content)))


def parse_manifest(content: bytes, where: str) -> Manifest:
    """Raises TaskError that names ``where`` the bytes came from."""
    return _decode(content, Manifest, where)


def parse_index(content: bytes, where: str) -> Index:
    """Raises TaskError that names ``where`` the bytes came from."""
    return _decode(content, Index, where)


def parse_config(content: bytes, where: str) -> dict[str, Any]:
    """An image config as a mapping. Raises TaskError that names ``where`` the bytes came from."""
    return _decode(content, dict[str, Any], where)


def _decode(content: bytes, kind: type[_T], where: str) -> _T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        name = getattr(kind, "__name__", "document").lower()
        raise TaskError(
            f"{where} is not an image {name} ({error})", "the image is damaged; build or push it again"
        ) from error


def media_type_of(content: bytes, declared: str, where: str) -> str:
    """The media type of a manifest or index: what the document says, else what was declared with it."""
    fields = _decode(content, dict[str, Any], where)
    found = fields.get("mediaType") or declared.split(";", maxsplit=1)[0].strip()
    if found in (*MANIFESTS, *INDEXES):
        return str(found)
    if "manifests" in fields:
        return INDEX
    if "layers" in fields and "config" in fields:
        return MANIFEST
    raise TaskError(
        f"{where} is of type '{found or 'unknown'}'", "only OCI images and Docker images of schema 2 can be read"
    )
