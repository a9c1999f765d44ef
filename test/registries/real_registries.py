"""Registries that others wrote, as processes on loopback: Debian's, and two that are built from their Go modules.

What is built lies below the user's cache directory, once per version.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "cluster"))

from testcluster.binaries import Part, build  # noqa: E402

PASSWORD = "correct-horse"
_HTPASSWD = "builder:$2b$04$L6xOlyyCFBW5oEADqzazVOboCOXCv.bWZ897j0YrzZJnPFvrEcbuu\n"
"""bcrypt of PASSWORD"""
_PATIENCE = 20.0


@dataclass(frozen=True)
class Module(Part):
    """A registry's Go module; the version is the one that ``modules/NAME/go.mod`` asks for."""

    def sources(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in sorted((HERE / "modules" / self.name).iterdir())}

    @property
    def program(self) -> Path:
        return self.directory / (self.name if self.packages == (".",) else self.packages[0].rpartition("/")[2])


def _module(name: str, path: str, package: str) -> Module:
    required = (HERE / "modules" / name / "go.mod").read_text().rpartition(f"require {path} ")[2]
    return Module(name, path, required.split()[0], (package,))


DISTRIBUTION = _module("distribution", "github.com/distribution/distribution/v3", ".")
GO_CONTAINERREGISTRY = _module(
    "go-containerregistry",
    "github.com/google/go-containerregistry",
    "github.com/google/go-containerregistry/cmd/registry",
)


@dataclass(frozen=True)
class Kind:
    """A registry program. ``command`` is called with (folder, port, ``http`` and ``auth`` settings of distribution)."""

    name: str
    command: Callable[[Path, int, Mapping[str, str], str], list[str]]
    missing: Callable[[], str]
    """Why it can't be had here, '' where it can."""
    keeps: bool = True
    """Whether it keeps blobs in files, each repository its own; else all in memory together."""
    configurable: bool = True
    """Whether it asks for passwords and speaks TLS."""


def _distribution(program: Callable[[], str]) -> Callable[[Path, int, Mapping[str, str], str], list[str]]:
    def command(folder: Path, port: int, http: Mapping[str, str], auth: str) -> list[str]:
        more = "".join(f", {name}: {value}" for name, value in http.items())
        config = folder / "config.yml"
        config.write_text(
            "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
            f"storage: {{filesystem: {{rootdirectory: '{folder / 'data'}'}}, delete: {{enabled: true}}}}\n"
            f"http: {{addr: '127.0.0.1:{port}'{more}}}\n{auth}"
        )
        return [program(), "serve", str(config)]

    return command


def _built(module: Module) -> Callable[[], str]:
    def program() -> str:
        build(module)
        return str(module.program)

    return program


def _without_go() -> str:
    return "" if shutil.which("go") else "needs Go"


KINDS = {
    "docker-registry": Kind(
        "docker-registry", _distribution(lambda: "docker-registry"),
        lambda: "" if shutil.which("docker-registry") else "needs Debian's package docker-registry",
    ),
    "distribution": Kind("distribution", _distribution(_built(DISTRIBUTION)), _without_go),
    "go-containerregistry": Kind(
        "go-containerregistry",
        lambda _folder, port, _http, _auth: [_built(GO_CONTAINERREGISTRY)(), "-port", str(port)],
        _without_go, keeps=False, configurable=False,
    ),
}  # fmt: skip


@dataclass
class RealRegistry:
    """One of them, running; it keeps its address when it is started again."""

    kind: Kind
    folder: Path
    passwords: bool = False
    tls: Path | None = None
    """A folder with cert.pem and key.pem."""
    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self.port or _free_port()
        http, auth = {}, ""
        if self.tls:
            http = {"tls": f"{{certificate: '{self.tls / 'cert.pem'}', key: '{self.tls / 'key.pem'}'}}"}
        if self.passwords:
            (self.folder / "htpasswd").write_text(_HTPASSWD)
            auth = f"auth: {{htpasswd: {{realm: test, path: '{self.folder / 'htpasswd'}'}}}}\n"
        command = self.kind.command(self.folder, self.port, http, auth)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        until = time.monotonic() + _PATIENCE
        while not self._answers():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < until, self.log
            time.sleep(0.05)
        return self

    def _answers(self) -> bool:
        if self.tls:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return True
            return False
        try:
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://{self.host}/v2/", timeout=1)
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            return False
        return True

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def kill(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
