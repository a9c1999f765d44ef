"""Which image stands behind each program's reference: built from this tree, given, or published before."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from catalog.imaging.finishing import OCI
from catalog.releasing.objects import ProgramImage
from catalog.releasing.places import FolderPlace, Place, whole_image
from catalog.tree import Tree
from taskkit.errors import TaskError
from taskkit.oci.documents import Document
from taskkit.oci.images import Image, read_base


@dataclass(frozen=True)
class FoundImage:
    """``origin`` says where it comes from."""

    named: ProgramImage
    image: Image
    platforms: tuple[str, ...]
    origin: str


def built_images(tree: Tree, versions: dict[str, str]) -> Callable[[ProgramImage], FoundImage | None]:
    """What ./scripts/images left in .images/, for programs at their present version."""
    place = FolderPlace(tree.root / ".images")

    def find(named: ProgramImage) -> FoundImage | None:
        if versions.get(named.program) != named.tag:
            return None
        return _in_folder(place, named)

    return find


def given_images(place: Place) -> Callable[[ProgramImage], FoundImage | None]:
    """From a folder of layouts or below a prefix of a registry, by program and tag."""

    def find(named: ProgramImage) -> FoundImage | None:
        if isinstance(place, FolderPlace):
            return _in_folder(place, named)
        digest = place.digest(named.program, named.tag)
        return _checked(place, named, place.root(named.program, digest)) if digest else None

    return find


def _in_folder(place: FolderPlace, named: ProgramImage) -> FoundImage | None:
    """The image with the tag, else the one without any."""
    layout = place.store(named.program)
    tag = next((tag for tag in (named.tag, "") if tag in layout.tags()), None)
    entry = layout.find(tag) if tag is not None else None
    return _checked(place, named, layout.manifest(entry)) if entry else None


def _checked(place: Place, named: ProgramImage, root: Document) -> FoundImage:
    """Raises TaskError where the image says it is another version."""
    store = place.store(named.program)
    platforms = read_base(store, root).platforms
    for one in platforms:
        told = one.labels.get(OCI + "version", named.tag)
        if told != named.tag:
            where = place.reference(named.program, digest=root.digest)
            raise TaskError(f"{where} is version {told}, not {named.tag}", "build it: ./scripts/images build")
    origin = place.reference(named.program, named.tag)
    return FoundImage(named, whole_image(store, root), tuple(str(one.platform) for one in platforms), origin)


def find_images(
    wanted: Sequence[ProgramImage], sources: Sequence[Callable[[ProgramImage], FoundImage | None]]
) -> dict[ProgramImage, FoundImage]:
    """Each from the first source that has it. Raises TaskError that lists what is missing."""
    found = {}
    for named in wanted:
        image = next((image for source in sources if (image := source(named))), None)
        if image:
            found[named] = image
    if missing := [f"{one.program}:{one.tag}" for one in wanted if one not in found]:
        remedy = "build them with ./scripts/images build, or say where they are with --images"
        raise TaskError(f"there is no image for {', '.join(missing)}", remedy)
    return found


def stale(tree: Tree, programs: Sequence[str]) -> list[str]:
    """Those without an image in .images/, or with one that was built from another commit of images/."""
    commit = last_commit(tree, "images")
    return [program for program in programs if _revision(tree, program) != commit]


def _revision(tree: Tree, program: str) -> str:
    layout = FolderPlace(tree.root / ".images").store(program)
    entry = layout.find()
    if entry is None:
        return "not built"
    return read_base(layout, layout.manifest(entry)).platforms[0].labels.get(OCI + "revision", "")


def last_commit(tree: Tree, *paths: str) -> str:
    """The last commit that changed paths (all without any); empty outside of a git checkout."""
    return _git(tree, "log", "-1", "--format=%H", "--", *paths)


def uncommitted(tree: Tree) -> bool:
    """Whether anything that a release is made of differs from the last commit."""
    return bool(_git(tree, "status", "--porcelain", "--", "images", "task", "pipeline"))


def _git(tree: Tree, *arguments: str) -> str:
    command = ["git", *arguments]
    try:
        done = subprocess.run(command, cwd=tree.root, check=False, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
