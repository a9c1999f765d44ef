"""A checkout of its own, with this tree's files: nothing is downloaded, nothing of the tree is touched."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from catalog.checks.tree_files import tree_files
from catalog.environments import ROOT
from catalog.tree import Tree

_IDENTITY = {
    f"GIT_{who}_{what}": "somebody@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Checkout:
    root: Path

    @classmethod
    def make(cls, root: Path) -> "Checkout":
        """With one commit, and the tag ``begin`` on it."""
        made = cls(root)
        for name in filter(_concerns_contributors, tree_files(ROOT)):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name, follow_symlinks=False)
        made.git("init", "--quiet")
        made.git("add", "--all")
        made.git("-c", "core.hooksPath=/dev/null", "commit", "--quiet", "--message", "The tree as it is")
        made.git("tag", "begin")
        return made

    @property
    def tree(self) -> Tree:
        return Tree(self.root)

    def run(self, *command: str, path: str = "") -> Done:
        environment = {**os.environ, **_IDENTITY, "PYTHONPATH": path}
        done = subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def git(self, *arguments: str) -> str:
        done = self.run("git", *arguments)
        assert done.code == 0, done.err
        return done.out

    def new(self, *arguments: str) -> Done:
        """``./scripts/new`` but for its check that the environment is there."""
        return self.run(".venvs/engine/bin/python", "-m", "catalog", "new", *arguments, path="scripts")

    def catalog(self, *arguments: str) -> Done:
        """A verb with the programs of this checkout, which no environment has installed."""
        sources = sorted(str(source) for source in self.root.glob("images/*/src"))
        path = os.pathsep.join([str(self.root / "scripts"), *sources])
        return self.run(".venvs/tools/bin/python", "-m", *arguments, path=path)

    def check(self, *names: str) -> list[str]:
        """The findings of ./scripts/check."""
        done = self.catalog("catalog", "check", *names)
        assert done.code in {0, 3}, done.err
        return [line.strip() for line in done.out.splitlines() if line.startswith("      ")]

    def share_environments(self) -> None:
        """Those of this tree, and none that a test made."""
        environments = self.root / ".venvs"
        shutil.rmtree(environments, ignore_errors=True)
        environments.mkdir()
        for environment in (ROOT / ".venvs").iterdir():
            (environments / environment.name).symlink_to(environment)

    def set_up(self, program: str) -> None:
        """What ./scripts/setup makes of a program: here out of another environment with the same lock."""
        lock = (self.root / "images" / program / "requirements.lock").read_text()
        others = self.root.glob("images/*/requirements.lock")
        alike = next(path.parent.name for path in others if path.parent.name != program and path.read_text() == lock)
        python = ROOT / ".venvs" / alike / "bin" / "python"
        command = self.root / ".venvs" / program / "bin" / program
        command.parent.mkdir(parents=True)
        source, package = self.root / "images" / program / "src", program.replace("-", "_")
        command.write_text(
            f"#!{python}\nimport sys\nsys.path.insert(0, {str(source)!r})\n"
            f"from {package}.command import main\nsys.exit(main())\n"
        )
        command.chmod(0o755)

    def change(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text(encoding="utf-8")
        assert old in text, f"{path} has no {old!r}"
        (self.root / path).write_text(text.replace(old, new, 1), encoding="utf-8")


def _concerns_contributors(name: str) -> bool:
    """Tests of other programs and of what spans the tree would only be copied, and read by checks."""
    parts = Path(name).parts
    if parts[0] == "test":
        return parts[1] in {"projects", "cluster"}
    return not (parts[0] == "images" and "tests" in parts)
