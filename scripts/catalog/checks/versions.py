"""One version everywhere: the folder, the image's tag, the program, its package."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from catalog.checks.manifests import manifests
from catalog.checks.tree_files import finding, finding_at
from catalog.engine.findings import Finding
from catalog.program_declarations import declared_program
from catalog.tree import Tree, program_of


def findings(root: Path) -> list[Finding]:
    return [*_programs(root), *_tasks(root)]


def _package_version(root: Path, program: str) -> str:
    text = (root / "images" / program / "pyproject.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(text)["project"]["version"])


def _programs(root: Path) -> Iterator[Finding]:
    for program in Tree(root).programs:
        declared, package = declared_program(program), _package_version(root, program)
        if declared and declared.version != package:
            message = f"the package is {package}, PROGRAM says {declared.version}"
            yield finding(f"images/{program}/pyproject.toml", 1, "version", message, "write the same one")


def _tasks(root: Path) -> Iterator[Finding]:
    tree = Tree(root)
    for document in manifests(root):
        folder, newest = document.path.parent.name, tree.versions(document.kind, document.name)[-1]
        for index, step in enumerate((document.body.get("spec") or {}).get("steps") or []):
            image = str(step.get("image"))
            tag, program = image.partition("@")[0].rpartition(":")[2], program_of(image)
            where = document.position(f"spec.steps[{index}].image")
            if program and not tag.startswith(f"{folder}."):
                message, remedy = f"image tag {tag} in the folder {folder}", f"write {folder}.0 or another {folder}.x"
                yield finding_at(where, "version", message, remedy)
            elif folder == newest and program in tree.programs and tag != (now := _package_version(root, program)):
                yield finding_at(where, "version", f"image tag {tag}, but {program} is {now}", "write the same one")
