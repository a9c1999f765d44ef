"""All findings about files: what Tekton would refuse, what the rules say, less what comments ignore."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from catalog.engine.documents import Document, Documents
from catalog.engine.findings import Finding, Level
from catalog.engine.validation import validate
from catalog.engine.validation.parts import Sheet
from catalog.rules import RULES, ignores
from catalog.rules.artifact_hub import REPOSITORY_FILES, repository_findings
from catalog.rules.rulebook import Profile
from catalog.rules.subject import MANIFESTS, Place, Subject

_OFTEN_ELSEWHERE = "unknown-reference"


@dataclass(frozen=True)
class Settings:
    """``profile``: None to choose by where a file lies. ``home``: the catalog whose own files get the house's rules.
    ``levels``: other levels than the rulebook's; None switches a rule off."""

    profile: Profile | None = None
    home: Path | None = None
    levels: Mapping[str, Level | None] = field(default_factory=dict)

    def profile_of(self, path: Path) -> Profile:
        if self.profile:
            return self.profile
        if self.home and path.absolute().is_relative_to(self.home):
            return Profile.HOUSE
        return Profile.CATALOG if _in_catalog(path) else Profile.TEKTON

    def place_of(self, document: Document) -> Place | None:
        """Where a catalog's manifest lies; None for any other document."""
        if not document.is_tekton or document.kind not in MANIFESTS:
            return None
        asked = self.profile in {Profile.CATALOG, Profile.HOUSE} and not _apart(document.path)
        return Place.of(document.path, anyway=asked)


def _apart(path: Path) -> bool:
    """Whether a file belongs to samples or tests."""
    return bool({"samples", "tests", "test", "examples"} & set(path.absolute().parent.parts))


def _in_catalog(path: Path) -> bool:
    """Whether a file is a manifest by its place, or lies in a folder beside one."""
    return Place.of(path) is not None or any(
        Place.of(folder / path.name) is not None for folder in path.absolute().parents[1:3]
    )


def judge(paths: Iterable[str | Path], catalog: Documents, settings: Settings) -> tuple[Documents, list[Finding]]:
    """The documents below the paths and all findings about them, sorted by file and line."""
    files = list(map(Path, paths))
    repository_files = [path for path in files if path.name in REPOSITORY_FILES and path.is_file()]
    documents, found = Documents.load(path for path in files if path not in repository_files)
    found += _lowered(validate(documents, catalog, older=True), settings)
    subjects = _subjects(documents, settings)
    for subject in subjects:
        for rule in RULES:
            rule(subject)
        found += subject.sheet.findings
    tops = {_top(subject.document.path, subject.place) for subject in subjects if subject.place}
    repository_files += [top / name for top in tops for name in REPOSITORY_FILES if (top / name).is_file()]
    found += repository_findings(sorted(set(repository_files)))
    # What is no YAML was found when the folder was read, too.
    kept = _without_ignored(documents, list(dict.fromkeys(found)), settings)
    return documents, sorted(_leveled(kept, settings.levels))


def _top(path: Path, place: Place) -> Path:
    """The folder of the kind, written as the user wrote the path where that goes up so far."""
    above, depth = path.parents, 2 if place.version else 1
    return above[depth] if len(above) > depth else place.top


def _lowered(findings: Iterable[Finding], settings: Settings) -> list[Finding]:
    """Elsewhere a Task may be on the cluster already; in this catalog everything is there."""
    return [
        replace(found, level=Level.WARNING)
        if found.rule == _OFTEN_ELSEWHERE and settings.profile_of(Path(found.position.file)) is not Profile.HOUSE
        else found
        for found in findings
    ]


def _subjects(documents: Documents, settings: Settings) -> list[Subject]:
    found = []
    seen: set[Path] = set()
    for document in documents:
        place = settings.place_of(document)
        second = place is not None and document.path in seen
        if place:
            seen.add(document.path)
        profile = settings.profile_of(document.path)
        found.append(Subject(Sheet(document), profile, None if second else place, is_second=second))
    return found


def _without_ignored(documents: Documents, findings: list[Finding], settings: Settings) -> list[Finding]:
    comments: list[ignores.Ignore] = []
    about: list[Finding] = []
    by_profile: dict[Profile, list[ignores.Ignore]] = {}
    for path in dict.fromkeys(document.path for document in documents):
        mine, wrong = ignores.of_file(path)
        comments += mine
        about += wrong
        by_profile.setdefault(settings.profile_of(path), []).extend(mine)
    kept = ignores.apply(findings, comments)
    for profile, mine in by_profile.items():
        families = profile.families
        about += ignores.unused(mine, families)
    return kept + about


def _leveled(findings: Iterable[Finding], levels: Mapping[str, Level | None]) -> list[Finding]:
    found = []
    for finding in findings:
        level = levels.get(finding.rule, finding.level)
        if level is not None:
            found.append(finding if level == finding.level else replace(finding, level=level))
    return found
