"""Everything that a release consists of, with its digests, before anything is written anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from catalog.releasing import record
from catalog.releasing.bundles import MOST_OBJECTS, bundle, entry
from catalog.releasing.foreign import ForeignBundle
from catalog.releasing.images import FoundImage
from catalog.releasing.objects import (
    CATALOG,
    DESCRIPTION,
    SOURCE,
    CatalogObject,
    ProgramImage,
    newest,
    version_order,
)
from catalog.releasing.places import Place
from catalog.releasing.record import BundleRecord, ForeignRecord, ImageRecord, Release
from catalog.releasing.rendering import Rendered, bundle_reference, git_clone_default, hub_reference, render
from taskkit.errors import TaskError
from taskkit.oci.images import Image

EVERYTHING = "catalog"
"""The repository of the bundle with the newest version of everything."""


@dataclass(frozen=True)
class Inputs:
    """``foreign``: how sources name git-clone's bundle → what a release names. ``hub_url``: named in references."""

    objects: tuple[CatalogObject, ...]
    images: Mapping[ProgramImage, FoundImage]
    foreign: Mapping[str, ForeignBundle]
    place: Place
    version: str
    hub_url: str = ""


@dataclass(frozen=True)
class Item:
    """Something with a tag in a repository below the place's prefix."""

    what: Literal["image", "bundle", "release", "mirrored"]
    title: str
    path: str
    tag: str
    image: Image

    @property
    def digest(self) -> str:
        return self.image.digest

    @property
    def size(self) -> int:
        return sum(blob.size for blob in self.image.blobs)


@dataclass(frozen=True)
class Released:
    """An object with its two renderings, which are the same for a Task, and its bundle's reference by digest."""

    source: CatalogObject
    for_hub: Rendered
    for_bundle: Rendered
    bundle: str


@dataclass(frozen=True)
class Plan:
    inputs: Inputs
    released: tuple[Released, ...]
    items: tuple[Item, ...]
    record: Release

    @property
    def everything(self) -> str:
        """The reference of the bundle with everything."""
        return next(one.reference for one in self.record.bundles if not one.kind)

    @property
    def artifact(self) -> str:
        item = self.items[-1]
        return self.inputs.place.reference(item.path, item.tag, item.digest)

    def find(self, kind: str, name: str, version: str) -> Released:
        return next(
            one
            for one in self.released
            if (one.source.kind, one.source.name, one.source.version) == (kind, name, version)
        )


def plan(inputs: Inputs) -> Plan:
    """Images first, then bundles of Tasks, of Pipelines, of everything, and the artifact last. Raises TaskError."""
    return _Planning(inputs).plan()


class _Planning:
    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.items: list[Item] = []
        self.bundles: list[BundleRecord] = []

    @cached_property
    def references(self) -> dict[ProgramImage, str]:
        place = self.inputs.place
        found = self.inputs.images.items()
        return {named: place.reference(named.program, named.tag, one.image.digest) for named, one in found}

    def plan(self) -> Plan:
        for named, found in sorted(self.inputs.images.items()):
            self.items.append(Item("image", named.program, named.program, named.tag, found.image))
        released = [self._release(one) for one in self.inputs.objects]
        self._everything([released[self.inputs.objects.index(one)] for one in newest(self.inputs.objects)])
        made = self._record()
        artifact = record.artifact(made, self.inputs.objects)
        self.items.append(Item("release", "release", record.PATH, self.inputs.version, artifact))
        return Plan(self.inputs, tuple(released), tuple(self.items), made)

    def _release(self, one: CatalogObject) -> Released:
        """Tasks come before Pipelines, so that their bundles are known."""
        pinned = self._git_clone(one)

        def in_hub(name: str) -> dict[str, object]:
            task = task_for(one, name, self.inputs.objects)
            return hub_reference(CATALOG, "Task", name, task.full_version, self.inputs.hub_url)

        def in_bundle(name: str) -> dict[str, object]:
            task = task_for(one, name, self.inputs.objects)
            path = bundle_path(task)
            found = next(made for made in self.bundles if made.path == path and made.version == task.version)
            return bundle_reference(found.reference, "Task", name)

        for_hub = render(one, self.references, in_hub, pinned)
        for_bundle = render(one, self.references, in_bundle, pinned)
        about = {
            "org.opencontainers.image.title": one.name,
            "org.opencontainers.image.description": one.summary,
            "org.opencontainers.image.version": one.full_version,
            "org.opencontainers.image.source": SOURCE,
            "org.opencontainers.image.licenses": one.annotations.get("artifacthub.io/license", ""),
        }
        image = bundle([entry(for_bundle.body)], {name: text for name, text in about.items() if text})
        return Released(
            one, for_hub, for_bundle, self._add_bundle(one.kind, one.name, one.version, bundle_path(one), image)
        )

    def _git_clone(self, one: CatalogObject) -> str:
        default = git_clone_default(one) if one.kind == "Pipeline" else ""
        return self.inputs.foreign[default].pinned if default in self.inputs.foreign else ""

    def _add_bundle(self, kind: str, name: str, version: str, path: str, image: Image) -> str:
        reference = self.inputs.place.reference(path, version, image.digest)
        self.items.append(Item("bundle", f"{kind} {name}".strip() or "everything", path, version, image))
        self.bundles.append(BundleRecord(kind, name, version, path, reference, image.digest))
        return reference

    def _everything(self, released: Sequence[Released]) -> None:
        if len(released) > MOST_OBJECTS:
            raise TaskError(
                f"{len(released)} Tasks and Pipelines are too many for one bundle of {MOST_OBJECTS}",
                "the resolver reads no more; divide the catalog",
            )
        about = {
            "org.opencontainers.image.title": CATALOG,
            "org.opencontainers.image.description": DESCRIPTION,
            "org.opencontainers.image.version": self.inputs.version,
            "org.opencontainers.image.source": SOURCE,
        }
        image = bundle([entry(one.for_bundle.body) for one in released], about)
        self._add_bundle("", "", self.inputs.version, EVERYTHING, image)

    def _record(self) -> Release:
        images = tuple(
            ImageRecord(
                program=named.program,
                version=named.tag,
                reference=self.references[named],
                digest=found.image.digest,
                platforms=found.platforms,
                size=sum(blob.size for blob in found.image.blobs),
            )
            for named, found in sorted(self.inputs.images.items())
        )
        foreign = tuple(
            ForeignRecord(default, one.path, one.tag, one.reference, one.digest)
            for default, one in sorted(self.inputs.foreign.items())
        )
        place, version = self.inputs.place.name, self.inputs.version
        return Release(CATALOG, version, place, self.inputs.hub_url, images, tuple(self.bundles), foreign)


def bundle_path(one: CatalogObject) -> str:
    """The repository of an object's bundle: ``tasks/sklearn-train``."""
    return f"{one.plural}/{one.name}"


def task_for(pipeline: CatalogObject, name: str, objects: Sequence[CatalogObject]) -> CatalogObject:
    """The Task that a Pipeline means by a name: the newest version that is not above its own.

    A Task's new version must not change a Pipeline that is released. Raises TaskError.
    """
    tasks = [one for one in objects if one.kind == "Task" and one.name == name]
    fitting = [one for one in tasks if version_order(one.version) <= version_order(pipeline.version)]
    if not fitting:
        there = ", ".join(one.version for one in tasks) or "none"
        where = f"Pipeline {pipeline.name} {pipeline.version}"
        raise TaskError(f"{where} uses Task {name}, of which there is no version up to that", f"there is: {there}")
    return fitting[-1]


def release_version(objects: Sequence[CatalogObject]) -> str:
    """The version of a release that is not given one: the highest of what is in it."""
    return max((one.version for one in objects), key=version_order)
