"""What a release consists of, as a document, and the artifact that carries it in the registry.

The artifact holds this record and the sources of the YAML, so that a release can be rendered for another registry from
nothing but the first one.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from catalog.releasing.objects import CATALOG, DESCRIPTION, SOURCE, CatalogObject
from taskkit.canonical import canonical_json
from taskkit.errors import TaskError
from taskkit.oci.content import bytes_blob
from taskkit.oci.documents import LAYER_TAR, MANIFEST, Document, Manifest, document, parse_manifest
from taskkit.oci.images import Image, Store
from taskkit.oci.tar_layers import InlineFile, layer

PATH = "release"
"""The artifact's repository."""
ARTIFACT_TYPE = "application/vnd.sklearn-catalog.release.v1"
CONFIG_TYPE = f"{ARTIFACT_TYPE}+json"
_LARGEST_TREE = 64 << 20


class ImageRecord(msgspec.Struct, frozen=True):
    """``size``: compressed bytes of config and layers."""

    program: str
    version: str
    reference: str
    digest: str
    platforms: tuple[str, ...]
    size: int


class BundleRecord(msgspec.Struct, frozen=True):
    """``kind`` and ``name`` are empty for the bundle with everything. ``path``: its repository below the prefix."""

    kind: str
    name: str
    version: str
    path: str
    reference: str
    digest: str


class ForeignRecord(msgspec.Struct, frozen=True):
    """``default``: how the sources name it. ``digest`` is empty where it was not pinned."""

    default: str
    path: str
    tag: str
    reference: str
    digest: str


class Release(msgspec.Struct, frozen=True):
    """``registry`` is the prefix that all of it lies below."""

    catalog: str
    version: str
    registry: str
    hub_url: str
    images: tuple[ImageRecord, ...]
    bundles: tuple[BundleRecord, ...]
    foreign: tuple[ForeignRecord, ...]


def artifact(release: Release, objects: Sequence[CatalogObject]) -> Image:
    """The record with the sources it was made of; the same ones give the same digest."""
    config = document(release, CONFIG_TYPE)
    tree = layer(_tree(objects))
    annotations = {
        "org.opencontainers.image.title": f"{CATALOG} {release.version}",
        "org.opencontainers.image.description": DESCRIPTION,
        "org.opencontainers.image.version": release.version,
        "org.opencontainers.image.source": SOURCE,
    }
    manifest = Manifest(
        config=config.descriptor,
        media_type=MANIFEST,
        artifact_type=ARTIFACT_TYPE,
        layers=(tree.descriptor,),
        annotations=annotations,
    )
    return Image(document(manifest, MANIFEST), (), (bytes_blob(config.content, CONFIG_TYPE), tree))


def _tree(objects: Sequence[CatalogObject]) -> list[InlineFile]:
    return [InlineFile(name, text.encode()) for name, text in sorted(dict(_files(objects)).items())]


def _files(objects: Sequence[CatalogObject]) -> Iterator[tuple[str, str]]:
    """What a page and a hub say of an object: YAML, README, samples, changelog."""
    for one in objects:
        above = f"{one.kind.lower()}/{one.name}"
        folder = f"{above}/{one.version}"
        yield f"{folder}/{one.name}.yaml", one.text
        for name, text in one.samples.items():
            yield f"{folder}/samples/{name}", text
        for name, place in (("README.md", folder), ("../CHANGELOG.md", above)):
            if text := one.beside(name):
                yield f"{place}/{name.rpartition('/')[2]}", text


def read_record(store: Store, root: Document) -> Release:
    """Raises TaskError for anything but a release's artifact."""
    where = f"{store.name}@{root.digest}"
    config = parse_manifest(root.content, where).config
    if config.media_type != CONFIG_TYPE:
        raise TaskError(f"{where} is no release (config of type '{config.media_type}')", "name a place of releases")
    try:
        return msgspec.json.decode(store.document(config).content, type=Release)
    except msgspec.DecodeError as error:
        raise TaskError(
            f"the release {where} can't be read ({error})", "it is of another version of this tool"
        ) from error


def unpack_tree(store: Store, root: Document, folder: Path) -> None:
    """The sources of a release as files. Raises TaskError."""
    where = f"{store.name}@{root.digest}"
    (descriptor,) = parse_manifest(root.content, where).layers
    if descriptor.media_type != LAYER_TAR or descriptor.size > _LARGEST_TREE:
        raise TaskError(f"{where} holds no tree of a catalog", "it is of another version of this tool")
    content = b"".join(store.blob(descriptor).checked())
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, OSError) as error:
        raise TaskError(f"the tree of {where} can't be unpacked ({error})", "push the release again") from error


def written(release: Release, reference: str, commit: str, dirty: bool, files: dict[str, str]) -> bytes:
    """``release.json``: the record, the artifact's reference, the commit, and the sha256 of the other files."""
    fields = msgspec.to_builtins(release)
    more = {"artifact": reference, "commit": commit, "uncommitted_changes": dirty, "files": files}
    return canonical_json(fields | more)
