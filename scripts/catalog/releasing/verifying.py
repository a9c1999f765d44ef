"""Everything that was published, read back as clients do: kubelet, bundle resolver, tkn, hub resolver."""

from __future__ import annotations

import hashlib
import re
import tarfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import yaml

from catalog.releasing.bundles import read_bundle
from catalog.releasing.contract import ARCHIVE, CATALOG_FILE
from catalog.releasing.hub_client import Hub, NotFoundError
from catalog.releasing.objects import CATALOG, read_body
from catalog.releasing.places import Place, whole_image
from catalog.releasing.planning import EVERYTHING, Item, Plan
from catalog.releasing.progress import Advance, Progress
from catalog.releasing.serving import HubHandler
from taskkit.errors import IntegrityError, TaskError
from taskkit.oci.content import Blob

_READERS = 4


def verify_images(items: Sequence[Item], place: Place, progress: Progress) -> int:
    """Every manifest and every byte of every blob, each digest checked. Gives the number of bytes. Raises TaskError."""
    seen: set[str] = set()
    todo: list[tuple[Item, Blob]] = []
    for item in items:
        store = place.store(item.path)
        root = place.root(item.path, item.digest)
        todo += [(item, blob) for blob in whole_image(store, root).blobs]
    total = sum({blob.digest: blob.size for _, blob in todo}.values())
    with progress.bytes("read everything back", total) as advance, ThreadPoolExecutor(_READERS) as pool:
        waiting = []
        for item, blob in todo:
            waiting.append(pool.submit(_read, item, blob, place, advance, whole=blob.digest not in seen))
            seen.add(blob.digest)
        for future in waiting:
            future.result()
    return total


def _read(item: Item, blob: Blob, place: Place, advance: Advance, *, whole: bool) -> None:
    """A blob that was read in full from another repository is only looked for."""
    chunks = blob.checked() if whole else blob.read(max(0, blob.size - 1))
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if whole:
            advance(len(chunk))
    if blob.size and not size:
        raise IntegrityError(f"{place.reference(item.path)} gave nothing for blob {blob.digest}", "run again")


def verify_tags(items: Sequence[Item], place: Place) -> None:
    """Raises TaskError where a tag does not lead to what was released."""
    for item in items:
        found = place.root(item.path, item.tag).digest
        if found != item.digest:
            where = place.reference(item.path, item.tag)
            raise IntegrityError(f"{where} leads to {found}, not to {item.digest}", "does somebody else release?")


def verify_bundles(plan: Plan) -> int:
    """The objects in the bundles are what was rendered, found as the resolver finds them. Raises TaskError."""
    place, count = plan.inputs.place, 0
    bodies = {(one.source.kind, one.source.name, one.source.version): one.for_bundle.body for one in plan.released}
    for told in plan.record.bundles:
        entries = read_bundle(place.store(told.path), place.root(told.path, told.digest))
        for entry in entries:
            wanted = [body for (kind, name, version), body in bodies.items()
                      if (kind.lower(), name) == (entry.kind, entry.name)
                      and (told.path == EVERYTHING or version == told.version)]  # fmt: skip
            if entry.body not in wanted:
                where = told.reference
                raise IntegrityError(f"{entry.title} in {where} is not what was rendered", "push it again")
            count += 1
    return count


def verify_references(plan: Plan) -> None:
    """Every reference by digest in the rendered YAML leads to something of this release. Raises TaskError."""
    known = {image.reference for image in plan.record.images} | {told.reference for told in plan.record.bundles}
    known |= {one.pinned for one in plan.inputs.foreign.values()}
    for released in plan.released:
        for text in (released.for_hub.text, released.for_bundle.text):
            for reference in re.findall(r"[\w./:-]+@sha256:[0-9a-f]{64}", text):
                if reference not in known:
                    raise IntegrityError(f"{released.source.name} names {reference}, which is not released", "")


@contextmanager
def served(folder: Path) -> Iterator[Hub]:
    """A hub's folder on a free port of the loopback interface."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(HubHandler, directory=str(folder), quiet=True))
    server.daemon_threads = True
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield Hub(f"http://127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        server.server_close()


def verify_hub(plan: Plan, folder: Path) -> int:
    """Installs and resolves everything from a served hub; gives the number of look-ups. Raises TaskError."""
    count = 0
    with served(folder) as hub:
        for one in plan.released:
            source, wanted = one.source, one.for_hub.text
            found = [hub.resolved(CATALOG, source.kind, source.name, version) for version in _ways(source.version)]
            if source.kind == "Task":
                found += [hub.installed(CATALOG, source.name, version) for version in _written(source.version)]
                found.append(hub.installed_by_old_tkn("tekton", source.name, source.version))
            if any(text != wanted for text in found):
                raise IntegrityError(f"the hub gives another {source.kind} {source.name} than was rendered", "")
            read_body(found[0], f"{source.kind} {source.name}")
            count += len(found)
        for look_up in (partial(hub.resolved, CATALOG, "task", "no-such-task", ">= 0.1.0"),
                        partial(hub.installed, CATALOG, "no-such-task")):  # fmt: skip
            _must_be_unknown(look_up)
            count += 1
    return count


def _written(version: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((version, ".".join([*version.split("."), "0"][:3]))))


def _ways(version: str) -> tuple[str, ...]:
    """A version as users ask for it: as written, in full, and by constraints that only it fits."""
    return (*_written(version), f">= {version}, <= {version}", f"= {version}")


def _must_be_unknown(look_up: partial[str]) -> None:
    try:
        look_up()
    except NotFoundError:
        return
    raise TaskError("the hub answers for what it does not have", "serve plain files")


def verify_contract(folder: Path) -> None:
    """The checksums in ``catalog.yaml`` are those of the files in the archive. Raises TaskError."""
    contract = yaml.safe_load((folder / CATALOG_FILE).read_text(encoding="utf-8"))["catalog"]["resources"]
    with tarfile.open(folder / ARCHIVE) as tar:
        for resource in (one for kind in contract.values() for one in kind):
            stream = tar.extractfile(resource["filename"])
            content = stream.read() if stream else b""
            if hashlib.sha256(content).hexdigest() != resource["checksum"]:
                raise IntegrityError(f"{resource['filename']} in {ARCHIVE} is not what {CATALOG_FILE} says", "")
