"""A new version of a Task or Pipeline: a copy of the newest one, then the places in which its version is written.

A program has one folder and moves on with its Task: the YAML of an older version keeps the tag of the image that it was
released with, and only the newest version is checked against the program, documented and tested.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

import yaml

from catalog.checks.changelogs import CHANGELOG, annotated, points, with_entry
from catalog.rules.versions import sorted_after
from catalog.scaffold import WrongRequestError, package_of
from catalog.tree import IMAGE_PREFIX, Tree, program_of


class GitError(Exception):
    """The copy could not be committed; nothing of it is left."""


@dataclass(frozen=True)
class Step:
    """From the version ``old`` to the version ``new``; ``programs`` are those that move on, with their versions."""

    tree: Tree
    kind: str
    name: str
    old: str
    new: str
    programs: dict[str, str]

    @property
    def above(self) -> Path:
        return self.tree.root / self.kind.lower() / self.name

    @property
    def folder(self) -> Path:
        return self.above / self.new

    @property
    def place(self) -> str:
        """The new folder, relative to the root."""
        return f"{self.kind.lower()}/{self.name}/{self.new}"


def plan(tree: Tree, name: str, version: str) -> Step:
    """What there is to do. Raises WrongRequestError."""
    kind = next((kind for kind in ("Task", "Pipeline") if tree.versions(kind, name)), None)
    if kind is None:
        known = ", ".join([*tree.names("Task"), *tree.names("Pipeline")])
        raise WrongRequestError(f"there is no task or pipeline '{name}'; there are: {known}")
    old = tree.versions(kind, name)[-1]
    if not re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)", version):
        raise WrongRequestError(f"'{version}' is no version; write two numbers, such as {_after(old)}")
    if _numbers(version) <= _numbers(old):
        raise WrongRequestError(f"{name} has version {old} already; the next is {_after(old)}, not {version}")
    if later := sorted_after(version):
        raise WrongRequestError(
            f"tkn sorts versions as text, {version} before {later}; raise the number before it instead"
        )
    if (tree.root / kind.lower() / name / version).exists():
        raise WrongRequestError(f"there is a folder {kind.lower()}/{name}/{version} already; remove or finish it")
    programs = _programs(tree, name, old) if kind == "Task" else {}
    for program, now in programs.items():
        if _numbers(now)[:2] > _numbers(version):
            raise WrongRequestError(f"its program {program} is at {now} already; {version} would lead back")
    return Step(tree, kind, name, old, version, programs)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _after(version: str) -> str:
    major, minor = _numbers(version)[:2]
    return f"{major + 1}.0" if sorted_after(f"{major}.{minor + 1}") else f"{major}.{minor + 1}"


def _programs(tree: Tree, name: str, version: str) -> dict[str, str]:
    path = tree.file("Task", name, version)
    body = yaml.safe_load(path.read_text(encoding="utf-8")) if path else {}
    found = {program_of(str(step.get("image"))) for step in body["spec"]["steps"]}
    return {program: _version(tree, program) for program in sorted(found & set(tree.programs), key=str) if program}


def _version(tree: Tree, program: str) -> str:
    text = (tree.root / "images" / program / "pyproject.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(text)["project"]["version"])


def copy(step: Step) -> None:
    """The new folder, byte for byte the old one."""
    shutil.copytree(step.above / step.old, step.folder, ignore=shutil.ignore_patterns("__pycache__"))


def commit(step: Step) -> str:
    """Commits the copy and nothing else, so that a review shows what the new version changes; the commit's message.

    Raises GitError after taking the copy away again.
    """
    message = f"{step.name} {step.new} begins as a copy of {step.old}"
    try:
        _git(step, "add", "--", step.place)
        _git(step, "commit", "--quiet", "-m", message, "--", step.place)
    except GitError:
        subprocess.run(["git", "reset", "--quiet", "--", step.place], cwd=step.tree.root, check=False)
        shutil.rmtree(step.folder)
        raise
    return message


def refuse_uncommitted(step: Step) -> None:
    """A copy of what nobody has reviewed would hide it. Raises GitError, WrongRequestError."""
    place = f"{step.kind.lower()}/{step.name}/{step.old}"
    if changed := _git(step, "status", "--porcelain", "--", place).splitlines():
        raise WrongRequestError(f"{changed[0][3:]} is not committed; commit or undo it before it is copied")


def _git(step: Step, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=step.tree.root, check=False, capture_output=True, text=True, timeout=120
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise GitError(f"git {arguments[0]}: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise GitError(f"git {arguments[0]}: {said[0] if said else f'exit code {done.returncode}'}")
    return done.stdout


def change(step: Step) -> list[Path]:
    """Writes the new version wherever the version stands; the files that changed."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(step.folder.rglob("*.yaml"))}
    changed = {path: _moved(step, text) for path, text in texts.items()}
    for program, now in step.programs.items():
        folder = step.tree.root / "images" / program
        package = folder / "src" / package_of(program)
        for path in (folder / "pyproject.toml", package / "__init__.py", package / "command.py"):
            texts[path] = path.read_text(encoding="utf-8")
            line = re.compile(rf'^(\s*(?:version|__version__) ?= ?)"{re.escape(now)}"', re.MULTILINE)
            changed[path] = line.sub(rf'\g<1>"{_program_version(step, now)}"', texts[path])
    log = step.above / CHANGELOG
    texts[log] = log.read_text(encoding="utf-8") if log.is_file() else ""
    changed[log] = with_entry(texts[log], step.name, step.new, f"No difference to {step.old} yet.")
    manifest = step.folder / f"{step.name}.yaml"
    changed[manifest] = annotated(changed[manifest], points(changed[log], step.new))
    written = [path for path in changed if changed[path] != texts[path]]
    for path in written:
        path.write_text(changed[path], encoding="utf-8")
    return written


def _moved(step: Step, text: str) -> str:
    label = re.compile(rf'^(\s+app\.kubernetes\.io/version: "){re.escape(step.old)}"$', re.MULTILINE)
    text = label.sub(rf'\g<1>{step.new}"', text)
    for program, now in step.programs.items():
        text = text.replace(f"{IMAGE_PREFIX}{program}:{now}", f"{IMAGE_PREFIX}{program}:{_program_version(step, now)}")
    place = f"{step.kind.lower()}/{step.name}/"
    return text.replace(f"{place}{step.old}/", f"{place}{step.new}/")


def _program_version(step: Step, now: str) -> str:
    """A program that another Task has moved on already stays where it is."""
    return now if now.startswith(f"{step.new}.") else f"{step.new}.0"
