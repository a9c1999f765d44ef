"""Documents as text in, findings out; the line that a finding is expected at carries the mark ``# here``."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent

import pytest

from catalog.engine.documents import Documents
from catalog.engine.findings import Finding, Level
from catalog.engine.support import unsupported
from catalog.engine.validation import validate

MARK = "# here"


def document(kind: str, spec: str, name: str = "it", version: str = "v1") -> str:
    head = f"apiVersion: tekton.dev/{version}\nkind: {kind}\nmetadata:\n  name: {name}\nspec:\n"
    return head + indent(dedent(spec).strip("\n"), "  ") + "\n"


def task(spec: str, name: str = "it") -> str:
    """A Task; one without steps of its own gets a step that is right."""
    steps = (
        "" if re.search(r"^steps:", dedent(spec), re.MULTILINE) else "\nsteps:\n- {name: s, image: i, command: [c]}\n"
    )
    return document("Task", dedent(spec) + steps, name)


def pipeline(spec: str, name: str = "it") -> str:
    return document("Pipeline", spec, name)


class Checker:
    """Writes the documents to a file of their own and judges them."""

    document = staticmethod(document)
    task = staticmethod(task)
    pipeline = staticmethod(pipeline)

    def __init__(self, folder: Path) -> None:
        self.file = folder / "given.yaml"

    def load(self, *texts: str) -> tuple[Documents, list[Finding]]:
        self.file.write_text("---\n".join(texts), encoding="utf-8")
        return Documents.load([self.file])

    def findings(self, *texts: str, judge: Callable[[Documents], list[Finding]] = validate) -> list[Finding]:
        documents, unreadable = self.load(*texts)
        return unreadable + judge(documents)

    def accepts(self, *texts: str) -> None:
        """Not even a warning."""
        assert [str(found) for found in self.findings(*texts)] == []

    def marked_line(self) -> int:
        lines = self.file.read_text(encoding="utf-8").splitlines()
        (line,) = [number for number, text in enumerate(lines, 1) if MARK in text]
        return line

    def _one(self, level: Level, rule: str, message: str, texts: tuple[str, ...], judge=validate) -> Finding:
        found = self.findings(*texts, judge=judge)
        shown = [str(one) for one in found]
        assert [(one.level, one.rule) for one in found if one.level is not Level.NOTE] == [(level, rule)], shown
        one = next(one for one in found if one.level is level)
        assert message in f"{one.message} ({one.remedy})", shown
        assert one.position.line == self.marked_line(), shown
        assert one.position.file == str(self.file)
        return one

    def refuses(self, rule: str, message: str, *texts: str) -> Finding:
        """Exactly one finding, an error, at the marked line."""
        return self._one(Level.ERROR, rule, message, texts)

    def warns(self, rule: str, message: str, *texts: str) -> Finding:
        """Exactly one finding, a warning, at the marked line: Tekton would accept this."""
        return self._one(Level.WARNING, rule, message, texts)

    def cannot_run(self, message: str, *texts: str) -> Finding:
        """Valid for Tekton; refused by the local engine in exactly one place."""
        assert [one for one in self.findings(*texts) if one.level is Level.ERROR] == []
        return self._one(Level.ERROR, "unsupported", message, texts, judge=unsupported)

    def can_run(self, *texts: str) -> list[Finding]:
        """Nothing refused; the notes are returned."""
        found = self.findings(*texts, judge=unsupported)
        assert [str(one) for one in found if one.level is not Level.NOTE] == []
        return found


@pytest.fixture
def check(tmp_path: Path) -> Checker:
    return Checker(tmp_path)
