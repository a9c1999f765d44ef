"""Who we are to a registry: docker config files, challenges, tokens.

Token flow: https://distribution.github.io/distribution/spec/auth/token/ and …/oauth/. Secrets stay in these objects:
none has a repr that shows them, and errors name files, never passwords.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from taskkit.errors import UsageError
from taskkit.oci.references import DOCKER_HUB

_FILES = ("config.json", ".dockerconfigjson")
_HUB_KEYS = ("docker.io", "index.docker.io", "registry-1.docker.io")
EARLY = 10.0
"""Seconds before its end that a token is no longer used."""


@dataclass(frozen=True)
class Credentials:
    """Basic credentials, or a refresh token (``identity_token``), or a bearer token given as such."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


class _Auth(msgspec.Struct, frozen=True, rename="lower"):
    auth: str = ""
    username: str = ""
    password: str = ""
    identitytoken: str = ""
    registrytoken: str = ""


class _Config(msgspec.Struct, frozen=True, rename="camel"):
    auths: dict[str, _Auth] = {}
    creds_store: str = ""
    cred_helpers: dict[str, str] = {}


@dataclass(frozen=True)
class DockerConfig:
    """Credentials by registry, or registry and path, without a scheme. ``where``: the file, for messages."""

    entries: Mapping[str, Credentials] = field(default_factory=dict, repr=False)
    helpers: frozenset[str] = frozenset()
    where: str = ""

    def credentials(self, registry: str, repository: str) -> Credentials | None:
        """The entry of the longest path that the repository lies in, as containers-auth.json(5) has it."""
        hosts = _HUB_KEYS if registry == DOCKER_HUB else (registry,)
        for host in hosts:
            path = f"{host}/{repository}"
            while path:
                if path in self.entries:
                    return self.entries[path]
                path = path.rpartition("/")[0]
        return None


def read_docker_config(folder: Path | None, environment: Mapping[str, str] | None = None) -> DockerConfig:
    """Reads ``config.json`` or ``.dockerconfigjson`` in a folder (or a file itself).

    Without a folder: ``$DOCKER_CONFIG``, else ``$HOME/.docker``, where a missing file means no credentials.
    Raises UsageError.
    """
    environment = os.environ if environment is None else environment
    if folder is not None:
        files = [folder] if folder.is_file() else [folder / name for name in _FILES]
        found = next((path for path in files if path.is_file()), None)
        if found is None:
            raise UsageError(
                f"dockerconfig {folder} holds neither {_FILES[0]} nor {_FILES[1]}",
                "bind a Secret of type kubernetes.io/dockerconfigjson, or a folder with config.json",
            )
        return _parse(found)
    home = environment.get("DOCKER_CONFIG") or (f"{environment['HOME']}/.docker" if environment.get("HOME") else "")
    path = Path(home, _FILES[0])
    return _parse(path) if home and path.is_file() else DockerConfig(where=str(path) if home else "")


def _parse(path: Path) -> DockerConfig:
    try:
        config = msgspec.json.decode(path.read_bytes(), type=_Config)
    except OSError as error:
        raise UsageError(f"can't read {path} ({error.strerror})", "make it readable for this user") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no docker config file ({error})", "it must be JSON with 'auths'") from error
    entries = {}
    for key, auth in config.auths.items():
        if credentials := _credentials(auth, f"{path}: auths['{key}']"):
            entries[_normalized(key)] = credentials
    helpers = {_normalized(key) for key in config.cred_helpers} | ({"*"} if config.creds_store else set())
    return DockerConfig(entries, frozenset(helpers), str(path))


def _credentials(auth: _Auth, where: str) -> Credentials | None:
    username, password = auth.username, auth.password
    if auth.auth:
        try:
            decoded = base64.b64decode(auth.auth, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise UsageError(
                f"{where} has an 'auth' that is not base64", "log in again, or write username and password"
            ) from error
        username, colon, password = decoded.rstrip("\0").partition(":")
        if not colon:
            raise UsageError(f"{where} has an 'auth' without a colon", "log in again, or write username and password")
    if not (username or auth.identitytoken or auth.registrytoken):
        return None  # a credential store holds it
    return Credentials(username, password, auth.identitytoken, auth.registrytoken)


def _normalized(key: str) -> str:
    key = re.sub(r"^https?://", "", key).rstrip("/")
    return re.sub(r"/v[12]$", "", key)


@dataclass(frozen=True)
class Challenge:
    """One challenge of a ``WWW-Authenticate`` header; ``scheme`` in lower case."""

    scheme: str
    parameters: Mapping[str, str]


_SCHEME = re.compile(r"[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?=\s|,|$)(?!\s*=)(?: +[A-Za-z0-9._~+/-]+=*(?=\s*(?:,|$)))?")
"""RFC 9110 11.6.1: a scheme may stand alone, or with one text without a name."""
_PARAMETER = re.compile(r'\s*,?\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


def parse_challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """Challenges of RFC 9110 11.6.1 as registries write them; what can't be read ends a header."""
    found = []
    for header in headers:
        at = 0
        while match := _SCHEME.match(header, at):
            at, parameters = match.end(), {}
            while pair := _PARAMETER.match(header, at):
                quoted = pair[2]
                parameters[pair[1].lower()] = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else pair[3]
                at = pair.end()
            found.append(Challenge(match[1].lower(), parameters))
    return tuple(found)


@dataclass(frozen=True)
class Token:
    value: str = field(repr=False)
    scopes: frozenset[str]
    expires: float
    """On the clock of time.monotonic."""

    def covers(self, scopes: frozenset[str]) -> bool:
        return scopes <= self.scopes and time.monotonic() < self.expires - EARLY


class _TokenAnswer(msgspec.Struct, frozen=True):
    token: str = ""
    access_token: str = ""
    expires_in: float = 60


def parse_token(content: bytes, scopes: frozenset[str]) -> Token | None:
    """The token in the answer of a token service; None where there is none."""
    try:
        answer = msgspec.json.decode(content, type=_TokenAnswer, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    value = answer.token or answer.access_token
    # A token that ends sooner than it is used early would be fetched anew for every request.
    lasting = max(answer.expires_in, EARLY + 5)
    return Token(value, scopes, time.monotonic() + lasting) if value else None
