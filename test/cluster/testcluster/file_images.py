"""Images made of a few files of this machine, pushed to the cluster's registry: the cluster's own programs need no more.

One layer, not compressed: it is read back on the same machine a moment later.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Any

from testcluster.errors import ClusterError

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class FileImage:
    """``files``: path in the image → file of this machine, all executable; ``links``: path in the image → target."""

    name: str
    tag: str
    files: Mapping[str, Path]
    links: Mapping[str, str]
    entrypoint: Sequence[str]
    user: str = "65532"

    def write_layer(self, out: IO[bytes]) -> None:
        """The same files give the same bytes."""
        with tarfile.open(fileobj=out, mode="w") as tar:
            world = tarfile.TarInfo("tmp")
            world.type, world.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(world)
            for path, source in self.files.items():
                entry = tarfile.TarInfo(path.lstrip("/"))
                entry.size, entry.mode = os.stat(source).st_size, 0o755
                with source.open("rb") as content:
                    tar.addfile(entry, content)
            for path, target in self.links.items():
                entry = tarfile.TarInfo(path.lstrip("/"))
                entry.type, entry.linkname = tarfile.SYMTYPE, target
                tar.addfile(entry)

    def config(self, layer_digest: str) -> bytes:
        settings = {"User": self.user, "Entrypoint": list(self.entrypoint), "Env": ["PATH=/ko-app:/usr/bin:/bin"]}
        architecture = _ARCHITECTURES.get(platform.machine(), platform.machine())
        document = {"architecture": architecture, "os": "linux", "config": settings,
                    "rootfs": {"type": "layers", "diff_ids": [layer_digest]}}  # fmt: skip
        return json.dumps(document).encode()


class Registry:
    """The cluster's registry, by the protocol of the OCI distribution specification, over plain HTTP."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def _ask(self, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Message:
        request = urllib.request.Request(url, data=body, method=method, headers=dict(headers or {}))
        with self._opener.open(request, timeout=60) as answer:
            answered: Message = answer.headers
            return answered

    def digest(self, name: str, tag: str) -> str | None:
        """The digest behind a tag; None when there is none."""
        try:
            answer = self._ask("HEAD", f"http://{self.address}/v2/{name}/manifests/{tag}", headers={"Accept": MANIFEST})
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise
        return answer["Docker-Content-Digest"]

    def _upload(self, name: str, digest: str, size: int, content: IO[bytes]) -> None:
        place = self._ask("POST", f"http://{self.address}/v2/{name}/blobs/uploads/", b"")["Location"]
        separator = "&" if "?" in place else "?"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        self._ask("PUT", f"{place}{separator}digest={digest}", content, headers)

    def push(self, image: FileImage) -> str:
        """Pushes an image unless its tag is there already, and gives its reference by digest. Raises ClusterError."""
        try:
            digest = self.digest(image.name, image.tag) or self._push(image)
        except OSError as error:  # urllib's errors are of this kind
            raise ClusterError(
                f"could not push {image.name}:{image.tag} to the registry {self.address}: {error}"
            ) from error
        return f"{self.address}/{image.name}@{digest}"

    def _push(self, image: FileImage) -> str:
        with tempfile.TemporaryFile() as layer:
            image.write_layer(layer)
            size = layer.tell()
            layer.seek(0)
            layer_digest = "sha256:" + hashlib.file_digest(layer, "sha256").hexdigest()
            layer.seek(0)
            self._upload(image.name, layer_digest, size, layer)
        config = image.config(layer_digest)
        config_digest = "sha256:" + hashlib.sha256(config).hexdigest()
        self._upload(image.name, config_digest, len(config), io.BytesIO(config))
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"mediaType": CONFIG, "digest": config_digest, "size": len(config)},
                "layers": [{"mediaType": LAYER, "digest": layer_digest, "size": size}],
            }
        ).encode()
        url = f"http://{self.address}/v2/{image.name}/manifests/{image.tag}"
        return self._ask("PUT", url, manifest, {"Content-Type": MANIFEST})["Docker-Content-Digest"]
