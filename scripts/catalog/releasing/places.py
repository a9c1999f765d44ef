"""Where releases lie: below a prefix of a registry, or in a folder with an OCI layout for each repository.

Both are written in two steps: ``stage`` brings an image whole, under its digest; ``tag`` makes it seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from taskkit.errors import TaskError, UsageError
from taskkit.oci.content import bytes_blob
from taskkit.oci.documents import INDEXES, Descriptor, Document, parse_index, parse_manifest
from taskkit.oci.images import Image, Store
from taskkit.oci.layout import Layout
from taskkit.oci.publishing import push
from taskkit.oci.references import DOCKER_HUB, RegistryReference, parse_registry_reference
from taskkit.oci.registry import RefusedError
from taskkit.oci.repository import Registries, Repository
from taskkit.oci.transport import drain


class Place(Protocol):
    """``path`` is a repository's name below the place."""

    @property
    def name(self) -> str: ...
    def reference(self, path: str, tag: str = "", digest: str = "") -> str: ...
    def digest(self, path: str, tag: str) -> str:
        """What a tag leads to; empty where there is none."""
        ...

    def tags(self, path: str) -> tuple[str, ...]: ...
    def root(self, path: str, reference: str) -> Document:
        """A manifest or index by tag or digest, checked. Raises TaskError."""
        ...

    def store(self, path: str) -> Store: ...
    def stage(self, path: str, image: Image) -> None: ...
    def tag(self, path: str, root: Document, tag: str) -> None: ...
    def untag(self, path: str, tag: str) -> bool:
        """Takes a tag away; False where that can't be done."""
        ...


@dataclass(frozen=True)
class RegistryPlace:
    prefix: RegistryReference
    registries: Registries = field(compare=False, repr=False)

    @property
    def name(self) -> str:
        return self.prefix.name

    def reference(self, path: str, tag: str = "", digest: str = "") -> str:
        return str(RegistryReference(self.prefix.registry, f"{self.prefix.repository}/{path}", tag, digest))

    def store(self, path: str) -> Repository:
        return self.registries.repository(RegistryReference(self.prefix.registry, f"{self.prefix.repository}/{path}"))

    def digest(self, path: str, tag: str) -> str:
        return self.store(path).digest_of_tag(tag)

    def tags(self, path: str) -> tuple[str, ...]:
        try:
            return self.store(path).tags()
        except RefusedError as error:
            if error.status == 404:
                return ()
            raise

    def root(self, path: str, reference: str) -> Document:
        return self.store(path).fetch(reference)

    def stage(self, path: str, image: Image) -> None:
        push(image, self.store(path), image.digest, "move")

    def tag(self, path: str, root: Document, tag: str) -> None:
        self.store(path).put_manifest(root, tag)

    def untag(self, path: str, tag: str) -> bool:
        """By distribution-spec 1.1 a registry may refuse this, and many do."""
        repository = self.store(path)
        scopes = frozenset({f"repository:{repository.path}:delete,pull,push"})
        try:
            response = repository.registry.send("DELETE", repository.url(f"manifests/{tag}"), scopes)
        except TaskError:
            return False
        drain(response)
        return response.status in (200, 202, 404)


@dataclass(frozen=True)
class FolderPlace:
    folder: Path

    @property
    def name(self) -> str:
        return str(self.folder)

    def reference(self, path: str, tag: str = "", digest: str = "") -> str:
        return f"{self.folder}/{path}" + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")

    def store(self, path: str) -> Layout:
        return Layout(self.folder / path)

    def digest(self, path: str, tag: str) -> str:
        layout = self.store(path)
        found = layout.find(tag) if tag in layout.tags() else None
        return found.digest if found else ""

    def tags(self, path: str) -> tuple[str, ...]:
        return self.store(path).tags()

    def root(self, path: str, reference: str) -> Document:
        layout = self.store(path)
        if reference.startswith("sha256:"):
            return layout.manifest(Descriptor("", reference, 0))
        found = layout.find(reference) if reference in layout.tags() else None
        if found is None:
            raise TaskError(f"{self.folder / path} holds no {reference}", "is this the folder of a mirror?")
        return layout.manifest(found)

    def stage(self, path: str, image: Image) -> None:
        layout = self.store(path)
        documents = (bytes_blob(one.content, one.descriptor.media_type) for one in (*image.children, image.root))
        for blob in (*image.blobs, *documents):
            layout.add(blob)

    def tag(self, path: str, root: Document, tag: str) -> None:
        self.store(path).name_image(root.descriptor, tag)

    def untag(self, path: str, tag: str) -> bool:  # noqa: ARG002
        return False


def parse_place(text: str, what: str, registries: Registries) -> Place:
    """``REGISTRY/PREFIX``, or a folder: one that is there, or anything that begins with ``/`` or ``.``.

    Raises UsageError that names the option ``what``.
    """
    if text.startswith(("/", ".")) or Path(text).is_dir():
        return FolderPlace(Path(text))
    try:
        return registry_place(text, what, registries)
    except UsageError as error:
        raise UsageError(error.problem, f"{error.remedy}; a folder begins with / or ./") from None


def registry_place(text: str, what: str, registries: Registries) -> RegistryPlace:
    """Raises UsageError."""
    remedy = "write REGISTRY/PREFIX, for example ghcr.io/my-team/catalog"
    if "://" in text:
        raise UsageError(f"{what} '{text}' has a scheme", remedy)
    prefix = parse_registry_reference(text.rstrip("/"), what)
    if prefix.tag or prefix.digest or "/" not in text.rstrip("/"):
        raise UsageError(f"{what} '{text}' is no registry with a prefix", remedy)
    if prefix.registry == DOCKER_HUB:
        raise UsageError(f"{what} '{text}' is on Docker Hub, which has no nested repositories", remedy)
    return RegistryPlace(prefix, registries)


def whole_image(store: Store, root: Document) -> Image:
    """An image or index with everything below it; blobs are streamed when they are read. Raises TaskError."""
    children: dict[str, Document] = {}
    blobs: dict[str, Descriptor] = {}
    _gather(store, root, children, blobs)
    return Image(root, tuple(children.values()), tuple(store.blob(descriptor) for descriptor in blobs.values()))


def _gather(store: Store, found: Document, children: dict[str, Document], blobs: dict[str, Descriptor]) -> None:
    """Children come before the index that names them."""
    where = f"{store.name}@{found.digest}"
    if found.descriptor.media_type in INDEXES:
        for entry in parse_index(found.content, where).manifests:
            child = store.manifest(entry)
            _gather(store, child, children, blobs)
            children[child.digest] = child
        return
    manifest = parse_manifest(found.content, where)
    for descriptor in (manifest.config, *manifest.layers):
        blobs[descriptor.digest] = descriptor
