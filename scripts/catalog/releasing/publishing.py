"""From a plan to the registry: staged by digest, checked, tagged; tags go back where a later step fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from catalog.releasing.places import Place
from catalog.releasing.planning import Item
from catalog.releasing.progress import Progress
from taskkit.errors import TaskError
from taskkit.oci.content import Blob, Chunks
from taskkit.oci.images import Image


@dataclass(frozen=True)
class Standing:
    """An item, and what its tag leads to before the release; empty where there is no such tag."""

    item: Item
    before: str

    @property
    def action(self) -> str:
        if self.before == self.item.digest:
            return "there"
        return "replaces" if self.before else "new"


def standings(items: Sequence[Item], place: Place) -> list[Standing]:
    """Raises TaskError where the place can't be asked."""
    return [Standing(item, place.digest(item.path, item.tag)) for item in items]


def refuse_changes(found: Sequence[Standing], place: Place) -> None:
    """What is released stays as it is. Raises TaskError."""
    changed = [one for one in found if one.action == "replaces"]
    if not changed:
        return
    first = changed[0]
    where = place.reference(first.item.path, first.item.tag)
    more = f", and {len(changed) - 1} more" if len(changed) > 1 else ""
    raise TaskError(
        f"{where} is published with digest {first.before}, and this release would make it {first.item.digest}{more}",
        "raise the version (of the Task or Pipeline, its program, or --version), or replace it with --replace",
    )


def stage(found: Sequence[Standing], place: Place, progress: Progress) -> None:
    """Brings what is missing, whole, under digests only. What was brought before is found. Raises TaskError."""
    for one in found:
        if one.action == "there":
            continue
        with progress.bytes(f"push {one.item.title}", one.item.size) as advance:
            place.stage(one.item.path, counted(one.item.image, advance))


def counted(image: Image, advance: Callable[[int], None]) -> Image:
    """The same image; ``advance`` hears of the bytes that are read."""
    return replace(image, blobs=tuple(_counted(blob, advance) for blob in image.blobs))


def _counted(blob: Blob, advance: Callable[[int], None]) -> Blob:
    def read(offset: int) -> Chunks:
        for chunk in blob.read(offset):
            advance(len(chunk))
            yield chunk

    return Blob(blob.descriptor, read, blob.home)


@contextmanager
def tagged(found: Sequence[Standing], place: Place, say: Callable[[str], None]) -> Iterator[None]:
    """Sets all tags; where that, or what is done meanwhile, fails, they lead again to what they led to before.

    New tags that the registry won't delete stay: they lead to what is whole and checked, and a rerun finds it.
    """
    done: list[Standing] = []
    try:
        for one in found:
            if one.action != "there":
                done.append(one)
                place.tag(one.item.path, one.item.image.root, one.item.tag)
        yield
    except BaseException:
        _undo(done, place, say)
        raise


def _undo(done: Sequence[Standing], place: Place, say: Callable[[str], None]) -> None:
    for one in reversed(done):
        where = place.reference(one.item.path, one.item.tag)
        try:
            if one.before:
                place.tag(one.item.path, place.root(one.item.path, one.before), one.item.tag)
                say(f"put back: {where}")
            elif place.digest(one.item.path, one.item.tag):
                gone = place.untag(one.item.path, one.item.tag)
                say(f"taken away: {where}" if gone else f"stays, since the registry deletes no tags: {where}")
        except TaskError as error:
            say(f"could not be put back: {where} ({error})")
