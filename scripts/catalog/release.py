"""``./scripts/release``: publishes images, bundles, hub and pages; ``./scripts/release mirror`` copies a release."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from catalog import images as built
from catalog.imaging.errors import ImageError
from catalog.releasing import foreign, mirroring, record
from catalog.releasing.images import (
    FoundImage,
    built_images,
    find_images,
    given_images,
    last_commit,
    stale,
    uncommitted,
)
from catalog.releasing.objects import ProgramImage, program_images, read_objects
from catalog.releasing.places import FolderPlace, RegistryPlace, parse_place, registry_place
from catalog.releasing.planning import Inputs, Item, Plan, plan, release_version
from catalog.releasing.progress import Progress
from catalog.releasing.publishing import standings
from catalog.releasing.rendering import git_clone_default
from catalog.releasing.run import Done, Origin, carry_out
from catalog.tree import TREE, Tree
from taskkit.errors import TaskError, UsageError
from taskkit.oci.repository import Registries
from taskkit.oci.transport import Patience

DONE, INTERRUPTED = 0, 130
_VERSION = re.compile(r"v?(\d+\.\d+(?:\.\d+)?)")
_HURRY = Patience(attempts=2, total=5.0)
"""For what a release can do without."""


@dataclass(frozen=True)
class Settings:
    """What the command line asks of a release."""

    registry: str
    version: str
    hub_url: str
    git_clone_bundle: str | None
    images: str
    insecure: tuple[str, ...]
    out: Path
    dry_run: bool
    rebuild: bool
    skip_checks: bool
    replace: bool


def main(argv: Sequence[str]) -> int:
    mirrors = list(argv[:1]) == ["mirror"]
    options = _mirror_parser().parse_args(argv[1:]) if mirrors else _parser().parse_args(argv)
    progress = Progress()
    try:
        if mirrors:
            _mirror(options, progress)
        else:
            publish(_settings(options), TREE, progress)
    except (TaskError, ImageError) as error:
        print(f"release: error: {error}", file=sys.stderr)
        return error.exit_code if isinstance(error, TaskError) else 3
    except KeyboardInterrupt:
        print("release: interrupted; run it again to go on", file=sys.stderr)
        return INTERRUPTED
    return DONE


def _settings(options: argparse.Namespace) -> Settings:
    return Settings(
        registry=options.registry,
        version=parse_version(options.version) if options.version else "",
        hub_url=parse_hub_url(options.hub_url),
        git_clone_bundle=options.git_clone_bundle,
        images=options.images,
        insecure=tuple(options.insecure_registry),
        out=options.out,
        dry_run=options.dry_run,
        rebuild=options.rebuild,
        skip_checks=options.skip_checks,
        replace=options.replace,
    )


def parse_version(text: str) -> str:
    """Raises UsageError."""
    match = _VERSION.fullmatch(text)
    if match is None:
        raise UsageError(f"--version '{text}' is no version", "write it like 0.1 or 0.1.2")
    return match[1]


def parse_hub_url(text: str) -> str:
    """Raises UsageError."""
    if text and not re.match(r"https?://[^/]", text):
        raise UsageError(f"--hub-url '{text}' is no http(s) address", "write it like https://my-team.example.com/hub")
    return text.rstrip("/")


def publish(settings: Settings, tree: Tree, progress: Progress) -> None:
    """Raises TaskError, ImageError."""
    registries = Registries(insecure=settings.insecure)
    place = registry_place(settings.registry, "--registry", registries)
    origin = Origin(last_commit(tree), uncommitted(tree))
    if not settings.dry_run:
        _check(settings, tree, progress)
    made = _plan(settings, tree, place, registries, progress)
    if settings.dry_run:
        _show_plan(made)
        return
    if origin.uncommitted:
        progress.say("note: there are changes that are not committed; release.json says so")
    done = carry_out(made, (), settings.out, origin, progress, replace=settings.replace)
    show_done(made, done, settings.out)


def _check(settings: Settings, tree: Tree, progress: Progress) -> None:
    if settings.skip_checks:
        return
    with progress.step("./scripts/check"):
        done = subprocess.run([tree.root / "scripts" / "check"], check=False, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout, done.stderr, sep="", end="", file=sys.stderr)
        raise TaskError("./scripts/check found what must not be released, see above", "mend it, or give --skip-checks")


def _plan(settings: Settings, tree: Tree, place: RegistryPlace, registries: Registries, progress: Progress) -> Plan:
    objects = read_objects(tree.root)
    images = _images(settings, tree, place, program_images(objects), registries)
    defaults = {default for one in objects if one.kind == "Pipeline" if (default := git_clone_default(one))}
    hurried = Registries(insecure=settings.insecure, patience=_HURRY)
    version = settings.version or release_version(objects)
    pinned = {default: foreign.pin(settings.git_clone_bundle or default, hurried) for default in sorted(defaults)}
    for default, one in pinned.items():
        if not one.digest and (before := _pinned_before(place, version, one.reference)):
            pinned[default] = replace(one, digest=before)
        elif not one.digest:
            progress.say(f"note: {one.reference} stays a tag, its digest is not to be had: {one.why_unpinned}")
    return plan(Inputs(objects, images, pinned, place, version, settings.hub_url))


def _pinned_before(place: RegistryPlace, version: str, reference: str) -> str:
    """The digest that the same release was published with, where its registry was in reach then."""
    try:
        if not place.digest(record.PATH, version):
            return ""
        told = record.read_record(place.store(record.PATH), place.root(record.PATH, version))
    except TaskError:
        return ""
    return next((one.digest for one in told.foreign if one.reference == reference), "")


def _images(
    settings: Settings, tree: Tree, place: RegistryPlace, wanted: Sequence[ProgramImage], registries: Registries
) -> dict[ProgramImage, FoundImage]:
    """Given ones, or built ones for the programs' present versions; what older versions use was published before."""
    if settings.images:
        sources = [given_images(parse_place(settings.images, "--images", registries))]
        return find_images(wanted, [*sources, given_images(place)])
    versions = {name: str(built.project(name)["version"]) for name in built.programs()}
    needed = [one.program for one in wanted if versions.get(one.program) == one.tag]
    to_build = needed if settings.rebuild else stale(tree, needed)
    if to_build and settings.dry_run:
        remedy = "./scripts/images build, or --images PLACE"
        raise TaskError(
            f"the images of {', '.join(to_build)} are not built from this commit, so have no digest", remedy
        )
    if to_build:
        built.build(to_build, "", "")
    return find_images(wanted, [built_images(tree, versions), given_images(place)])


def _show_plan(made: Plan) -> None:
    table = _table(f"{made.record.catalog} {made.record.version} to {made.record.registry} (nothing is written)")
    try:
        found = {id(one.item): one.action for one in standings(made.items, made.inputs.place)}
    except TaskError as error:
        print(f"note: {error}", file=sys.stderr)
        found = {}
    for item in made.items:
        table.add_row(item.title, f"{item.path}:{item.tag}", item.digest, found.get(id(item), "unknown"))
    _print(table)


def _table(title: str) -> Table:
    table = Table("what", "repository:tag", "digest", "state", title=title, title_justify="left", box=None)
    for column in table.columns:
        column.overflow, column.no_wrap = "ignore", True
    return table


def _print(table: Table) -> None:
    """In full, wherever it goes: digests are to be copied."""
    console = Console(highlight=False)
    console.width = max(console.width, 220)
    console.print(table, soft_wrap=True)


def show_done(made: Plan, done: Done, out: Path) -> None:
    table = _table(f"{made.record.catalog} {made.record.version} in {made.record.registry}")
    for one in done.standings:
        table.add_row(one.item.title, f"{one.item.path}:{one.item.tag}", one.item.digest, one.action)
    _print(table)
    print(
        f"read back: {len(done.standings)} artifacts with {done.bytes_read / 1e6:.1f} MB, {done.objects_read} objects "
        f"in bundles, {done.look_ups} answers of the hub\n"
        f"hub and pages: {out / 'hub'} (./scripts/hub serves them), record: {out / 'release.json'}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./scripts/release",
        description="Publishes images, bundles, hub and pages. For copies elsewhere: ./scripts/release mirror --help",
    )
    parser.add_argument("--registry", required=True, metavar="REGISTRY/PREFIX", help="where images and bundles go")
    parser.add_argument("--version", default="", metavar="V", help="of the release (default: the highest in the tree)")
    parser.add_argument("--dry-run", action="store_true", help="print what would be published, with digests")
    images = "REGISTRY/PREFIX or a folder of OCI layouts with the images (default: built here)"
    parser.add_argument("--images", default="", metavar="PLACE", help=images)
    parser.add_argument("--rebuild", action="store_true", help="build images even where .images is up to date")
    parser.add_argument("--skip-checks", action="store_true", help="without ./scripts/check")
    parser.add_argument("--git-clone-bundle", metavar="REFERENCE", help="in place of the one that the Pipeline names")
    _shared(parser)
    return parser


def _mirror_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./scripts/release mirror",
        description="Copies a release, with git-clone's bundle and images, to another registry or through a folder.",
    )
    place = "REGISTRY/PREFIX, or a folder"
    parser.add_argument("--from", dest="source", required=True, metavar="A", help=place)
    parser.add_argument("--to", dest="target", required=True, metavar="B", help=place)
    parser.add_argument("--version", default="", metavar="V", help="of the release (default: the highest in A)")
    parser.add_argument("--skip-git-clone", action="store_true", help="leave git-clone's bundle where it is")
    _shared(parser)
    return parser


def _shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("dist"), metavar="FOLDER", help="default: %(default)s")
    hub = "where the hub will be served; references name it then (for Tekton 1.11 and later)"
    parser.add_argument("--hub-url", default="", metavar="URL", help=hub)
    parser.add_argument("--replace", action="store_true", help="let tags move that are published with other digests")
    plain = "plain HTTP; loopback and private addresses are tried so by themselves"
    parser.add_argument("--insecure-registry", action="append", default=[], metavar="HOST", help=plain)


def _mirror(options: argparse.Namespace, progress: Progress) -> None:
    """Raises TaskError."""
    registries = Registries(insecure=options.insecure_registry)
    source = parse_place(options.source, "--from", registries)
    target = parse_place(options.target, "--to", registries)
    if source == target:
        raise UsageError(f"--from and --to are both {source.name}", "name two places")
    version = parse_version(options.version) if options.version else ""
    wanted = mirroring.Source(source, registries, version, with_git_clone=not options.skip_git_clone)
    if isinstance(target, FolderPlace):
        items = mirroring.into_folder(wanted, target, progress, replace=options.replace)
        show_copied(items, target)
        return
    hub_url = parse_hub_url(options.hub_url)
    mirroring.into_registry(
        wanted, target, options.out, progress, hub_url=hub_url, replace=options.replace, show=show_done
    )


def show_copied(items: Sequence[Item], target: FolderPlace) -> None:
    table = _table(f"in {target.name}")
    for item in items:
        table.add_row(item.title, f"{item.path}:{item.tag}", item.digest, "there")
    _print(table)
    print(f"on the other side: ./scripts/release mirror --from {target.name} --to REGISTRY/PREFIX")
