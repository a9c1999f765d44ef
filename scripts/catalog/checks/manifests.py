"""Rules for the catalog's own Tasks and Pipelines: how they are found, how they run, what they may not do.

The words of the catalogs: tektoncd/catalog recommendations.md, catlin's rules (pkg/validator), Artifact Hub's
documentation of Tekton repositories.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.checks.tree_files import finding_at
from catalog.engine.documents import Document, Documents
from catalog.engine.findings import Finding
from catalog.tree import Tree, program_of

_CATEGORIES = {
    "Automation", "Build Tools", "CLI", "Cloud", "Code Quality", "Continuous Integration", "Deployment",
    "Developer Tools", "Image Build", "Integration & Delivery", "Git", "Kubernetes", "Messaging", "Monitoring",
    "Networking", "Openshift", "Publishing", "Security", "Storage", "Testing",
}  # fmt: skip
_VERSION = "app.kubernetes.io/version"
_SOURCE = "$(workspaces.source.path)"
_SUMMARY = 140
_ANNOTATIONS = ("tekton.dev/categories", "tekton.dev/tags", "tekton.dev/displayName", "tekton.dev/platforms",
                "tekton.dev/pipelines.minVersion", "artifacthub.io/category", "artifacthub.io/license")  # fmt: skip
_RESTRICTED: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def manifests(root: Path) -> list[Document]:
    """The Tasks and Pipelines themselves, ``<kind>/<name>/<version>/<name>.yaml``."""
    files = sorted(file for kind in ("task", "pipeline") for file in (root / kind).glob("*/*/*.yaml"))
    return list(Documents.load(files)[0])


def findings(root: Path) -> list[Finding]:
    return [found for document in manifests(root) for found in Rules(document, root).findings()]


@dataclass(frozen=True)
class Rules:
    """The rules for one manifest."""

    document: Document
    root: Path

    @property
    def version(self) -> str:
        return self.document.path.parent.name

    @property
    def spec(self) -> dict[str, Any]:
        return self.document.body.get("spec") or {}

    def findings(self) -> Iterator[Finding]:
        yield from self._place()
        yield from self._metadata()
        yield from self._described()
        yield from self._params()
        if self.document.kind == "Task":
            yield from self._task()

    def _wrong(self, field: str, rule: str, message: str, remedy: str) -> Finding:
        return finding_at(self.document.position(field), rule, message, remedy)

    def _place(self) -> Iterator[Finding]:
        kind, name, path = self.document.kind.lower(), self.document.name, self.document.path
        wanted = Path(kind, name, self.version, f"{name}.yaml")
        if path != self.root / wanted:
            yield self._wrong(
                "metadata.name", "place", f"{self.document.title} belongs to {wanted}", "move or rename it"
            )
        if not re.fullmatch(r"\d+\.\d+", self.version):
            yield self._wrong(
                "metadata", "place", f"its folder is called '{self.version}'", "call it by a version: 0.1"
            )
        for needed in ("README.md", "samples", "tests", "tests/must-fail"):
            if not (path.parent / needed).exists():
                yield self._wrong("metadata.name", "place", f"there is no {needed} beside it", "add it")

    def _metadata(self) -> Iterator[Finding]:
        metadata = self.document.body.get("metadata") or {}
        label = (metadata.get("labels") or {}).get(_VERSION)
        if label != self.version:
            message = f"{_VERSION} is {label!r}, the folder is {self.version}"
            yield self._wrong("metadata.labels", "version", message, f'write "{self.version}"')
        annotations, where = metadata.get("annotations") or {}, "metadata.annotations"
        for missing in (name for name in _ANNOTATIONS if not annotations.get(name)):
            yield self._wrong(where, "metadata", f"annotation {missing} is missing", "add it")
        for category in _listed(annotations.get("tekton.dev/categories")):
            if category not in _CATEGORIES:
                remedy = f"one of: {', '.join(sorted(_CATEGORIES))}"
                yield self._wrong(where, "metadata", f"category '{category}' is not known to catlin", remedy)
        for platform in _listed(annotations.get("tekton.dev/platforms")):
            if not re.fullmatch(r"[a-z0-9]+/[a-z0-9]+", platform):
                yield self._wrong(where, "metadata", f"'{platform}' is no platform", "write it like linux/amd64")

    def _described(self) -> Iterator[Finding]:
        summary, _, rest = (self.spec.get("description") or "").strip().partition("\n")
        if not summary or len(summary) > _SUMMARY or (rest and not rest.startswith("\n")):
            message = f"the description has no summary of one line of up to {_SUMMARY} characters"
            yield self._wrong("spec.description", "description", message, "write it, an empty line, then paragraphs")
        for part in ("params", "results", "workspaces"):
            for index, declared in enumerate(self.spec.get(part) or []):
                if not (declared.get("description") or "").strip():
                    message = f"'{declared.get('name')}' is not described"
                    remedy = "say what it is, its format, and what an empty one means"
                    yield self._wrong(f"spec.{part}[{index}]", "description", message, remedy)

    def _params(self) -> Iterator[Finding]:
        for index, param in enumerate(self.spec.get("params") or []):
            name, where = str(param.get("name")), f"spec.params[{index}]"
            if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
                yield self._wrong(where, "param-name", f"'{name}' is not kebab-case", "rename it")
            if "type" not in param:
                yield self._wrong(where, "param-type", f"'{name}' has no type", "write its type")

    def _task(self) -> Iterator[Finding]:
        steps = self.spec.get("steps") or []
        if len(steps) != 1:
            yield self._wrong(
                "spec.steps", "one-step", f"there are {len(steps)} steps", "logic is the program's: have one"
            )
        for index, step in enumerate(steps):
            yield from self._runs(step, f"spec.steps[{index}]")
            yield from self._restricted(step, f"spec.steps[{index}]")
        must = [
            workspace.get("name") for workspace in self.spec.get("workspaces") or [] if not workspace.get("optional")
        ]
        if must != ["source"]:
            message = f"the workspaces that must be bound are {must}, not ['source']"
            yield self._wrong("spec.workspaces", "workspaces", message, "make the others optional")

    def _runs(self, step: dict[str, Any], where: str) -> Iterator[Finding]:
        image, command = str(step.get("image")), step.get("command")
        program = program_of(image)
        if "script" in step:
            message = "a Task of this catalog has no script"
            yield self._wrong(f"{where}.script", "script", message, "put it into the program")
        if program not in Tree(self.root).programs:
            message = f"'{image}' is no image of this catalog"
            yield self._wrong(f"{where}.image", "image", message, "use the image of a program in images/")
        elif command != [program]:
            yield self._wrong(f"{where}.command", "command", f"the command is {command}", f"write [{program}]")
        if step.get("workingDir") != _SOURCE:
            yield self._wrong(where, "working-dir", f"workingDir is {step.get('workingDir')}", f"write {_SOURCE}")
        if not (step.get("computeResources") or {}).get("requests"):
            yield self._wrong(where, "resources", "the step requests no resources", "add computeResources.requests")

    def _restricted(self, step: dict[str, Any], where: str) -> Iterator[Finding]:
        context, rule = step.get("securityContext") or {}, "restricted"
        for field, wanted in _RESTRICTED.items():
            if context.get(field) != wanted:
                message = f"{field} is {context.get(field)!r}, not {wanted!r}"
                yield self._wrong(f"{where}.securityContext.{field}", rule, message, "write the latter")
        for field in sorted({"runAsUser", "runAsGroup", "privileged"} & context.keys()):
            remedy = "leave it out: clusters choose the user"
            yield self._wrong(f"{where}.securityContext.{field}", rule, f"{field} is set", remedy)
        environment = {entry.get("name"): entry.get("value") for entry in step.get("env") or []}
        if environment.get("HOME") != "/tmp" or not environment.get("USER"):
            yield self._wrong(
                f"{where}.env", rule, "HOME is not /tmp or USER is not set", "any user must be able to run it"
            )
        mounted = {mount.get("mountPath"): mount.get("name") for mount in step.get("volumeMounts") or []}
        scratch = {volume.get("name") for volume in self.spec.get("volumes") or [] if "emptyDir" in volume}
        if mounted.get("/tmp") not in scratch:
            yield self._wrong(where, rule, "/tmp is no emptyDir", "mount one: the root file system is read-only")


def _listed(text: str | None) -> list[str]:
    return [item.strip() for item in (text or "").split(",") if item.strip()]
