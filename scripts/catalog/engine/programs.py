"""Which programs a step finds: the environment of its image, and nothing that leaks in from the engine's own.

Images of this catalog stand for the virtual environments that ``./scripts/setup`` made; every other image gets the
programs of this machine.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from catalog.tree import TREE, Tree, program_of

# What tells a program how this machine reaches the network and which language it speaks. Everything else of the
# caller's environment stays out, as it would in a container.
_PASSED_ON = {
    "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TERM", "USER", "LOGNAME",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO",
    "LD_LIBRARY_PATH",
}  # fmt: skip
_PIP_FILES = (".config/pip/pip.conf", ".pip/pip.conf", "Library/Application Support/pip/pip.conf")
_FALLBACK_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ProgramError(ValueError):
    """The environment that an image stands for is not there."""


@dataclass(frozen=True)
class Programs:
    """``host`` is the environment of the caller, normally ``os.environ``."""

    tree: Tree = TREE
    host: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def check(self, image: str) -> str | None:
        """The program an image stands for, None for a foreign image. Raises ProgramError when it is not set up."""
        program = program_of(image)
        if program is None:
            return None
        known = self.tree.programs
        if program not in known:
            raise ProgramError(f"image {image}: this catalog has no program {program} (there: {', '.join(known)})")
        folder = self.tree.environment(program)
        if not folder.is_dir():
            raise ProgramError(f"image {image}: {folder} is not there; run ./scripts/setup first")
        return program

    def environment(self, image: str) -> dict[str, str]:
        """The variables a step of that image starts with, PATH among them. Raises ProgramError."""
        program = self.check(image)
        own = [str(self.tree.environment(program))] if program else []
        environment = {name: value for name, value in self.host.items() if _is_passed_on(name)}
        environment["PATH"] = os.pathsep.join([*own, *self._host_path()])
        if "PIP_CONFIG_FILE" not in environment and (settings := self._pip_settings()):
            environment["PIP_CONFIG_FILE"] = settings
        return environment

    def _host_path(self) -> list[str]:
        """The caller's PATH without virtual environments: neither the engine's own nor one the user activated."""
        hidden = {os.path.dirname(sys.executable)} if sys.prefix != sys.base_prefix else set()
        if active := self.host.get("VIRTUAL_ENV"):
            hidden.add(os.path.join(active, "bin"))
        environments = str(self.tree.root / ".venvs") + os.sep
        parts = self.host.get("PATH", _FALLBACK_PATH).split(os.pathsep)
        return [part for part in parts if part not in hidden and not part.startswith(environments)]

    def _pip_settings(self) -> str | None:
        """The user's pip.conf, which a step would not find since it has a HOME of its own."""
        home = self.host.get("HOME")
        found = (os.path.join(home, name) for name in _PIP_FILES) if home else ()
        return next((path for path in found if os.access(path, os.R_OK)), None)


def _is_passed_on(name: str) -> bool:
    return name in _PASSED_ON or name.startswith("PIP_")
