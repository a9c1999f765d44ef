"""``catalog.yaml`` and ``resources.tar.gz`` by the contract of openshift-pipelines/catalog-cd (docs/catalog.md, v1).

In the tree the file lists the sources, every version of them; in a release the files of the archive, which has a place
for one version of each name: the newest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from catalog.releasing import gzip_format
from catalog.releasing.objects import DESCRIPTION, CatalogObject, newest, read_objects
from catalog.releasing.planning import Plan
from taskkit.oci.tar_layers import InlineFile, layer

CATALOG_FILE = "catalog.yaml"
ARCHIVE = "resources.tar.gz"
_HEAD = "# The catalog's Tasks and Pipelines, for tools that read catalogs; ./scripts/fix writes it anew.\n"


def _contract(
    objects: Sequence[CatalogObject], filename: Callable[[CatalogObject], str], content: Callable[[CatalogObject], str]
) -> str:
    resources: dict[str, list[dict[str, str]]] = {"tasks": [], "pipelines": [], "stepactions": []}
    for one in objects:
        resources[one.plural].append(
            {
                "name": one.name,
                "version": one.full_version,
                "filename": filename(one),
                "checksum": hashlib.sha256(content(one).encode()).hexdigest(),
                "signature": "",
            }
        )
    document = {
        "version": "v1",
        "catalog": {"repository": {"description": DESCRIPTION}, "attestation": {}, "resources": resources},
    }
    return "---\n" + yaml.safe_dump(document, sort_keys=False, width=120)


def source_catalog(root: Path) -> str:
    """The text of the tree's own ``catalog.yaml``. Raises TaskError."""

    def filename(one: CatalogObject) -> str:
        return f"{one.kind.lower()}/{one.name}/{one.version}/{one.name}.yaml"

    head, _, body = _contract(read_objects(root), filename, lambda one: one.text).partition("\n")
    return f"{head}\n{_HEAD}{body}"


def release_files(plan: Plan) -> dict[str, bytes]:
    """``catalog.yaml`` and ``resources.tar.gz`` of a release. Pipelines refer to bundles: that works without a hub."""
    texts = {(one.source.kind, one.source.name, one.source.version): one.for_bundle.text for one in plan.released}
    objects = newest(plan.inputs.objects)

    def text(one: CatalogObject) -> str:
        return texts[one.kind, one.name, one.version]

    def filename(one: CatalogObject) -> str:
        return f"{one.plural}/{one.name}/{one.name}.yaml"

    entries = [InlineFile(filename(one), text(one).encode()) for one in objects]
    entries += [
        InlineFile(f"{one.plural}/{one.name}/README.md", readme.encode())
        for one in objects
        if (readme := one.beside("README.md"))
    ]
    archive = b"".join(layer(entries).checked())
    return {CATALOG_FILE: _contract(objects, filename, text).encode(), ARCHIVE: gzip_format.stored(archive)}
