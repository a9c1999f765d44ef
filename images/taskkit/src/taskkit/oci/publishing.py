"""A whole image into a layout or a repository: blobs first, then manifests, the tag last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from taskkit.errors import TaskError
from taskkit.oci.content import Blob, bytes_blob
from taskkit.oci.documents import Document
from taskkit.oci.images import Image
from taskkit.oci.layout import Layout

OnExistingTag = Literal["fail", "keep", "move"]
BlobFate = Literal["present", "mounted", "written"]


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
        raise TaskError(f"{shown} is there already with digest {existing}, and this image is {digest}",
                        "give another tag, or set on-existing-tag to keep or move")  # fmt: skip
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
    for blob in (*image.blobs, *(_as_blob(one) for one in (*image.children, image.root))):
        fresh = layout.add(blob)
        fates[blob.digest] = "written" if fresh else "present"
        written += blob.size if fresh else 0
    named = layout.name_image(image.root.descriptor, tag)
    return Published(image.digest, fates, written, unchanged=not named and not written)


def _as_blob(found: Document) -> Blob:
    return bytes_blob(found.content, found.descriptor.media_type)
