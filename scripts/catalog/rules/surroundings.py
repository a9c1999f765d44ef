"""What lies beside a manifest: README, samples, tests, other manifests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from catalog.rules.subject import Subject

_SUFFIXES = (".yaml", ".yml")
_RUNS = re.compile(r"^kind:\s*[\"']?(?:TaskRun|PipelineRun|Pipeline|Task)\b", re.MULTILINE)
# How this catalog and Konflux write down that a run must fail.
_FAILS = re.compile(r"""\btest/(?:expect-status["']?:\s*["']?Failed|assert-task-failure["']?:)""")


def check(subject: Subject) -> None:
    if subject.is_second:
        message = f"{subject.document.title} is not the first document of the file: tkn and hubs read the first alone"
        subject.say("one-manifest", ("kind",), message, "give it a place of its own")
    if subject.place is None:
        return
    folder, name = subject.place.folder, subject.metadata.at("name")
    _check_readme(subject, folder)
    if not list(yaml_files(folder / "samples")):
        message = f"there are no samples in {subject.place.folder.name}/samples: hubs show them"
        subject.say("samples", name, message, "add samples/<what it shows>.yaml, a run that can be copied")
    tests = [text for path in yaml_files(folder / "tests") if _RUNS.search(text := _text(path))]
    if not tests:
        message = f"there is no run in {subject.place.folder.name}/tests: nothing shows that it works"
        subject.say("tests", name, message, "add tests/run.yaml, a run that must succeed")
    elif not any(_FAILS.search(text) for text in tests):
        message = "no test must fail: nothing shows that it notices what is wrong"
        remedy = "add one in tests/must-fail with the annotation test/expect-status: Failed"
        subject.say("must-fail", name, message, remedy)
    others = [path for path in sorted(folder.iterdir()) if path.suffix in _SUFFIXES and path != _absolute(subject)]
    for path in others:
        if _RUNS.search(_text(path)):
            message = f"{path.name} lies beside it: hubs and the test harness expect one manifest in a folder"
            subject.say("one-manifest", name, message, "move it to samples/ or tests/")


def _absolute(subject: Subject) -> Path:
    return subject.document.path.absolute()


def yaml_files(folder: Path) -> Iterator[Path]:
    """All YAML files anywhere below a folder, in order."""
    return (path for path in sorted(folder.rglob("*")) if path.suffix in _SUFFIXES and path.is_file())


@cache
def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return ""  # reading the documents reports it


def _check_readme(subject: Subject, folder: Path) -> None:
    readme = folder / "README.md"
    if not readme.is_file():
        message = "there is no README.md beside it: hubs have nothing to show"
        subject.say(
            "readme", subject.metadata.at("name"), message, "add one: what it does, params, results, an example"
        )
        return
    text = readme.read_text(encoding="utf-8", errors="replace")
    for key in ("params", "results", "workspaces"):
        for part in subject.spec.parts(key):
            name = part.text("name")
            if name and not re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text):
                message = f"README.md does not mention the {key[:-1]} {name!r}"
                subject.say("readme-names", part.at("name"), message, "describe it there, or generate the page")
