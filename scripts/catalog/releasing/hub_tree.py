"""A hub as files: what tkn (``tkn hub install``) and the hub resolver ask for, answered by any web server.

Every address is a folder whose ``index.html`` holds JSON: an address is also the parent of others, and clients follow
the redirect to the slash and ignore the type. Artifact Hub's shape is what both use today; the Tekton Hub's older shape
is for ``tkn`` up to 0.45 and ``--type tekton``, by whose default the catalog is called ``tekton``.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from catalog.releasing.objects import CATALOG, DESCRIPTION, KINDS, SOURCE, CatalogObject
from catalog.releasing.planning import Plan, Released
from catalog.releasing.record import Release
from taskkit.canonical import digest_of

REPOSITORY_KINDS = {"Task": 7, "Pipeline": 11}
"""Artifact Hub's numbers."""
OLD_CATALOGS = (CATALOG, "tekton")
MIN_VERSION = "tekton.dev/pipelines.minVersion"

Files = dict[str, bytes]


def hub_files(plan: Plan) -> Files:
    """Path below the hub's root → content."""
    values: dict[str, Any] = {"api/v1/repositories/search": [_repository(kind) for kind in KINDS]}
    for number, versions in enumerate(packages(plan), 1):
        values |= dict(_package(versions, plan.record)) | dict(_old(versions, number, plan.record))
    files = {f"{path}/index.html": _json(value) for path, value in values.items()}
    return files | {manifest_path(one.source): one.for_hub.text.encode() for one in plan.released}


def packages(plan: Plan) -> list[list[Released]]:
    """The versions of each Task and Pipeline, newest first."""
    found: dict[tuple[str, str], list[Released]] = {}
    for one in plan.released:
        found.setdefault((one.source.kind, one.source.name), []).insert(0, one)
    return list(found.values())


def manifest_path(source: CatalogObject) -> str:
    """Where the YAML itself lies, for ``kubectl apply -f``."""
    return f"{source.kind.lower()}/{source.name}/{source.version}/{source.name}.yaml"


def _json(value: Any) -> bytes:
    return (json.dumps(value, sort_keys=True, ensure_ascii=False, indent=1) + "\n").encode()


def _repository(kind: str) -> dict[str, Any]:
    return {
        "repository_id": _id("repository", kind),
        "name": CATALOG,
        "display_name": CATALOG,
        "kind": REPOSITORY_KINDS[kind],
        "url": f"{SOURCE}/{kind.lower()}",
        "organization_name": CATALOG,
        "organization_display_name": CATALOG,
        "official": False,
        "verified_publisher": False,
        "description": DESCRIPTION,
    }


def _id(*names: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join((SOURCE, *names))))


def _package(versions: Sequence[Released], release: Release) -> Iterator[tuple[str, Any]]:
    """The list, which is the newest version's page too, and every version under both ways to write it."""
    newest = versions[0].source
    base = f"api/v1/packages/tekton-{newest.kind.lower()}/{CATALOG}/{newest.name}"
    listed = [{"version": one.source.full_version, "prerelease": False} for one in versions]
    yield base, _version(versions[0], listed, release)
    for one in versions:
        for written in {one.source.version, one.source.full_version}:
            yield f"{base}/{written}", _version(one, listed, release)


def _version(one: Released, listed: Sequence[Mapping[str, Any]], release: Release) -> dict[str, Any]:
    source, told = one.source, one.source.annotations
    keywords = [word.strip() for word in told.get("tekton.dev/tags", "").split(",") if word.strip()]
    readme = source.beside("README.md")
    return {
        "package_id": _id(source.kind, source.name),
        "name": source.name,
        "normalized_name": source.name,
        "display_name": told.get("tekton.dev/displayName", source.name),
        "description": source.summary,
        "keywords": keywords,
        "license": told.get("artifacthub.io/license", ""),
        "provider": told.get("artifacthub.io/provider", ""),
        "home_url": SOURCE,
        "links": links(source),
        "deprecated": told.get("tekton.dev/deprecated") == "true",
        "prerelease": False,
        "version": source.full_version,
        "available_versions": list(listed),
        "digest": digest_of(one.for_hub.text.encode()),
        "containers_images": [{"image": image} for image in _images(one, release)],
        "repository": _repository(source.kind),
        "data": {
            "manifestRaw": one.for_hub.text,
            "pipelines.minVersion": told.get(MIN_VERSION, ""),
            "platforms": [text.strip() for text in told.get("tekton.dev/platforms", "").split(",") if text.strip()],
            "examples": source.samples,
            "bundle": one.bundle,
        },
        **({"readme": readme} if readme else {}),
    }


def links(source: CatalogObject) -> list[dict[str, str]]:
    """The links that an object's annotation lists, as Artifact Hub reads it."""
    found = yaml.safe_load(source.annotations.get("artifacthub.io/links", "")) or []
    return [{"name": str(one["name"]), "url": str(one["url"])} for one in found]


def _images(one: Released, release: Release) -> list[str]:
    return [image.reference for image in release.images if image.reference in one.for_hub.text]


def _old(versions: Sequence[Released], number: int, release: Release) -> Iterator[tuple[str, Any]]:
    """Tekton Hub's API, version 1: ids are numbers, versions are written as in the label, oldest first."""
    listed = [{"id": index, "version": one.source.version} for index, one in enumerate(reversed(versions), 1)]
    newest = versions[0].source
    kind = newest.kind.lower()
    resource = {"id": number, "name": newest.name, "kind": newest.kind}
    about = resource | {"versions": listed, "latestVersion": listed[-1]}
    yield f"v1/resource/{number}/versions", {"data": {"latest": listed[-1], "versions": listed}}
    for catalog in OLD_CATALOGS:
        base = f"v1/resource/{catalog}/{kind}/{newest.name}"
        yield base, {"data": about}
        for one in versions:
            raw = f"{release.hub_url}/{manifest_path(one.source)}" if release.hub_url else ""
            details = {
                "version": one.source.version,
                "description": one.source.summary,
                "minPipelinesVersion": one.source.annotations.get(MIN_VERSION, ""),
                "rawURL": raw,
                "resource": resource,
            }
            yield f"{base}/{one.source.version}", {"data": details}
            yield f"{base}/{one.source.version}/yaml", {"data": {"yaml": one.for_hub.text}}
