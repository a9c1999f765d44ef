"""An image from a layout, unpacked with every digest checked, and served by the installed server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from catalog.tree import TREE
from taskkit.oci.layout import Layout
from taskkit.oci.unpack import unpack

_READY = re.compile(r"ready: .*?(http://\S+)")
_PATIENCE = 120.0


class ServedImage:
    """Used as a context. The server gets what the image's config sets, and the digest check is the image's own."""

    def __init__(self, layout: Path, digest: str, root: Path, environment: Mapping[str, str] | None = None) -> None:
        self.image = unpack(Layout(layout), root, digest=digest)
        self.models = root / "models"
        self._root = root
        self._environment = dict(environment or {})
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the context
        self.url = ""

    def __enter__(self) -> Self:
        command = [str(TREE.environment("model-server") / "model-server"), "--host", "127.0.0.1", "--port", "0"]
        inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
        environment = {**inherited, **self.image.environment, "MODEL_DIR": str(self.models), **self._environment}
        self.process = subprocess.Popen(
            command, env=environment, cwd=self._root, stdout=self._log, stderr=subprocess.STDOUT
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()

    @property
    def log(self) -> str:
        self._log.seek(0)
        return self._log.read()

    def ready(self) -> Self:
        """Waits until it answers; an AssertionError shows the log where it does not come to that."""
        until = time.monotonic() + _PATIENCE
        while (found := _READY.search(self.log)) is None:
            assert self.process.poll() is None, self.log
            assert time.monotonic() < until, self.log
            time.sleep(0.05)
        self.url = found[1]
        return self

    def refuses(self) -> tuple[int, str]:
        """(exit code, what it said) of a server that does not start."""
        return self.process.wait(_PATIENCE), self.log

    def ask(self, path: str, document: Any = None) -> Any:
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return json.loads(answer.read())

    def predictions(self, rows: list[Any]) -> list[Any]:
        return list(self.ask("/predict", rows)["predictions"])
