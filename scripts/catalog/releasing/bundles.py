"""Tekton bundles: one object per layer, found by three annotations.

Contract: tektoncd/pipeline docs/tekton-bundle-contracts.md 0.1; what readers demand: pkg/resolution/resolver/bundle.
Nothing else may be in a bundle: the resolver refuses layers without the annotations.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import yaml

from catalog.releasing import gzip_format
from taskkit.canonical import canonical_json, digest_of
from taskkit.errors import TaskError
from taskkit.oci.content import Blob, bytes_blob
from taskkit.oci.documents import CONFIG, LAYER_GZIP, MANIFEST, Document, Manifest, document, parse_manifest
from taskkit.oci.images import EPOCH, Image, Store
from taskkit.oci.tar_layers import InlineFile, layer

MOST_OBJECTS = 20
_NAME, _KIND, _API = (f"dev.tekton.image.{part}" for part in ("name", "kind", "apiVersion"))
_LARGEST = 4 << 20


@dataclass(frozen=True)
class Entry:
    """An object of a bundle. ``kind`` is lower case, ``api_version`` without its group, as tkn writes them."""

    kind: str
    name: str
    api_version: str
    body: Mapping[str, Any]

    @property
    def title(self) -> str:
        return f"{self.kind}/{self.name}"


def entry(body: Mapping[str, Any]) -> Entry:
    """A Tekton object as an entry."""
    return Entry(body["kind"].lower(), body["metadata"]["name"], body["apiVersion"].rpartition("/")[2], body)


def bundle(entries: Sequence[Entry], annotations: Mapping[str, str]) -> Image:
    """The same objects give the same digest. Raises TaskError for more than a bundle holds, or one object twice."""
    if len(entries) > MOST_OBJECTS:
        remedy = "the resolver reads no more than that; reference the bundles of single objects"
        raise TaskError(f"{len(entries)} objects are too many for one bundle of {MOST_OBJECTS}", remedy)
    if len({(one.kind, one.name, one.api_version) for one in entries}) != len(entries):
        raise TaskError("a bundle can't hold two versions of one object", "put them into bundles of their own")
    made = [_layer(one) for one in entries]
    config = document(
        {
            "architecture": "amd64",  # of any platform; readers want some
            "os": "linux",
            "created": EPOCH,
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in made]},
        },
        CONFIG,
    )
    layers = tuple(blob for blob, _ in made)
    manifest = Manifest(
        config=config.descriptor,
        media_type=MANIFEST,
        layers=tuple(blob.descriptor for blob in layers),
        annotations=dict(annotations),
    )
    return Image(document(manifest, MANIFEST), (), (bytes_blob(config.content, CONFIG), *layers))


def _layer(one: Entry) -> tuple[Blob, str]:
    """A layer and the digest of its plain archive."""
    content = canonical_json(dict(one.body))
    archive = b"".join(layer([InlineFile(one.name, content)]).checked())
    blob = bytes_blob(gzip_format.stored(archive), LAYER_GZIP)
    annotations = {_NAME: one.name, _KIND: one.kind, _API: one.api_version}
    described = msgspec.structs.replace(blob.descriptor, annotations=annotations)
    return Blob(described, blob.read), digest_of(archive)


def read_bundle(store: Store, root: Document) -> tuple[Entry, ...]:
    """The objects of a bundle, read as the resolver does. Raises TaskError where it would refuse."""
    where = f"{store.name}@{root.digest}"
    layers = parse_manifest(root.content, where).layers
    if len(layers) > MOST_OBJECTS:
        raise TaskError(f"{where} has {len(layers)} layers, more than {MOST_OBJECTS}", "this is no Tekton bundle")
    found = []
    for number, descriptor in enumerate(layers):
        told = descriptor.annotations
        if missing := [name for name in (_NAME, _KIND, _API) if not told.get(name)]:
            raise TaskError(f"layer {number} of {where} has no annotation {missing[0]}", "this is no Tekton bundle")
        body = _first_file(b"".join(store.blob(descriptor).checked()), f"layer {number} of {where}")
        read = Entry(told[_KIND].lower().removesuffix("s"), told[_NAME], told[_API], body)
        if (body.get("kind", "").lower(), (body.get("metadata") or {}).get("name")) != (read.kind, read.name):
            raise TaskError(f"layer {number} of {where} is not the {read.title} that it says", "push it again")
        found.append(read)
    return tuple(found)


def _first_file(content: bytes, where: str) -> dict[str, Any]:
    try:
        with gzip.open(io.BytesIO(content)) as plain:
            archive = plain.read(_LARGEST + 1)
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            first = tar.next()
            stream = tar.extractfile(first) if first else None
            text = stream.read().decode() if stream else ""
        body = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except (OSError, EOFError, zlib.error, tarfile.TarError, ValueError, yaml.YAMLError) as error:
        raise TaskError(f"{where} can't be read ({error})", "this is no Tekton bundle, or it is damaged") from error
    if len(archive) > _LARGEST or not isinstance(body, dict):
        raise TaskError(f"{where} holds no Tekton object", "this is no Tekton bundle")
    return body
