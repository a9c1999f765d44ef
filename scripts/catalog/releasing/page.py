"""What the page of one version of a Task or Pipeline tells."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml
from markupsafe import Markup

from catalog.releasing.hub_tree import MIN_VERSION, manifest_path
from catalog.releasing.markup import Section, page_of_markdown, sections
from catalog.releasing.objects import CATALOG, SOURCE, CatalogObject
from catalog.releasing.planning import Plan, Released, task_for
from catalog.releasing.rendering import bundle_reference, hub_reference
from taskkit.canonical import digest_of

HUB = "https://HUB"
"""Stands for the hub's address where a release was not told of it; the pages' script knows better."""
_TOLD_ELSEWHERE = {"Params", "Workspaces", "Results", "Samples", "Tests", "Tasks", "Run it"}
"""Parts of a README that the page has from the YAML, or that are about the source tree."""


@dataclass(frozen=True)
class Way:
    """A way to use it."""

    id: str
    title: str
    about: str
    text: str
    language: str = "yaml"


@dataclass(frozen=True)
class Sample:
    file: str
    about: str
    text: str


@dataclass(frozen=True)
class Call:
    """A task of a Pipeline; ``path`` is the page of the Task it runs, empty for somebody else's."""

    name: str
    runs: str
    path: str
    after: tuple[str, ...]
    when: str


@dataclass(frozen=True)
class Fact:
    title: str
    text: str


@dataclass(frozen=True)
class Other:
    """Another version of the same."""

    version: str
    full_version: str
    path: str


@dataclass(frozen=True)
class Page:
    """``all_versions`` of the same, newest first."""

    released: Released
    plan: Plan
    all_versions: Sequence[Released]

    @property
    def source(self) -> CatalogObject:
        return self.released.source

    @property
    def kind(self) -> str:
        return self.source.kind

    @property
    def plural(self) -> str:
        return self.source.plural

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def version(self) -> str:
        return self.source.version

    @property
    def full_version(self) -> str:
        return self.source.full_version

    @property
    def folder(self) -> str:
        return f"{self.kind.lower()}/{self.name}"

    @property
    def path(self) -> str:
        return f"{self.folder}/{self.version}/"

    @property
    def versions(self) -> list[Other]:
        return [
            Other(one.source.version, one.source.full_version, f"{self.folder}/{one.source.version}/")
            for one in self.all_versions
        ]

    @property
    def manifest(self) -> str:
        return manifest_path(self.source)

    @property
    def description(self) -> str:
        return self.source.description

    @property
    def summary(self) -> str:
        return self.source.summary

    @property
    def tags(self) -> list[str]:
        return self._listed("tekton.dev/tags")

    @property
    def platforms(self) -> list[str]:
        return self._listed("tekton.dev/platforms")

    @property
    def license(self) -> str:
        return self.source.annotations.get("artifacthub.io/license", "")

    @property
    def min_version(self) -> str:
        return self.source.annotations.get(MIN_VERSION, "")

    def _listed(self, annotation: str) -> list[str]:
        told = self.source.annotations.get(annotation, "")
        return [word.strip() for word in told.split(",") if word.strip()]

    @cached_property
    def _spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.released.for_hub.body["spec"]
        return spec

    @property
    def params(self) -> list[dict[str, Any]]:
        """Those that must be given come first."""
        params = [{"type": "string", **one} for one in self._spec.get("params") or []]
        return sorted(params, key=lambda one: "default" in one)

    @property
    def workspaces(self) -> list[dict[str, Any]]:
        return [{"optional": False, "readOnly": False, **one} for one in self._spec.get("workspaces") or []]

    @property
    def results(self) -> list[dict[str, Any]]:
        return list(self._spec.get("results") or [])

    @property
    def search_text(self) -> str:
        """Lower case: what the search looks in."""
        told = [self.kind, self.name, self.full_version, self.source.annotations.get("tekton.dev/displayName", "")]
        told += [*self.tags, self.description]
        told += [one["name"] for one in (*self.params, *self.workspaces, *self.results)]
        return " ".join(" ".join(told).lower().split())

    @property
    def samples(self) -> list[Sample]:
        """The shortest first."""
        found = [_sample(file, text) for file, text in self.source.samples.items()]
        return sorted(found, key=lambda one: (len(one.text), one.file))

    @cached_property
    def notes(self) -> list[Section]:
        """What its README tells beyond the YAML."""
        base = f"{SOURCE}/blob/main/{self.path}"
        return list(sections(self.source.beside("README.md"), base, _TOLD_ELSEWHERE))

    @property
    def changelog(self) -> Markup:
        return page_of_markdown(self.source.beside("../CHANGELOG.md"), f"{SOURCE}/blob/main/{self.folder}/")

    @property
    def calls(self) -> list[Call]:
        spec = self.source.body["spec"]
        return [self._call(one) for one in [*(spec.get("tasks") or []), *(spec.get("finally") or [])]]

    def _call(self, task: dict[str, Any]) -> Call:
        reference = task.get("taskRef") or {}
        runs, path = f"from the {reference.get('resolver', '')} resolver", ""
        if "name" in reference:
            called = task_for(self.source, reference["name"], self.plan.inputs.objects)
            runs, path = called.name, f"task/{called.name}/{called.version}/"
        elif named := [one["value"] for one in reference.get("params") or [] if one["name"] == "name"]:
            runs = f"{named[0]}, {runs}"
        used = re.findall(r"\$\(tasks\.([\w-]+)\.", json.dumps(task))
        after = tuple(dict.fromkeys([*(task.get("runAfter") or []), *used]))
        return Call(task["name"], runs, path, after, " and ".join(map(_condition, task.get("when") or [])))

    @property
    def ways(self) -> list[Way]:
        return [*self._tkn(), self._hub(), self._bundle(), self._kubectl()]

    def _tkn(self) -> list[Way]:
        if self.kind != "Task":  # tkn hub install knows Tasks only
            return []
        about = "Installs the Task into your namespace; with tkn 0.46 or later, which must be told of this hub."
        text = (
            f"export ARTIFACT_HUB_API_SERVER={HUB}\n"
            f"tkn hub install task {self.name} --from {CATALOG} --version {self.full_version}"
        )
        return [Way("tkn", "tkn", about, text, "bash")]

    def _hub(self) -> Way:
        reference = hub_reference(CATALOG, self.kind, self.name, self.full_version, HUB)
        major = self.version.partition(".")[0]
        about = (
            f"`version` may be a constraint, too: `>= {self.full_version}, < {int(major) + 1}.0.0`. The param `url` "
            "needs Tekton 1.11 or later; leave it out where the cluster itself is told of this hub."
        )
        return Way("hub", "Hub resolver", about, _yaml({self._field: reference}))

    def _bundle(self) -> Way:
        reference = bundle_reference(self.released.bundle, self.kind, self.name)
        about = "The digest says exactly what runs; it is fetched from the registry, no hub is asked."
        if self.kind == "Pipeline":
            about += " Its Tasks are named by their bundles' digests, too."
        return Way("bundle", "Bundles", about, _yaml({self._field: reference}))

    @property
    def _field(self) -> str:
        return f"{self.kind.lower()}Ref"

    def _kubectl(self) -> Way:
        text = f"kubectl apply -f {HUB}/{self.manifest}"
        return Way("kubectl", "kubectl", "The YAML as it was released, images by digest.", text, "bash")

    @property
    def facts(self) -> list[Fact]:
        text = self.released.for_hub.text
        images = [one for one in self.plan.record.images if one.reference in text]
        return [
            Fact("Bundle", self.released.bundle),
            *(Fact(f"Image {one.program} ({', '.join(one.platforms)})", one.reference) for one in images),
            Fact("YAML", digest_of(text.encode())),
        ]


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, width=1000)


def _condition(when: dict[str, Any]) -> str:
    if "cel" in when:
        return f"`{when['cel']}`"
    values = " or ".join(f"`{value}`" if value else "empty" for value in when.get("values") or [])
    return f"`{when['input']}` is {'' if when['operator'] == 'in' else 'not '}{values}"


def _sample(file: str, text: str) -> Sample:
    """The comment at the top tells what a sample shows."""
    match = re.match(r"(?:---\n)?((?:#.*\n)*)", text)
    lines = [line[1:].strip() for line in (match[1] if match else "").splitlines()]
    about = "\n".join(lines).partition("\n\n")[0].replace("\n", " ").strip()
    rest = text[match.end() :] if match and about else text
    return Sample(file, about, rest.removeprefix("---\n").strip("\n"))
