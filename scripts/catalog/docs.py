"""``./scripts/docs [--check]``: the READMEs of Tasks and Pipelines, from their YAML, their programs, samples and tests.

Only the newest version of each is written: a released one never changes, its README neither.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from catalog.checks.manifests import manifests
from catalog.engine import expectations
from catalog.engine.documents import Document, Documents
from catalog.environments import ROOT
from catalog.program_declarations import program_behind
from catalog.tree import Tree
from taskkit.command_line import Option, Program

WIDTH = 116
_RUNS = ("TaskRun", "PipelineRun")


@dataclass(frozen=True)
class Sample:
    """``about`` is the comment at the top of the file, ``run`` the YAML of its first run with so many params."""

    file: str
    about: str
    run: str
    params: int


@dataclass(frozen=True)
class Test:
    file: str
    name: str
    expects: str


@dataclass(frozen=True)
class Call:
    """A task of a Pipeline; ``file`` is the manifest of the Task that it runs, None for somebody else's."""

    name: str
    runs: str
    after: str
    when: str
    file: Path | None


@dataclass(frozen=True)
class Page:
    """What the README of a Task or Pipeline tells; ``program`` is the one behind a Task."""

    document: Document
    root: Path
    program: Program | None

    @property
    def path(self) -> Path:
        return self.document.path.with_name("README.md")

    @property
    def folder(self) -> Path:
        return self.document.path.parent.relative_to(self.root)

    @property
    def spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.document.body["spec"]
        return spec

    @property
    def annotations(self) -> dict[str, str]:
        found: dict[str, str] = self.document.body["metadata"].get("annotations") or {}
        return found

    @property
    def options(self) -> dict[str, Option]:
        return {option.name: option for option in (self.program.options if self.program else ())}

    def described(self, param: dict[str, Any]) -> str:
        """A param's description, with the choices where it does not name them all."""
        option, text = self.options.get(param["name"]), param["description"].strip()
        choices = [code_span(choice) for choice in (option.choices if option else ())]
        return text if all(choice in text for choice in choices) else f"{text} One of {', '.join(choices)}."

    @property
    def samples(self) -> list[Sample]:
        """The simplest first."""
        found = [_sample(path) for path in sorted((self.document.path.parent / "samples").glob("*.yaml"))]
        return sorted((sample for sample in found if sample.run), key=lambda sample: (sample.params, sample.file))

    @property
    def tests(self) -> list[Test]:
        folder = self.document.path.parent
        documents, _ = Documents.load([folder / "tests"] if (folder / "tests").is_dir() else [])
        return [
            Test(str(one.path.relative_to(folder)), one.name, expected(one.body["metadata"].get("annotations") or {}))
            for one in documents.of_kind(*_RUNS)
        ]

    @property
    def tasks(self) -> list[Call]:
        return [self._call(task) for task in [*(self.spec.get("tasks") or []), *(self.spec.get("finally") or [])]]

    @property
    def files(self) -> list[Path]:
        """What has to be applied: the Tasks, then the Pipeline itself."""
        tasks = [task.file for task in self.tasks if task.file]
        return [*dict.fromkeys(tasks), self.document.path.relative_to(self.root)]

    def _call(self, task: dict[str, Any]) -> Call:
        reference = task.get("taskRef") or {}
        found = Tree(self.root).file("Task", reference.get("name", ""))
        relative = found.relative_to(self.root) if found else None
        up = "../" * len(self.folder.parts)
        foreign = f"{code_span(reference['resolver'])} resolver" if "resolver" in reference else "a task of its own"
        runs = f"[{reference['name']}]({up}{relative.parent}/README.md)" if relative else foreign
        whens = [f"{code_span(one['input'])} {_among(one)}" for one in task.get("when") or []]
        used = re.findall(r"\$\(tasks\.([\w-]+)\.", json.dumps(task))
        after = dict.fromkeys([*(task.get("runAfter") or []), *used])
        return Call(task["name"], runs, ", ".join(map(code_span, after)), " and ".join(whens), relative)


def _among(when: dict[str, Any]) -> str:
    values = [code_span(value) if value else "empty" for value in when.get("values") or []]
    return f"is {'' if when['operator'] == 'in' else 'not '}{' or '.join(values)}"


def _sample(path: Path) -> Sample:
    text = path.read_text(encoding="utf-8")
    comments = re.match(r"(?:---\n)?((?:#.*\n)*)", text)
    about = "\n".join(line[1:].removeprefix(" ") for line in (comments[1] if comments else "").splitlines())
    parts = [part.strip("\n") for part in re.split(r"^---.*\n", text, flags=re.MULTILINE)]
    runs = [part for part in parts if part and (yaml.safe_load(part) or {}).get("kind") in _RUNS]
    first = re.sub(r"\A(?:#.*\n)+", "", runs[0]) if runs else ""
    params = len(yaml.safe_load(first)["spec"].get("params") or []) if first else 0
    return Sample(f"samples/{path.name}", about.partition("\n\n")[0].replace("\n", " ").strip(), first, params)


def expected(annotations: dict[str, str]) -> str:
    """The expectations of a test as one phrase."""
    told = expectations.read(annotations)
    parts = [told.status.lower()]
    parts += [f"{f'task {code_span(task)} ' if task else ''}exit code {code}" for task, code in told.exit_codes.items()]
    parts += [f"skips {', '.join(sorted(told.skipped))}"] if told.skipped else []
    parts += [f"says {code_span(message)}" for message in told.messages[:1]]
    return ", ".join(parts)


def code_span(text: str) -> str:
    """Text as code in Markdown, whatever backticks it has."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence, pad = "`" * (longest + 1), " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def default_text(value: Any) -> str:
    """A default as it would be written in YAML; in words where it is empty."""
    if value in ("", []):
        return "empty"
    return code_span(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def wrapped(text: str, indent: int = 0) -> str:
    """Paragraphs of prose, filled; the first line is not indented."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    fill = textwrap.TextWrapper(WIDTH - indent, break_long_words=False, break_on_hyphens=False)
    filled = "\n\n".join(fill.fill(" ".join(paragraph.split())) for paragraph in paragraphs)
    return textwrap.indent(filled, " " * indent).lstrip(" ")


def cell(text: str) -> str:
    """Text in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
        undefined=StrictUndefined, autoescape=False,  # noqa: S701 - Markdown
    )  # fmt: skip
    environment.filters |= {"wrapped": wrapped, "cell": cell, "default_text": default_text, "code": code_span}
    return environment


def render(page: Page) -> str:
    """The README of a Task or Pipeline."""
    text = _templates().get_template(f"{page.document.kind.lower()}.md.jinja").render(page=page, spec=page.spec)
    return re.sub(r"\n{3,}", "\n\n", text).rstrip("\n") + "\n"


def pages(root: Path) -> Iterator[Page]:
    tree = Tree(root)
    for document in manifests(root):
        if tree.versions(document.kind, document.name)[-1:] == (document.path.parent.name,):
            yield Page(document, root, program_behind(document.body) if document.kind == "Task" else None)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./scripts/docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a page is not up to date")
    check = parser.parse_args(argv).check
    stale = 0
    for page in pages(ROOT):
        text, path = render(page), page.path.relative_to(ROOT)
        if page.path.is_file() and page.path.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        if check:
            print(
                f"{path}:1: error: not what its YAML, program, samples and tests say; run ./scripts/fix",
                file=sys.stderr,
            )
        else:
            page.path.write_text(text, encoding="utf-8")
            print(f"written: {path}")
    return 3 if check and stale else 0
