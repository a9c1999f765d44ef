"""What tests of failures share: a project that does its part, ways to break things, and what holds of every failure."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine_runs import Done
from sklearn.linear_model import LinearRegression

MODEL = pickle.dumps(LinearRegression().fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]))
GOOD = """
import json, sys
model, metrics = sys.argv[1:3]
open(model, "wb").write(open("fitted.bin", "rb").read())
json.dump({"r2": 1.0}, open(metrics, "w"))
"""


def unchanged(_: Path) -> None:
    pass


def files(**content: str | bytes) -> Callable[[Path], None]:
    """Writes files; the last ``__`` of a name is its dot, the others are slashes."""

    def setup(project: Path) -> None:
        for name, text in content.items():
            stem, _, suffix = name.rpartition("__")
            path = project / f"{stem.replace('__', '/')}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())

    return setup


@dataclass(frozen=True)
class Case:
    name: str
    said: str
    """A regular expression for the whole line after ``sklearn-train: error: ``."""
    script: str | None = GOOD
    params: Mapping[str, str | list[str]] = field(default_factory=dict)
    setup: Callable[[Path], None] = unchanged
    code: int = 3
    kept: tuple[str, ...] = ()
    """What lay in the workspace before and must still be there as it was."""
    stop_after: float | None = None


def project_of(case: Case, folder: Path) -> Path:
    (folder / "src").mkdir(parents=True)
    (folder / "fitted.bin").write_bytes(MODEL)
    if case.script is not None:
        (folder / "src" / "train.py").write_text(case.script)
    case.setup(folder)
    return folder


def leftovers(project: Path) -> list[str]:
    """Files of ours that a failed run may not leave."""
    ours = (".model.", ".gate.", "model", "gate")
    return sorted(path.name for path in project.iterdir() if path.name.startswith(ours) and path.name != "model.pkl")


OUR_FRAMES = re.compile(r'File ".*/(sklearn_train|taskkit|metric_gate|model_serve_build)/')


def check_failure(
    done: Done,
    program: str,
    code: int,
    said: str,
    *,
    kept: Mapping[Path, bytes] | None = None,
    left: Sequence[str] = (),
) -> None:
    """Exit code, one line with cause and remedy, none of our frames, and nothing but ``left`` of what is ours."""
    assert done.exit_code == code, done.explain()
    lines = done.error_lines()
    assert len(lines) == 1, done.explain()
    line = lines[0].removeprefix(f"{program}: error: ")
    assert re.fullmatch(said, line), line
    assert not OUR_FRAMES.search(done.log), done.explain()
    assert not any(done.results.get(name) for name in ("model-digest", "approval", "IMAGE_DIGEST"))
    assert {path: path.read_bytes() for path in kept or ()} == (kept or {})
    assert leftovers(done.project) == sorted(left)
    record(code, lines[0])


def record(code: int, text: str) -> None:
    """A row of docs/failures.md, where ``failures_page.py`` asks for them."""
    if table := os.environ.get("FAILURES_TABLE"):
        test, _, case = os.environ["PYTEST_CURRENT_TEST"].partition("::")[2].rpartition(" (")[0].partition("[")
        with open(table, "a", encoding="utf-8") as stream:
            stream.write(json.dumps({"test": test, "case": case.removesuffix("]"), "code": code, "text": text}) + "\n")


def read_only(project: Path) -> None:
    """As a volume that was mounted so."""
    subprocess.run(["mount", "--bind", str(project), str(project)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(project)], check=True)


def small_disk(project: Path, *, full: bool = False) -> None:
    """A file system of a megabyte, with the project on it."""
    kept = {path.relative_to(project): path.read_bytes() for path in project.rglob("*") if path.is_file()}
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(project)], check=True)
    for name, content in kept.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_bytes(content)
    if full:
        with (project / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(bytes(512)):
                pass


def mounts_work() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        return not os.getuid() and not subprocess.run(
            ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False
        ).returncode  # fmt: skip
