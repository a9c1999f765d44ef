"""A repository in a registry: the requests of distribution-spec 1.1 for manifests, blobs and tags."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from urllib3.exceptions import HTTPError

from taskkit.canonical import CHUNK, digest_of
from taskkit.errors import IntegrityError, TaskError
from taskkit.oci.authorization import read_docker_config
from taskkit.oci.content import Blob, Chunks, skipping
from taskkit.oci.documents import DOCUMENT_LIMIT, INDEXES, MANIFESTS, Descriptor, Document, media_type_of
from taskkit.oci.references import RegistryReference
from taskkit.oci.registry import RefusedError, Registry, read_some
from taskkit.oci.transport import (
    BODY_SECONDS,
    ERROR_BODY_LIMIT,
    ConnectionFailedError,
    Patience,
    Response,
    Transport,
    absolute,
    connection_failed,
    drain,
    pieces,
)


class Registries:
    """All registries of one run. Safe to use from several threads."""

    def __init__(
        self,
        docker_config: Path | None = None,
        ca_directory: Path | None = None,
        insecure: Iterable[str] = (),
        patience: Patience | None = None,
    ) -> None:
        self.transport = Transport(ca_directory, patience)
        self._config = read_docker_config(docker_config)
        self._insecure = frozenset(insecure)
        self._known: dict[str, Registry] = {}

    def repository(self, reference: RegistryReference) -> Repository:
        host = reference.registry
        if host not in self._known:
            self._known[host] = Registry(host, self.transport, self._config, plain=host in self._insecure)
        return Repository(self._known[host], reference.repository)


@dataclass(frozen=True)
class Repository:
    """A repository: manifests, blobs, tags. Every request that fails raises TaskError in one line."""

    registry: Registry
    path: str

    @property
    def name(self) -> str:
        return f"{self.registry.host}/{self.path}"

    @property
    def pull(self) -> frozenset[str]:
        return frozenset({f"repository:{self.path}:pull"})

    @property
    def push(self) -> frozenset[str]:
        return frozenset({f"repository:{self.path}:pull,push"})

    def url(self, rest: str) -> str:
        return f"/v2/{self.path}/{rest}"

    def refuse(self, response: Response, what: str) -> RefusedError:
        return self.registry.refused(response, read_some(response, ERROR_BODY_LIMIT), what, self.path)

    def digest_of_tag(self, tag: str) -> str:
        """The digest that a tag leads to, empty where there is no such tag. Asked as one who may push."""
        accept = {"Accept": ", ".join((*INDEXES, *MANIFESTS))}
        response = self.registry.send("HEAD", self.url(f"manifests/{tag}"), self.push, accept)
        drain(response)
        if response.status == 404:
            return ""
        if response.status != 200:
            raise self.refuse(response, f"look up {self.name}:{tag}")
        return response.headers.get("Docker-Content-Digest") or self.fetch(tag).digest

    def fetch(self, reference: str) -> Document:
        """A manifest or index by tag or digest, its digest checked. Raises TaskError."""
        accept = {"Accept": ", ".join((*INDEXES, *MANIFESTS))}
        content, response = self._whole(f"manifests/{reference}", accept, f"{self.name} ({reference})")
        told = reference if reference.startswith("sha256:") else response.headers.get("Docker-Content-Digest", "")
        found = digest_of(content)
        if told.startswith("sha256:") and found != told:
            raise IntegrityError(
                f"{self.name} gave a manifest with digest {found} for {reference}, not {told}",
                "the registry or something on the way is broken; run again",
            )
        kind = media_type_of(content, response.headers.get("Content-Type", ""), f"{self.name}@{found}")
        return Document(content, Descriptor(kind, found, len(content)))

    def manifest(self, descriptor: Descriptor) -> Document:
        return self.fetch(descriptor.digest)

    def document(self, descriptor: Descriptor) -> Document:
        """A blob of a few kilobytes, such as an image's config, its digest checked."""
        content, _ = self._whole(f"blobs/{descriptor.digest}", {}, f"{self.name} blob {descriptor.digest}")
        if digest_of(content) != descriptor.digest:
            raise IntegrityError(f"{self.name} gave {digest_of(content)} for blob {descriptor.digest}", "run again")
        return Document(content, descriptor)

    def _whole(self, rest: str, headers: Mapping[str, str], what: str) -> tuple[bytes, Response]:
        """A document read to its end; asked for again where it broke off."""
        patience, spent, attempt = self.registry.transport.patience, 0.0, 0
        while True:
            attempt += 1
            response = self.registry.send("GET", self.url(rest), self.pull, headers)
            if response.status != 200:
                raise self.refuse(response, f"give {what}")
            try:
                return _limited(response, what), response
            except (HTTPError, OSError) as error:
                pause = patience.pause(attempt, spent, None)
                if pause is None:
                    raise connection_failed(f"reading {what}", error) from error
                patience.sleep(pause)
                spent += pause

    def blob(self, descriptor: Descriptor) -> Blob:
        """A blob that is streamed when it is read, resumed where the connection broke off."""
        home = RegistryReference(self.registry.host, self.path)
        return Blob(descriptor, lambda offset: self._stream(descriptor, offset), home)

    def _stream(self, descriptor: Descriptor, offset: int) -> Chunks:
        patience, spent, attempt, at = self.registry.transport.patience, 0.0, 0, offset
        while at < descriptor.size:
            attempt += 1
            before = at
            try:
                for chunk in self._once(descriptor, at):
                    at += len(chunk)
                    yield chunk
                if at < descriptor.size:
                    raise ConnectionFailedError(
                        f"blob {descriptor.digest} of {self.name} ended after {at} bytes", "run again"
                    )
            except (HTTPError, OSError, ConnectionFailedError) as error:
                attempt = 1 if at > before else attempt
                pause = patience.pause(attempt, spent, None)
                if pause is None:
                    raise connection_failed(f"reading blob {descriptor.digest} of {self.name}", error) from error
                patience.sleep(pause)
                spent += pause

    def _once(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        response = self.registry.send("GET", self.url(f"blobs/{descriptor.digest}"), self.pull, headers)
        if response.status not in (200, 206):
            raise self.refuse(response, f"give blob {descriptor.digest} of {self.name}")
        chunks = response.stream(CHUNK, decode_content=False)
        yield from skipping(chunks, offset) if response.status == 200 else chunks

    def has_blob(self, descriptor: Descriptor) -> bool:
        response = self.registry.send("HEAD", self.url(f"blobs/{descriptor.digest}"), self.push)
        drain(response)
        if response.status not in (200, 404):
            raise self.refuse(response, f"look up blob {descriptor.digest} in {self.name}")
        return response.status == 200

    def put_manifest(self, found: Document, reference: str) -> None:
        """Raises TaskError, also where the registry stored something else."""
        headers = {"Content-Type": found.descriptor.media_type}
        response = self.registry.send("PUT", self.url(f"manifests/{reference}"), self.push, headers, found.content)
        if response.status not in (200, 201, 202):
            raise self.refuse(response, f"store the manifest {self.name} ({reference})")
        drain(response)
        told = response.headers.get("Docker-Content-Digest", found.digest)
        if told != found.digest:
            raise IntegrityError(
                f"{self.name} stored {found.digest} as {told}", "the registry changes manifests; use another"
            )

    def tags(self) -> tuple[str, ...]:
        """All tags, page by page."""

        class Tags(msgspec.Struct):
            tags: list[str] | None = None

        found: list[str] = []
        target = self.url("tags/list")
        for _ in range(10_000):
            response = self.registry.send("GET", target, self.pull)
            if response.status != 200:
                raise self.refuse(response, f"list the tags of {self.name}")
            try:
                found += msgspec.json.decode(_limited(response, "tags"), type=Tags).tags or []
            except msgspec.DecodeError as error:
                raise TaskError(
                    f"{self.name} gave a list of tags that can't be read ({error})", "check the registry"
                ) from error
            following = re.search(r'<([^>]+)>\s*;\s*rel="?next"?', response.headers.get("Link", ""))
            if not following:
                break
            target = absolute(self.registry.url(target) if target.startswith("/") else target, following[1])
        return tuple(found)


def _limited(response: Response, what: str) -> bytes:
    """A document's body. Raises HTTPError where it broke off, TaskError where it is too long or takes for ever."""
    parts, size = [], 0
    try:
        for piece in pieces(response):
            parts.append(piece)
            size += len(piece)
            if size > DOCUMENT_LIMIT:
                raise TaskError(f"{what} is longer than {DOCUMENT_LIMIT} bytes", "this is no image manifest or config")
    except TimeoutError as error:
        raise TaskError(
            f"{what} took longer than {BODY_SECONDS:.0f} s", "the registry is too slow; run again later"
        ) from error
    return b"".join(parts)
