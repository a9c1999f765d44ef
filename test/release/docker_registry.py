"""Debian's docker-registry as a process with its data in a folder."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from catalog.releasing.places import RegistryPlace, registry_place
from taskkit.oci.repository import Registries
from taskkit.oci.transport import Patience

QUICK = Patience(attempts=2, first=0.01, total=0.1)


@dataclass
class DockerRegistry:
    """Debian's docker-registry with its data in a folder."""

    folder: Path
    host: str = ""
    process: subprocess.Popen | None = None

    def start(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(self.host.rpartition(":")[2]) if self.host else probe.getsockname()[1]
        self.host = f"127.0.0.1:{port}"
        config = self.folder / "config.yml"
        config.write_text(
            "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
            f"storage: {{filesystem: {{rootdirectory: '{self.folder / 'data'}'}}}}\n"
            f"http: {{addr: '{self.host}'}}\n"
        )
        log = (self.folder / "log").open("w")
        one_core = {**os.environ, "GOMAXPROCS": "1"}  # it is asked one thing at a time
        command = ["docker-registry", "serve", str(config)]
        self.process = subprocess.Popen(command, stdout=log, stderr=log, env=one_core)
        for _ in range(200):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://{self.host}/v2/", timeout=1).close()
                return self
            time.sleep(0.05)
        raise AssertionError(f"docker-registry did not start: {(self.folder / 'log').read_text()}")

    def stop(self):
        self.process.terminate()
        self.process.wait(10)

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def hold(self, data: Path | None) -> "DockerRegistry":
        """Runs with a copy of ``data``, or with nothing: it keeps no state but its files."""
        shutil.rmtree(self.data, ignore_errors=True)
        if data:
            shutil.copytree(data, self.data)
        return self if self.runs else self.start()

    def place(self, prefix="team/catalog") -> RegistryPlace:
        return registry_place(f"{self.host}/{prefix}", "--registry", Registries(patience=QUICK))
