"""The tree itself, and copies of it with one thing changed."""

import shutil
from pathlib import Path

import pytest

from catalog.environments import ROOT
from catalog.tree import Tree


class Copy:
    """Task and Pipeline folders of the tree in a folder of their own, beside its very programs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("task", "pipeline"):
            shutil.copytree(ROOT / name, root / name)
        (root / "images").symlink_to(ROOT / "images")

    def keep(self, task: str) -> None:
        """Leaves nothing but one Task."""
        shutil.rmtree(self.root / "pipeline")
        for folder in (self.root / "task").iterdir():
            if folder.is_dir() and folder.name != task:
                shutil.rmtree(folder)

    def change(self, kind: str, name: str, old: str, new: str) -> None:
        """Replaces a text, which must be there, in the newest manifest of a Task or Pipeline."""
        path = Tree(self.root).file(kind.capitalize(), name)
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{path} has no {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path / "tree")


@pytest.fixture
def files(tmp_path):
    """Writes files into a folder, which it returns."""

    def write(**contents: str) -> Path:
        for name, content in contents.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        return tmp_path

    return write
