"""Where the Tasks and Pipelines come from that a run refers to: the documents given, then the catalog's own tree.

A resolver (hub, bundles, cluster, git, http) is answered from the same two places by the name it asks for; nothing is
fetched. Every reference that did not lead to a document given is announced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from catalog.engine.documents import Document, Documents
from catalog.tree import TREE, Tree

_EXACT = re.compile(r"v?\d+(\.\d+){0,2}")


class SourceError(ValueError):
    """A reference leads nowhere."""


@dataclass
class Sources:
    """``given`` are the documents named on the command line; what was found in the tree gathers in ``found``.

    ``asked`` holds the folders in the tree that each reference led to, by how the reference was written.
    """

    given: Documents
    tree: Tree = TREE
    found: dict[tuple[str, str], Document] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)

    @property
    def catalog(self) -> Documents:
        """What was taken from the tree."""
        return Documents(tuple(self.found.values()))

    @property
    def notices(self) -> list[str]:
        """What is to be said about references that led into the tree: plain names together, resolvers one by one."""
        plain = [where for what, where in self.asked.items() if "resolver" not in what]
        resolved = [f"{what} is taken from {where}" for what, where in self.asked.items() if "resolver" in what]
        return [*([f"taken from this catalog: {', '.join(plain)}"] if plain else []), *resolved]

    def resolve(self, kind: str, reference: Mapping[str, Any]) -> Document:
        """The Task or Pipeline of a ``taskRef`` or ``pipelineRef``. Raises SourceError naming what was asked for."""
        resolver = reference.get("resolver")
        if not resolver:
            return self._named(kind, str(reference.get("name") or ""), None, f"{kind} {reference.get('name')}")
        asked = {param.get("name"): param.get("value") for param in reference.get("params") or ()}
        path = PurePosixPath(str(asked.get("pathInRepo") or asked.get("url") or ""))
        name = str(asked.get("name") or path.stem)
        version = str(asked.get("version") or (path.parent.name if _EXACT.fullmatch(path.parent.name) else ""))
        what = f"{kind} {name or '(no name)'} (resolver {resolver})"
        exact = version if _EXACT.fullmatch(version) else None
        return self._named(kind, name, exact, what)

    def _named(self, kind: str, name: str, version: str | None, what: str) -> Document:
        if document := self.given.find(kind, name):
            return document
        path = self.tree.file(kind, name, version)
        if path is None:
            raise SourceError(f"{what} is not here: {self._whats_there(kind, name, version)}")
        key = (kind, str(path))
        if key not in self.found:
            documents, findings = Documents.load([path])
            document = documents.find(kind, name)
            if document is None:
                raise SourceError(f"{what}: {path} holds no {kind} of that name{''.join(f'; {f}' for f in findings)}")
            self.found[key] = document
        self.asked[what] = str(path.parent.relative_to(self.tree.root))
        return self.found[key]

    def _whats_there(self, kind: str, name: str, version: str | None) -> str:
        if versions := self.tree.versions(kind, name):
            return f"this catalog has {name} in the versions {', '.join(versions)}, not {version}"
        names = sorted({*self.given.names(kind), *self.tree.names(kind)})
        return f"give its YAML file too (known {kind}s: {', '.join(names) or 'none'})"
