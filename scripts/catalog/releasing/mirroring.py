"""A release from one place to another: copied by digest; in a registry, everything that names it rendered anew.

A folder holds a release as it was, to be carried over an air gap. In a registry each bundle is there twice: rendered
for it, and as it was (tag ``…-origin``) for whoever pinned its digest and lets the nodes' registry mirrors do the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from catalog.releasing import record
from catalog.releasing.bundles import Entry, bundle, read_bundle
from catalog.releasing.foreign import ForeignBundle, images_of, path_below, relocated, tag_of
from catalog.releasing.images import FoundImage
from catalog.releasing.objects import ProgramImage, read_objects, version_order
from catalog.releasing.places import FolderPlace, Place, whole_image
from catalog.releasing.planning import Inputs, Item, Plan, plan
from catalog.releasing.progress import Progress
from catalog.releasing.publishing import refuse_changes, stage, standings, tagged
from catalog.releasing.record import ForeignRecord, Release
from catalog.releasing.run import Done, Origin, carry_out
from catalog.releasing.verifying import verify_images, verify_tags
from taskkit.errors import TaskError
from taskkit.oci.documents import Document, parse_manifest
from taskkit.oci.images import Image, Store
from taskkit.oci.references import parse_registry_reference
from taskkit.oci.repository import Registries

_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Source:
    """A release in a place; ``version`` empty: the highest. ``with_git_clone``: bring its bundle and images along."""

    place: Place
    registries: Registries
    version: str = ""
    with_git_clone: bool = True

    @cached_property
    def root(self) -> Document:
        """The artifact's manifest. Raises TaskError."""
        versions = [tag for tag in self.place.tags(record.PATH) if _VERSION.fullmatch(tag)]
        if not versions or (self.version and self.version not in versions):
            asked = f"no release {self.version}" if versions else "no release"
            there = (
                f"there is: {', '.join(sorted(versions, key=version_order))}" if versions else "check the place's name"
            )
            raise TaskError(f"{self.place.name} holds {asked}", there)
        return self.place.root(record.PATH, self.version or max(versions, key=version_order))

    @cached_property
    def record(self) -> Release:
        return record.read_record(self.place.store(record.PATH), self.root)

    def image(self, path: str, digest: str) -> Image:
        return whole_image(self.place.store(path), self.place.root(path, digest))

    def foreign_bundle(self, told: ForeignRecord) -> tuple[Store, Document]:
        """Raises TaskError."""
        try:
            return self._foreign(told.reference, told.path, told.tag, told.digest)
        except TaskError as error:
            problem = f"git-clone's bundle {told.reference} can't be read: {error.problem}"
            raise TaskError(problem, "mirror from where it can be reached, or give --skip-git-clone") from error

    def foreign_image(self, reference: str) -> tuple[str, str, Image]:
        """Its repository below a mirror, its tag there, and the image that a reference in git-clone's bundle names."""
        parsed = parse_registry_reference(reference, "image of git-clone")
        path = path_below(parsed, (self.record.registry,))
        store, root = self._foreign(reference, path, tag_of(parsed), parsed.digest)
        return path, tag_of(parsed), whole_image(store, root)

    def _foreign(self, reference: str, path: str, tag: str, digest: str) -> tuple[Store, Document]:
        if isinstance(self.place, FolderPlace):
            return self.place.store(path), self.place.root(path, digest or tag)
        parsed = parse_registry_reference(reference, "reference")
        repository = self.registries.repository(parsed)
        return repository, repository.fetch(digest or parsed.tag or "latest")


def into_folder(source: Source, target: FolderPlace, progress: Progress, *, replace: bool) -> tuple[Item, ...]:
    """Copies everything as it is, what is missing only. Raises TaskError."""
    with progress.step(f"look up the release in {source.place.name}"):
        items = tuple(_as_it_is(source))
    found = standings(items, target)
    if not replace:
        refuse_changes(found, target)
    stage(found, target, progress)
    verify_images(items, target, progress)
    with tagged(found, target, progress.say):
        verify_tags(items, target)
    return items


def _as_it_is(source: Source) -> Iterator[Item]:
    told = source.record
    for one in told.images:
        yield Item("mirrored", one.program, one.program, one.version, source.image(one.program, one.digest))
    for made in told.bundles:
        title = f"{made.kind} {made.name}".strip() or "everything"
        yield Item("mirrored", title, made.path, made.version, source.image(made.path, made.digest))
    for foreign in told.foreign if source.with_git_clone else ():
        store, root = source.foreign_bundle(foreign)
        for reference in _images(read_bundle(store, root)):
            path, tag, image = source.foreign_image(reference)
            yield Item("mirrored", path.rpartition("/")[2], path, tag, image)
        yield Item("mirrored", "git-clone", foreign.path, foreign.tag, whole_image(store, root))
    artifact = whole_image(source.place.store(record.PATH), source.root)
    yield Item("mirrored", "release", record.PATH, told.version, artifact)


def _images(entries: Sequence[Entry]) -> list[str]:
    return sorted({image for entry in entries for image in images_of(entry.body)})


@dataclass(frozen=True)
class Carried:
    """git-clone in its new place: what has to be there, and how it is named."""

    items: tuple[Item, ...]
    bundle: ForeignBundle


def carried(source: Source, told: ForeignRecord, target: Place) -> Carried:
    """git-clone's images, and its bundle rendered for them. Raises TaskError."""
    store, root = source.foreign_bundle(told)
    entries = read_bundle(store, root)
    items, places = [], {}
    for reference in _images(entries):
        path, tag, image = source.foreign_image(reference)
        items.append(Item("mirrored", path.rpartition("/")[2], path, tag, image))
        places[reference] = target.reference(path, tag, image.digest)
    moved = [Entry(one.kind, one.name, one.api_version, relocated(one.body, places)) for one in entries]
    made = bundle(moved, parse_manifest(root.content, told.reference).annotations)
    items.append(Item("mirrored", "git-clone", told.path, told.tag, made))
    if root.digest != made.digest:
        origin = Item("mirrored", "git-clone as it was", told.path, f"{told.tag}-origin", whole_image(store, root))
        items.append(origin)
    return Carried(tuple(items), ForeignBundle(told.path, told.tag, target.reference(told.path, told.tag), made.digest))


def into_registry(
    source: Source,
    target: Place,
    out: Path,
    progress: Progress,
    *,
    hub_url: str,
    replace: bool,
    show: Callable[[Plan, Done, Path], None],
) -> None:
    """Copies images and git-clone, and releases the same sources there. Raises TaskError."""
    with TemporaryDirectory() as folder:
        with progress.step(f"look up the release in {source.place.name}"):
            record.unpack_tree(source.place.store(record.PATH), source.root, Path(folder))
            made, also = _plan(source, target, Path(folder), hub_url)
        done = carry_out(made, also, out, Origin(), progress, replace=replace)
    show(made, done, out)


def _plan(source: Source, target: Place, folder: Path, hub_url: str) -> tuple[Plan, tuple[Item, ...]]:
    told = source.record
    images = {}
    for image in told.images:
        named = ProgramImage(image.program, image.version)
        images[named] = FoundImage(named, source.image(image.program, image.digest), image.platforms, image.reference)
    foreign, also = {}, list[Item]()
    for one in told.foreign:
        if source.with_git_clone:
            brought = carried(source, one, target)
            foreign[one.default], also = brought.bundle, [*also, *brought.items]
        else:
            foreign[one.default] = ForeignBundle(one.path, one.tag, one.reference, one.digest)
    made = plan(Inputs(read_objects(folder), images, foreign, target, told.version, hub_url))
    new = {item.digest for item in made.items}
    for old in told.bundles:
        if old.digest not in new:
            title = f"{old.kind} {old.name}".strip() or "everything"
            copy = source.image(old.path, old.digest)
            also.append(Item("mirrored", f"{title} as it was", old.path, f"{old.version}-origin", copy))
    return made, tuple(also)
