import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from taskkit.model_directory import verify

PROJECTS = Path(__file__).parents[3] / "test" / "projects"
# The packages are compiled once; without that each of the many processes here would compile them anew.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
RESULTS = ("commit", "model-digest", "dataset-sha256")


@dataclass(frozen=True)
class Run:
    """How sklearn-train ended as a process, and what it left."""

    project: Path
    code: int
    output: str
    error: str
    results: dict[str, str]

    def manifest(self):
        return verify(self.project / "model", self.results["model-digest"])[0]

    def document(self, name):
        return json.loads((self.project / "model" / name).read_text())


@pytest.fixture
def projects():
    return PROJECTS


@pytest.fixture
def run(tmp_path):
    """Runs the program in a project's folder: a sample project by name, copied, or a folder that is there."""
    made = iter(range(100))

    def start(project, *options, environment=None):
        if isinstance(project, str):
            folder = tmp_path / f"run-{next(made)}" / project
            shutil.copytree(PROJECTS / project, folder)
        else:
            folder = project
        results = tmp_path / f"results-{next(made)}"
        results.mkdir()
        own, dashes, free = [*options], [], []
        if "--" in own:
            at = own.index("--")
            own, dashes, free = own[:at], ["--"], own[at + 1 :]
        command = [sys.executable, "-m", "sklearn_train", *own, "--result", *(f"{n}={results / n}" for n in RESULTS)]
        done = subprocess.run(
            [*command, *dashes, *free],
            cwd=folder,
            env={**ENVIRONMENT, **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        values = {name: (results / name).read_text() for name in RESULTS if (results / name).exists()}
        return Run(folder, done.returncode, done.stdout, done.stderr, values)

    return start


@pytest.fixture
def script(tmp_path):
    """A project with nothing but src/train.py."""

    def make(text, **files):
        (tmp_path / "project" / "src").mkdir(parents=True)
        (tmp_path / "project" / "src" / "train.py").write_text(text)
        for name, content in files.items():
            (tmp_path / "project" / "src" / f"{name}.py").write_text(content)
        return tmp_path / "project"

    return make
