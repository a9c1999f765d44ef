"""Which tests: those of Tasks, Pipelines, folders and files, and the cases of test/conformance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from catalog import rejections
from catalog.e2e import objects
from catalog.e2e.stages import StageError
from catalog.engine import expectations
from catalog.engine.expectations import Expectations
from catalog.engine.outcomes import Reason
from catalog.rejections import Rejection
from catalog.task_tests import Case, collect, files
from catalog.tree import Tree

CONFORMANCE = "conformance"
Test = Case | Rejection


def chosen(names: Sequence[str], only: str | None, tree: Tree) -> list[Test]:
    """The tests of these names, all without names; the long ones first. Raises StageError."""
    paths = [path for name in names for path in places(name, tree)] or [*files(tree), *_conformance(tree)]
    cases, problems = collect(paths, tree)
    refused, unreadable = rejections.collect(paths)
    if problems or unreadable:
        raise StageError("; ".join([*problems, *unreadable]))
    found: list[Test] = [*sorted(cases, key=_place), *refused]
    found = [test for test in found if only in {None, test.name}]
    if not found:
        raise StageError(f"there is no test '{only}' among those")
    return found


def suitable(tests: Iterable[Test], tekton: str) -> tuple[list[Test], list[Test]]:
    """The tests that this version of Tekton can pass, and those that need a newer one; all where it is not known."""
    found: tuple[list[Test], list[Test]] = ([], [])
    for test in tests:
        found[bool(tekton) and _order(needed(test)) > _order(tekton)].append(test)
    return found


def needed(test: Test) -> str:
    """The version of Tekton that a test asks for; empty for any."""
    return _expected(test).needs_tekton


def programs(tests: Iterable[Test], tree: Tree) -> set[str]:
    """The programs whose images the tests need."""
    found: set[str] = set()
    for test in tests:
        documents = list(test.documents)
        if isinstance(test, Case):
            run = next(each for each in documents if each.name == test.name and each.kind in objects.RUNS)
            documents += objects.callees(run, test.documents, tree)
            found |= {objects.LOADER} if _expected(test).source else set()
        for document in documents:
            found |= objects.programs(document.body)
    return found


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.removeprefix("v").split(".")) if version else ()


def _expected(test: Test) -> Expectations:
    return test.expected if isinstance(test, Rejection) else expectations.read(test.plan.annotations)


def _place(test: Case) -> int:
    """What only waits for a timeout comes first, then what brings a project, which it usually trains with."""
    expected = _expected(test)
    return 0 if expected.reason == Reason.PIPELINE_TIMEOUT else 1 if expected.source else 2


def _conformance(tree: Tree) -> list[Path]:
    return sorted((tree.root / "test" / CONFORMANCE).rglob("*.yaml"))


def places(name: str, tree: Tree) -> list[Path]:
    """The test files of a Task, a Pipeline, a folder or a file. Raises StageError."""
    given = Path(name)
    found = [given] if given.is_file() else sorted(given.rglob("*.yaml")) if given.is_dir() else []
    if name == CONFORMANCE:
        found = _conformance(tree)
    found = found or [path for path in files(tree) if _owner(path, tree) == name]
    if not found:
        known = ", ".join(sorted({_owner(path, tree) for path in files(tree)} | {CONFORMANCE}))
        raise StageError(f"there are no tests of '{name}'; there are: {known}")
    return found


def _owner(path: Path, tree: Tree) -> str:
    return path.relative_to(tree.root).parts[1]


def count(tests: Iterable[object]) -> str:
    number = len(list(tests))
    return f"{number} test{'s' if number != 1 else ''}"
