"""What the tests of the runtime share: running YAML that stands in the test itself."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from catalog.engine.documents import Documents
from catalog.engine.events import Recorder
from catalog.engine.outcomes import RunOutcome
from catalog.engine.planning import plan
from catalog.engine.process import Cancellation
from catalog.engine.programs import Programs
from catalog.engine.running import Execution
from catalog.engine.sources import Sources
from catalog.tree import Tree


@dataclass
class Ran:
    """A run that is over, and what was heard of it."""

    outcome: RunOutcome
    recorder: Recorder
    folder: Path

    @property
    def log(self) -> str:
        return self.recorder.log()


Runner = Callable[..., Ran]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    root = tmp_path / "tree"
    root.mkdir()
    return Tree(root)


@pytest.fixture
def execute(tmp_path: Path, tree: Tree) -> Runner:
    """Runs the last TaskRun or PipelineRun of a YAML text."""
    count = 0

    def run(
        text: str,
        folders: Mapping[str, Path] | None = None,
        *,
        jobs: int = 4,
        cancellation: Cancellation | None = None,
    ) -> Ran:
        nonlocal count
        count += 1
        path = tmp_path / f"documents-{count}.yaml"
        path.write_text(textwrap.dedent(text))
        documents, findings = Documents.load([path])
        assert not findings, findings
        sources = Sources(documents, tree)
        document = documents.of_kind("TaskRun", "PipelineRun")[-1]
        recorder = Recorder()
        execution = Execution(
            documents,
            Programs(tree),
            recorder,
            cancellation or Cancellation(),
            jobs,
        )
        folder = tmp_path / f"run-{count}"
        folder.mkdir()
        return Ran(execution.run(plan(document.body, path, sources, folders), folder), recorder, folder)

    return run
