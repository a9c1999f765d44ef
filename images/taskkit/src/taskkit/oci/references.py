"""Names of images.

Grammar and normalization as in github.com/distribution/reference: a first component with a dot, a colon or an upper
case letter, or ``localhost``, is the registry; else it is Docker Hub, with ``library/`` for a single component.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from taskkit.errors import UsageError

LAYOUT_PREFIX = "oci-layout:"
DOCKER_HUB = "docker.io"
REPOSITORY_LIMIT = 255

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class RegistryReference:
    """``registry`` is host[:port], ``docker.io`` for Docker Hub. Tag and digest are empty where not given."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        return f"{self.registry}/{self.repository}"

    def __str__(self) -> str:
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def at(self, digest: str) -> RegistryReference:
        """The same repository, by digest only."""
        return replace(self, tag="", digest=digest)


@dataclass(frozen=True)
class LayoutReference:
    """A folder that is an OCI image layout, and which image in it; no tag and no digest: its only one."""

    path: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        return (
            LAYOUT_PREFIX
            + self.path
            + (f":{self.tag}" if self.tag else "")
            + (f"@{self.digest}" if self.digest else "")
        )

    def at(self, digest: str) -> LayoutReference:
        return replace(self, tag="", digest=digest)


Reference = RegistryReference | LayoutReference


def parse_reference(text: str, what: str) -> Reference:
    """Reads either kind of name. ``what`` names the param in errors. Raises UsageError."""
    if text.startswith(LAYOUT_PREFIX):
        return parse_layout_reference(text, what)
    return parse_registry_reference(text, what)


def parse_registry_reference(text: str, what: str) -> RegistryReference:
    """Reads ``[registry/]repository[:tag][@digest]``. Raises UsageError that names the wrong part."""
    name, digest = _split_digest(text, what)
    head, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    name = head + slash + last
    if colon and not TAG.fullmatch(tag):
        raise UsageError(
            f"{what} '{text}' has the tag '{tag}'",
            "a tag has up to 128 letters, digits, '_', '.' and '-', and starts with no '.' or '-'",
        )
    first, slash, rest = name.partition("/")
    if slash and (first == "localhost" or set(".:") & set(first) or first.lower() != first):
        registry, repository = first, rest
    else:
        registry, repository = DOCKER_HUB, name
    if registry == "index.docker.io":
        registry = DOCKER_HUB
    if registry == DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    if not REGISTRY.fullmatch(registry):
        raise UsageError(f"{what} '{text}' has the registry '{registry}'", "write host or host:port, without a scheme")
    if not REPOSITORY.fullmatch(repository) or len(repository) > REPOSITORY_LIMIT:
        raise UsageError(
            f"{what} '{text}' has the repository '{repository}'",
            "write lower case letters and digits, separated by '/', '.', '_' or '-', "
            f"at most {REPOSITORY_LIMIT} characters",
        )
    return RegistryReference(registry, repository, tag, digest)


def parse_layout_reference(text: str, what: str) -> LayoutReference:
    """Reads ``oci-layout:path[:tag][@digest]``; what follows the last colon is a tag if it holds no slash."""
    rest, digest = _split_digest(text.removeprefix(LAYOUT_PREFIX), what)
    path, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        path, tag = rest, ""
    elif not TAG.fullmatch(tag):
        raise UsageError(f"{what} '{text}' has the tag '{tag}'", "write oci-layout:path or oci-layout:path:tag")
    if not path:
        raise UsageError(f"{what} '{text}' names no folder", "write oci-layout:path or oci-layout:path:tag")
    return LayoutReference(path, tag, digest)


def _split_digest(text: str, what: str) -> tuple[str, str]:
    name, at, digest = text.partition("@")
    if at and not DIGEST.fullmatch(digest):
        raise UsageError(f"{what} '{text}' has the digest '{digest}'", "write @sha256: and 64 hexadecimal digits")
    return name, digest
