"""Trees of files as text in, findings out."""

from __future__ import annotations

import subprocess
from pathlib import Path
from textwrap import indent

import pytest

from catalog.engine.documents import Documents
from catalog.engine.findings import Finding
from catalog.rules.judging import Settings, judge
from catalog.rules.rulebook import Example, Profile

MARK = "<--"
PLACE = "task/example/0.1/example.yaml"
STEP = "steps: [{name: s, image: docker.io/library/golang:1.24, command: [go, build]}]"


def whole_file(example: Example) -> str:
    """An example with what it leaves out: head, name and, where it has none, a spec."""
    if not example.kind or example.text.startswith("apiVersion:"):
        return example.text
    head = f"apiVersion: tekton.dev/{'v1beta1' if example.kind == 'StepAction' else 'v1'}\nkind: {example.kind}\n"
    if example.text.startswith("metadata:"):
        return head + example.text + ("" if "\nspec:" in example.text else f"spec: {{{STEP}}}\n")
    spec = example.text
    if example.kind == "Task" and not spec.startswith("steps:") and "\nsteps:" not in spec:
        spec += STEP + "\n"
    return f"{head}metadata: {{name: example}}\nspec:\n{indent(spec, '  ')}"


class Tree:
    """A folder with files, and what is found in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def task(self, spec: str, path: str = PLACE, metadata: str = "{name: example}") -> Path:
        body = indent(spec.strip("\n"), "  ")
        return self.write(path, f"apiVersion: tekton.dev/v1\nkind: Task\nmetadata: {metadata}\nspec:\n{body}\n")

    def git(self, *arguments: str) -> None:
        identity = [
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.com",
            "-c",
            "commit.gpgsign=false",
            "-c",
            "tag.gpgsign=false",
        ]
        subprocess.run(["git", *identity, *arguments], cwd=self.root, check=True, capture_output=True)

    def release(self, tag: str) -> None:
        if not (self.root / ".git").exists():
            self.git("init", "-q")
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", tag)
        self.git("tag", tag)

    def findings(self, profile: Profile | None = None, *paths: Path) -> list[Finding]:
        return judge(paths or [self.root], Documents(), Settings(profile))[1]

    def of(self, rule: str, profile: Profile | None = None, *paths: Path) -> list[Finding]:
        return [one for one in self.findings(profile, *paths) if one.rule == rule]

    def only(self, rule: str, profile: Profile | None = None) -> Finding:
        found = self.of(rule, profile)
        assert len(found) == 1, [str(one) for one in found]
        return found[0]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)
