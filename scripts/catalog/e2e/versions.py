"""The page that says which versions of Tekton the catalog was tested on, and what differs between them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from catalog.differential import differences, row
from catalog.e2e.selection import needed
from catalog.task_tests import Verdict
from catalog.tree import TREE

sys.path.insert(0, str(TREE.root / "test" / "cluster"))

PAGE = "docs/tekton-versions.md"
_HEAD = """\
# Versions of Tekton

Made by `./scripts/e2e --every-version`: every test of the Tasks and Pipelines and every case of `test/conformance`, on
a cluster with each of these versions, on the same Kubernetes. {oldest} is the oldest that the Tasks ask for; the others
are releases with long-term support.
"""
_SAME = "\nAll of them come out the same everywhere.\n"
_DIFFERENT = """
## What differs

Runs that come out in another way than with Tekton {newest}.
"""


def supported() -> tuple[str, ...]:
    """Versions, the oldest first."""
    from testcluster import TEKTON_VERSIONS

    return TEKTON_VERSIONS


def page(found: Mapping[str, Sequence[Verdict]]) -> str:
    """Markdown. ``found``: the verdicts by version, the newest last."""
    *older, newest = found
    lines = ["| Tekton | passed | failed |", "|---|---|---|"]
    for version, verdicts in reversed(list(found.items())):
        failed = [verdict.test.name for verdict in verdicts if not verdict.passed]
        lines.append(row(version, len(verdicts) - len(failed), ", ".join(failed) or "none"))
    text = _HEAD.format(oldest=next(iter(found))) + "\n" + "\n".join(lines) + "\n"
    told = [line for version in older for line in _differing(version, found[version], found[newest], newest)]
    if not told:
        return text + _SAME
    head = ["| Tekton | test | what |", "|---|---|---|"]
    return text + _DIFFERENT.format(newest=newest) + "\n" + "\n".join((*head, *told)) + "\n"


def _differing(version: str, verdicts: Sequence[Verdict], newest: Sequence[Verdict], name: str) -> list[str]:
    known = {verdict.test.name: verdict for verdict in newest}
    left_out = known.keys() - {verdict.test.name for verdict in verdicts}
    lines = [row(version, test, f"not run: it needs {needed(known[test].test)}") for test in sorted(left_out)]
    for verdict in verdicts:
        there = known.get(verdict.test.name)
        if verdict.outcome and there and there.outcome:
            found = list(differences(verdict.outcome, there.outcome, f"with {version}", f"with {name}"))
        else:
            found = [f"{verdict.status} with {version}"] if there and verdict.status != there.status else []
        if found:
            lines.append(row(version, verdict.test.name, "; ".join(found)))
    return lines
