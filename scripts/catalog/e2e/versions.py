"""The page, and the README's table, that say on which versions of Tekton the catalog was tested, and what differs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from catalog.differential import differences, row
from catalog.e2e.selection import CONFORMANCE, needed
from catalog.task_tests import Verdict
from catalog.tree import TREE

sys.path.insert(0, str(TREE.root / "test" / "cluster"))

PAGE = "docs/tekton-versions.md"
_BEGIN, _END = "<!-- versions of Tekton, by ./scripts/e2e --every-version -->", "<!-- end of versions -->"
_HEAD = """\
# Versions of Tekton

Made by `./scripts/e2e --every-version`: every test of the Tasks and Pipelines and every case of `test/conformance`, on
a cluster with each of these versions, on the same Kubernetes. {oldest} is the oldest that the Tasks ask for; the others
are releases with long-term support.
"""
_SAME = "\nAll of them come out the same everywhere.\n"
_DIFFERENT = """
## What differs

Runs that come out in another way than with Tekton {newest}. Not listed: where a step fails, v1.0 and v1.9 give the
TaskRun the reason Failed, newer ones StepFailed.
"""


def supported() -> tuple[str, ...]:
    """Versions, the oldest first."""
    from testcluster import TEKTON_VERSIONS

    return TEKTON_VERSIONS


def write(found: Mapping[str, Sequence[Verdict]], root: Path) -> None:
    """The page, and its table in the README. ``found``: the verdicts by version, the newest last."""
    (root / PAGE).write_text(page(found), encoding="utf-8")
    readme = root / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, rest = text.split(_BEGIN)
    readme.write_text(f"{before}{_BEGIN}\n{table(found)}{_END}{rest.split(_END)[1]}", encoding="utf-8")


def page(found: Mapping[str, Sequence[Verdict]]) -> str:
    """Markdown."""
    *older, newest = found
    text = f"{_HEAD.format(oldest=next(iter(found)))}\n{table(found)}"
    for version, verdicts in found.items():
        if failed := [verdict.test.name for verdict in verdicts if not verdict.passed]:
            text += f"\nFailed on {version}: {', '.join(failed)}\n"
    seen: dict[tuple[str, str], list[str]] = {}
    for version in older:
        for difference in _differing(found[version], found[newest], newest):
            seen.setdefault(difference, []).append(version)
    if not seen:
        return text + _SAME
    head = ["| Tekton | test | what |", "|---|---|---|"]
    told = [row(", ".join(versions), *difference) for difference, versions in seen.items()]
    return text + _DIFFERENT.format(newest=newest) + "\n" + "\n".join((*head, *told)) + "\n"


def table(found: Mapping[str, Sequence[Verdict]]) -> str:
    """A line for each version, the newest first."""
    *_, known = found.values()
    lines = [row("Tekton", "tests of Tasks and Pipelines", "cases of test/conformance"), "|---|---|---|"]
    for version, verdicts in reversed(list(found.items())):
        cells = []
        for of_conformance in (False, True):
            kind = [verdict for verdict in verdicts if _is_conformance(verdict) == of_conformance]
            passed = sum(verdict.passed for verdict in kind)
            too_new = sum(_is_conformance(verdict) == of_conformance for verdict in known) - len(kind)
            more = f"; {too_new} not run, for want of a newer Tekton" if too_new else ""
            cells.append(f"{'all ' if passed == len(kind) else f'{passed} of '}{len(kind)} pass{more}")
        lines.append(row(version, *cells))
    return "\n".join(lines) + "\n"


def _is_conformance(verdict: Verdict) -> bool:
    return CONFORMANCE in verdict.test.path.parts


def _differing(verdicts: Sequence[Verdict], newest: Sequence[Verdict], name: str) -> Iterator[tuple[str, str]]:
    """(test, what differs), but for how a failed step is called."""
    known = {verdict.test.name: verdict for verdict in newest}
    for test in sorted(known.keys() - {verdict.test.name for verdict in verdicts}):
        yield test, f"not run: it needs {needed(known[test].test)}"
    for verdict in verdicts:
        there = known.get(verdict.test.name)
        if verdict.outcome and there and there.outcome:
            every = differences(verdict.outcome, there.outcome, "there", f"with {name}")
            found = [text for text in every if not text.endswith(f"reason: Failed there, StepFailed with {name}")]
        else:
            found = [f"{verdict.status} there"] if there and verdict.status != there.status else []
        if found:
            yield verdict.test.name, "; ".join(found)
