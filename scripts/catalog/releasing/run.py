"""A release from plan to end, the same for the tree and for a mirror."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from catalog.releasing import contract, dist, record, site
from catalog.releasing.hub_tree import hub_files
from catalog.releasing.planning import Item, Plan
from catalog.releasing.progress import Progress
from catalog.releasing.publishing import Standing, refuse_changes, stage, standings, tagged
from catalog.releasing.verifying import (
    verify_bundles,
    verify_contract,
    verify_hub,
    verify_images,
    verify_references,
    verify_tags,
)

RECORD_FILE = "release.json"


@dataclass(frozen=True)
class Origin:
    """The commit that a release is made from; empty for a mirror."""

    commit: str = ""
    uncommitted: bool = False


@dataclass(frozen=True)
class Done:
    standings: tuple[Standing, ...]
    look_ups: int
    objects_read: int
    bytes_read: int


def all_files(plan: Plan, origin: Origin) -> dict[str, bytes]:
    """Everything of the folder: the hub and its pages, rendered YAML, the contract's files, the record."""
    files = {f"hub/{name}": content for name, content in (hub_files(plan) | site.site_files(plan)).items()}
    for one in plan.released:
        source = one.source
        folder = f"yaml/{source.kind.lower()}/{source.name}/{source.version}"
        files[f"{folder}/{source.name}.yaml"] = one.for_bundle.text.encode()
        if source.kind == "Pipeline":
            files[f"{folder}/{source.name}-hub.yaml"] = one.for_hub.text.encode()
    files |= contract.release_files(plan)
    written = record.written(plan.record, plan.artifact, origin.commit, origin.uncommitted, dist.checksums(files))
    return files | {RECORD_FILE: written}


def carry_out(
    plan: Plan, also: tuple[Item, ...], out: Path, origin: Origin, progress: Progress, *, replace: bool
) -> Done:
    """Publishes, checks and writes the folder; ``also``: what a mirror brings along. Raises TaskError.

    Nothing that was published before changes unless everything succeeds: tags are set when all they lead to has been
    read back, and are put back where a later check fails; the folder is replaced last.
    """
    place, items = plan.inputs.place, (*also, *plan.items)
    found = standings(items, place)
    if not replace:
        refuse_changes(found, place)
    stage(found, place, progress)
    with dist.staged(out) as fresh:
        with progress.step("write hub, pages, YAML"):
            dist.write(fresh, all_files(plan, origin))
            verify_contract(fresh)
        verify_references(plan)
        bytes_read = verify_images(items, place, progress)
        with progress.step("read bundles as the resolver does"):
            objects_read = verify_bundles(plan)
        with progress.step("install and resolve from the hub"):
            look_ups = verify_hub(plan, fresh / "hub")
        with tagged(found, place, progress.say):
            with progress.step("set and check tags"):
                verify_tags(items, place)
            dist.put_in_place(fresh, out)
    return Done(tuple(found), look_ups, objects_read, bytes_read)
