"""What tkn and the hub resolver do with a hub, request by request, to read back what they would get.

Sources: tektoncd/cli pkg/cmd/hub/hub (0.46), tektoncd/pipeline pkg/remoteresolution/resolver/hub (1.15); constraints as
in github.com/hashicorp/go-version.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from taskkit.errors import TaskError

_SECONDS = 30.0
_Version = tuple[int, ...]
_TERM = re.compile(r"\s*(=|!=|>|<|>=|<=|~>)?\s*v?(\d+(?:\.\d+){0,2})\s*")


class NotFoundError(TaskError):
    """The hub has no such Task, Pipeline or version."""


@dataclass(frozen=True)
class Hub:
    """A hub by its base address, without a slash at the end."""

    url: str

    def installed(self, catalog: str, name: str, version: str = "") -> str:
        """The YAML that ``tkn hub install task NAME --from CATALOG [--version V]`` applies. Raises TaskError."""
        base = f"/api/v1/packages/tekton-task/{catalog}/{name}"
        with self._answers(base):
            if not version:
                found = [one["version"] for one in self._json(base)["available_versions"]]
                version = max(found, key=_parsed)
            package = self._json(f"{base}/{version}")
            told = package["data"]["pipelines.minVersion"], package["repository"]["organization_name"]
            if not all(told):
                raise TaskError(f"{self.url}{base}/{version} is incomplete", "tkn can't install it")
            return str(package["data"]["manifestRaw"])

    def installed_by_old_tkn(self, catalog: str, name: str, version: str = "") -> str:
        """The same with ``--type tekton``. Raises TaskError."""
        base = f"/v1/resource/{catalog}/task/{name}"
        with self._answers(base):
            if not version:
                number = int(self._json(base)["data"]["id"])
                version = self._json(f"/v1/resource/{number}/versions")["data"]["versions"][-1]["version"]
            details = self._json(f"{base}/{version}")["data"]
            if not details["minPipelinesVersion"] or not isinstance(details["resource"]["id"], int):
                raise TaskError(f"{self.url}{base}/{version} is incomplete", "tkn can't install it")
            return str(self._json(f"{base}/{version}/yaml")["data"]["yaml"])

    def resolved(self, catalog: str, kind: str, name: str, version: str) -> str:
        """The YAML that the hub resolver gives for a version or a constraint such as ``>= 0.1.0, < 1.0.0``.

        Raises NotFoundError, TaskError.
        """
        base = f"/api/v1/packages/tekton-{kind.lower()}/{catalog}/{name}"
        fits = constraint(version)
        with self._answers(base):
            listed = [one["version"] for one in self._json(base)["available_versions"] if not one.get("prerelease")]
            fitting = sorted((one for one in listed if fits(_parsed(one))), key=_parsed)
            if not fitting:
                raise NotFoundError(f"{self.url} has no version of {name} that fits '{version}'", f"it has {listed}")
            found = ".".join(map(str, _parsed(fitting[-1])))
            return str(self._json(f"{base}/{found}")["data"]["manifestRaw"])

    @contextmanager
    def _answers(self, path: str) -> Iterator[None]:
        """Answers that lack what a client looks for."""
        try:
            yield
        except (KeyError, TypeError, ValueError, IndexError) as error:
            problem = f"{self.url}{path} is not answered as a hub does ({type(error).__name__}: {error})"
            raise TaskError(problem, "is it served from the hub's folder?") from error

    def _json(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=_SECONDS) as answer:  # noqa: S310 - our own hub
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                kind = NotFoundError if error.code == 404 else TaskError
                raise kind(f"{self.url}{path} answered {error.code}", "is it served from the hub's folder?") from error
        except (OSError, ValueError) as error:
            raise TaskError(f"{self.url}{path} can't be read ({error})", "is it served?") from error


def _parsed(version: str) -> _Version:
    parts = [int(part) for part in version.removeprefix("v").split(".")]
    return tuple([*parts, 0, 0][:3])


def constraint(text: str) -> Callable[[_Version], bool]:
    """A version is a constraint, too. Raises TaskError."""
    terms = []
    for part in text.split(","):
        match = _TERM.fullmatch(part)
        if match is None:
            raise TaskError(f"'{text}' is no version and no constraint", "write it like '>= 0.1.0, < 1.0.0'")
        terms.append((match[1] or "=", match[2]))
    return lambda version: all(_holds(version, operator, told) for operator, told in terms)


def _holds(version: _Version, operator: str, told: str) -> bool:
    wanted = _parsed(told)
    if operator == "~>":
        fixed = max(1, told.count("."))
        return version >= wanted and version[:fixed] == wanted[:fixed]
    results = {"=": version == wanted, "!=": version != wanted, ">": version > wanted, "<": version < wanted,
               ">=": version >= wanted, "<=": version <= wanted}  # fmt: skip
    return results[operator]
