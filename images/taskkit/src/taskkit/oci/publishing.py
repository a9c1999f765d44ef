"""A whole image into a layout or a repository: blobs first, then manifests, the tag last."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Literal

from taskkit.errors import TaskError
from taskkit.oci.content import Blob, bytes_blob
from taskkit.oci.documents import Document
from taskkit.oci.images import Image
from taskkit.oci.layout import Layout
from taskkit.oci.repository import Repository
from taskkit.oci.uploads import BlobFate, bring

OnExistingTag = Literal["fail", "keep", "move"]
PARALLEL = 4
"""Blobs on their way at once."""


@dataclass(frozen=True)
class Published:
    """``digest`` is what the tag leads to now; ``kept``: the tag was there with another image and stays."""

    digest: str
    fates: dict[str, BlobFate]
    bytes_written: int
    unchanged: bool = False
    kept: bool = False


def settle_tag(existing: str, digest: str, shown: str, policy: OnExistingTag) -> Published | None:
    """What an existing tag means: nothing to do, kept, or None for going on. Raises TaskError where it may not move."""
    if not existing:
        return None
    if existing == digest:
        return Published(digest, {}, 0, unchanged=True)
    if policy == "keep":
        return Published(existing, {}, 0, kept=True)
    if policy == "fail":
        raise TaskError(
            f"{shown} is there already with digest {existing}, and this image is {digest}",
            "give another tag, or set on-existing-tag to keep or move",
        )
    return None


def write_to_layout(image: Image, layout: Layout, tag: str, policy: OnExistingTag) -> Published:
    """An image without a tag takes the place of the one without a tag. Raises TaskError."""
    shown = f"{layout.name}:{tag}" if tag else layout.name
    existing = layout.find(tag) if tag else None
    settled = settle_tag(existing.digest if existing else "", image.digest, shown, policy)
    if settled and settled.kept:
        return settled
    fates: dict[str, BlobFate] = {}
    written = 0
    with layout.writer():
        for blob in (*image.blobs, *(_as_blob(one) for one in (*image.children, image.root))):
            fresh = layout.add(blob)
            fates[blob.digest] = "written" if fresh else "present"
            written += blob.size if fresh else 0
        named = layout.name_image(image.root.descriptor, tag)
    return Published(image.digest, fates, written, unchanged=not named and not written)


def _as_blob(found: Document) -> Blob:
    return bytes_blob(found.content, found.descriptor.media_type)


def push(image: Image, repository: Repository, tag: str, policy: OnExistingTag) -> Published:
    """Blobs in parallel, then the manifests of an index, then the root under its tag: readers see old or new, whole.

    Raises TaskError; what was brought so far stays, unseen, and is found by the next push.
    """
    homes = {
        blob.home.repository for blob in image.blobs if blob.home and blob.home.registry == repository.registry.host
    }
    repository.registry.want(repository.push | {f"repository:{home}:pull" for home in homes - {repository.path}})
    settled = settle_tag(repository.digest_of_tag(tag), image.digest, f"{repository.name}:{tag}", policy)
    if settled:
        return settled
    fates = _bring_all(image.blobs, repository)
    for child in image.children:
        repository.put_manifest(child, child.digest)
    repository.put_manifest(image.root, tag)
    documents = (*image.children, image.root)
    written = sum(blob.size for blob in image.blobs if fates[blob.digest] == "written")
    return Published(image.digest, fates, written + sum(len(one.content) for one in documents))


def _bring_all(blobs: Sequence[Blob], repository: Repository) -> dict[str, BlobFate]:
    with ThreadPoolExecutor(PARALLEL) as pool:
        # Large ones first: they decide how long it takes.
        waiting = {pool.submit(bring, blob, repository): blob for blob in sorted(blobs, key=lambda one: -one.size)}
        done, _ = wait(waiting, return_when=FIRST_EXCEPTION)
        for future in waiting:
            future.cancel()
        for future in done:
            future.result()
    return {waiting[future].digest: future.result() for future in waiting}
