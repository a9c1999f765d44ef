"""One document as the rules see it: where it lies in a catalog, what it is made of, and where findings go."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from catalog.engine.documents import Document, FieldPath
from catalog.engine.validation.parts import Part, Sheet
from catalog.rules.rulebook import Profile, rules

_KINDS = {"task": "Task", "pipeline": "Pipeline", "stepaction": "StepAction"}
MANIFESTS = frozenset(_KINDS.values())
"""The kinds that catalogs are made of."""
_VERSION = re.compile(r"v?\d[\w.+-]*")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a catalog keeps a document: ``<top>/<name>/<version>/<file>``, or ``<top>/<name>/<file>`` where tags of
    the repository are the versions (``version`` is empty then). ``top`` is the folder of the kind, such as ``task``."""

    top: Path
    name: str
    version: str
    folder: Path

    @property
    def kind(self) -> str:
        """The kind that the folder is for; empty where it is for none."""
        return _KINDS.get(self.top.name.removesuffix("s"), "")

    @classmethod
    def of(cls, path: Path, *, anyway: bool = False) -> Place | None:
        """The place that a file's path says it has; None where it does not look like a catalog's, unless ``anyway``."""
        folder = path.absolute().parent
        versioned = _VERSION.fullmatch(folder.name) is not None and len(folder.parts) > 2
        top = folder.parents[1] if versioned else folder.parent
        if not anyway and (top.name.removesuffix("s") not in _KINDS or _inside_another(top)):
            return None
        name = folder.parent.name if versioned else folder.name
        if not anyway and not versioned and path.stem != name:
            return None  # just a folder with files in it
        return cls(top, name, folder.name if versioned else "", folder)


def _inside_another(top: Path) -> bool:
    """Whether a folder called ``tasks`` is part of what lies at another place: ``pipeline/build/0.1/tasks``."""
    return any(
        _VERSION.fullmatch(folder.name) and folder.parents[1].name.removesuffix("s") in _KINDS
        for folder in top.parents
        if len(folder.parts) > 2
    )


@dataclass(frozen=True, slots=True)
class Container:
    """A step, a sidecar or a StepAction, together with what the stepTemplate gives it."""

    part: Part
    template: Part
    what: str

    @property
    def title(self) -> str:
        name = self.part.text("name")
        return f"the {self.what} {name!r}" if name else f"the {self.what}"

    def holder(self, key: str) -> Part:
        """Where a field comes from: the container itself, or the template."""
        return self.part if key in self.part or key not in self.template else self.template

    def elements(self) -> list[tuple[FieldPath, str]]:
        """The command line: ``command`` and ``args``, each with its place."""
        return [*self.holder("command").texts("command"), *self.holder("args").texts("args")]

    @property
    def is_reference(self) -> bool:
        """Whether it takes a StepAction by name, which then says what runs."""
        return "ref" in self.part


@dataclass(frozen=True)
class Subject:
    """A document, its place where it is a catalog's manifest, and the rules that hold for it.

    ``is_second``: it comes after another manifest in the same file.
    """

    sheet: Sheet
    profile: Profile
    place: Place | None = None
    is_second: bool = False

    @property
    def document(self) -> Document:
        return self.sheet.document

    @cached_property
    def body(self) -> Part:
        return Part(self.document.body, ())

    @cached_property
    def spec(self) -> Part:
        return self.body.part("spec")

    @cached_property
    def metadata(self) -> Part:
        return self.body.part("metadata")

    @cached_property
    def annotations(self) -> Part:
        return self.metadata.part("annotations")

    def say(self, rule: str, where: FieldPath, message: str, remedy: str = "", offset: int | None = None) -> None:
        """Puts a finding down, unless the rule's family does not hold here."""
        known = rules()[rule]
        if known.family in self.profile.families:
            self.sheet.add(known.level, rule, where, message, remedy, offset)

    @cached_property
    def pipeline_specs(self) -> tuple[Part, ...]:
        if self.document.kind == "Pipeline":
            return (self.spec,)
        return (self.spec.part("pipelineSpec"),) if "pipelineSpec" in self.spec else ()

    @cached_property
    def pipeline_tasks(self) -> tuple[Part, ...]:
        return tuple(task for spec in self.pipeline_specs for key in ("tasks", "finally") for task in spec.parts(key))

    @cached_property
    def task_specs(self) -> tuple[Part, ...]:
        """The specs of Tasks: the document's own, and those inline in runs and pipelines."""
        own = (self.spec,) if self.document.kind == "Task" else ()
        inline = (holder.part("taskSpec") for holder in (self.spec, *self.pipeline_tasks) if "taskSpec" in holder)
        return (*own, *(spec for spec in inline if spec.parts("steps")))

    @cached_property
    def containers(self) -> tuple[Container, ...]:
        return tuple(self._containers())

    def _containers(self) -> Iterator[Container]:
        if self.document.kind == "StepAction":
            yield Container(self.spec, Part({}, ()), "StepAction")
        for spec in self.task_specs:
            yield from containers_of(spec)


def containers_of(spec: Part) -> Iterator[Container]:
    """The steps and sidecars of a TaskSpec; the stepTemplate holds for steps alone."""
    for step in spec.parts("steps"):
        yield Container(step, spec.part("stepTemplate"), "step")
    for sidecar in spec.parts("sidecars"):
        yield Container(sidecar, Part({}, ()), "sidecar")
