"""One blob into a repository: there already, mounted from a neighbour, or written.

A blob is written in one piece (POST, PUT), which every registry takes. Where the connection breaks within a large one,
or the registry finds it too large, it is written in chunks (POST, PATCH …, PUT), which can be resumed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlencode, urlsplit, urlunsplit

from taskkit.errors import TaskError
from taskkit.oci.content import Blob, Chunks
from taskkit.oci.documents import CONFIG
from taskkit.oci.registry import RefusedError
from taskkit.oci.repository import Repository
from taskkit.oci.transport import AGAIN, ConnectionFailedError, Response, absolute, drain, retry_after

BlobFate = Literal["present", "mounted", "written"]
CHUNK_SIZE = 32 << 20
"""Below the 100 MB that common proxies let through, above the 5 MB that some registries ask for at least."""
SMALL = 8 << 20
"""Up to this many bytes it is no matter if a registry that mounts nothing is given again what it has."""
_NO_CHUNKS = frozenset({400, 404, 405, 411, 501})
_LOST = frozenset({404, 410, 416})
_STUCK = 2
"""Times in a row that a chunk may bring nothing before the upload is begun anew."""


def bring(blob: Blob, repository: Repository) -> BlobFate:
    """Makes sure that a repository has a blob. Raises TaskError after bounded attempts."""
    location = ""
    home = blob.home
    if home is not None and home.registry == repository.registry.host and home.repository != repository.path:
        location = _mount(blob, repository, home.repository)
        if not location:
            return "mounted"
    # A config made here is new whenever its image is; asking first would cost a request for nothing.
    certainly_new = blob.descriptor.media_type == CONFIG and home is None
    if home is None and not certainly_new and blob.size <= SMALL:
        # Mounted from where it is to go: the answer says that it is there, or opens the upload, in one request.
        location = _mount(blob, repository, repository.path)
        if not location:
            return "present"
    elif not certainly_new and repository.has_blob(blob.descriptor):
        return "present"
    _Upload(blob, repository).run(location)
    return "written"


def _mount(blob: Blob, repository: Repository, source: str) -> str:
    """Empty where it was mounted, else the upload that the registry opened instead."""
    query = urlencode({"mount": blob.digest, "from": source})
    scopes = repository.push | {f"repository:{source}:pull"}
    response = repository.registry.send("POST", f"{repository.url('blobs/uploads/')}?{query}", scopes)
    drain(response)
    if response.status == 201:
        return ""
    return _location(response, repository) if response.status == 202 else _start(repository)


def _start(repository: Repository) -> str:
    response = repository.registry.send(
        "POST", repository.url("blobs/uploads/"), repository.push, {"Content-Length": "0"}
    )
    if response.status != 202:
        raise repository.refuse(response, f"start an upload to {repository.name}")
    drain(response)
    return _location(response, repository)


def _location(response: Response, repository: Repository, before: str = "") -> str:
    """The address of an upload: absolute, and not in clear where the registry itself is reached by TLS.

    Behind a proxy that ends TLS registries often give their own address with http.
    """
    base = repository.registry.url("/")
    given = response.headers.get("Location", "")
    if not given and not before:
        raise TaskError(f"{repository.name} opened an upload without a Location", "check the registry")
    parts, own = urlsplit(absolute(base, given or before)), urlsplit(base)
    if own.scheme == "https" and parts.scheme == "http":
        if parts.hostname != own.hostname:
            raise TaskError(
                f"{repository.name} wants the upload sent to http://{parts.netloc} in clear", "check the registry"
            )
        parts = parts._replace(scheme="https", netloc=own.netloc)
    return urlunsplit(parts)


class _Source:
    """The bytes of a blob from any offset; going on where the last piece ended opens nothing anew."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._chunks: Chunks = iter(())
        self._rest = b""
        self._at = -1

    def piece(self, offset: int, length: int) -> Iterator[bytes]:
        if offset != self._at:
            self._chunks, self._rest, self._at = self._blob.read(offset), b"", offset
        while length > 0:
            chunk = self._rest or next(self._chunks, b"")
            if not chunk:
                return
            given, self._rest = chunk[:length], chunk[length:]
            self._at += len(given)
            length -= len(given)
            yield given


class _Upload:
    def __init__(self, blob: Blob, repository: Repository) -> None:
        self._blob = blob
        self._repository = repository
        self._chunks_refused = False

    def run(self, location: str) -> None:
        patience, spent, attempt, in_chunks = self._repository.registry.transport.patience, 0.0, 0, False
        while True:
            attempt += 1
            asked = None
            try:
                location = location or _start(self._repository)
                response = self._in_chunks(location) if in_chunks else self._in_one(location)
                if response.status in (201, 204):
                    self._check(response)
                    return
                asked = retry_after(response)
                too_large = response.status == 413 and not in_chunks
                failure: TaskError = self._repository.refuse(
                    response, f"take blob {self._blob.digest} into {self._repository.name}"
                )
                again = response.status in AGAIN | _LOST or "DIGEST_INVALID" in _codes(failure)
                if not (again or too_large or (in_chunks and self._chunks_refused)):
                    raise failure
            except ConnectionFailedError as error:
                failure, too_large = error, False
            pause = patience.pause(attempt, spent, 0.0 if too_large else asked)
            if pause is None:
                raise failure
            patience.sleep(pause)
            spent += pause
            if not too_large and self._repository.has_blob(self._blob.descriptor):
                return  # it arrived, and only the answer was lost
            in_chunks = (in_chunks or self._blob.size > CHUNK_SIZE or too_large) and not self._chunks_refused
            location = ""

    def _check(self, response: Response) -> None:
        told = response.headers.get("Docker-Content-Digest", self._blob.digest)
        drain(response)
        if told != self._blob.digest:
            raise TaskError(f"{self._repository.name} stored blob {self._blob.digest} as {told}", "check the registry")

    def _in_one(self, location: str) -> Response:
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(self._blob.size)}
        return self._send("PUT", self._closing(location), headers, self._blob.checked)

    def _in_chunks(self, location: str) -> Response:
        source, offset, stuck = _Source(self._blob), 0, 0
        while offset < self._blob.size:
            length = min(CHUNK_SIZE, self._blob.size - offset)
            headers = {
                "Content-Type": "application/octet-stream",
                "Content-Length": str(length),
                "Content-Range": f"{offset}-{offset + length - 1}",
            }
            try:
                response = self._send("PATCH", location, headers, lambda at=offset, size=length: source.piece(at, size))
            except ConnectionFailedError:
                response = self._send("GET", location, {}, None)  # how much of it arrived
            if response.status in _NO_CHUNKS and offset == 0:
                self._chunks_refused = True
                return response
            if response.status not in (202, 204):
                return response
            drain(response)
            location = _location(response, self._repository, location)
            end = response.headers.get("Range", "").rpartition("-")[2]
            reached = (
                int(end) + 1
                if end.isdigit() and int(end) > 0
                else (offset if response.status == 204 else offset + length)
            )
            stuck = stuck + 1 if reached <= offset else 0
            if stuck > _STUCK or reached > self._blob.size:
                raise ConnectionFailedError(
                    f"the upload of {self._blob.digest} to {self._repository.name} does not get on", "run again later"
                )
            offset = reached
            if stuck:
                patience = self._repository.registry.transport.patience
                patience.sleep(patience.pause(stuck, 0.0, None) or 0.0)
        return self._send("PUT", self._closing(location), {"Content-Length": "0"}, None)

    def _closing(self, location: str) -> str:
        return f"{location}{'&' if urlsplit(location).query else '?'}{urlencode({'digest': self._blob.digest})}"

    def _send(self, method: str, url: str, headers: dict[str, str], body: object) -> Response:
        return self._repository.registry.send(method, url, self._repository.push, headers, body, retry=False)  # type: ignore[arg-type]


def _codes(failure: TaskError) -> tuple[str, ...]:
    return failure.codes if isinstance(failure, RefusedError) else ()
