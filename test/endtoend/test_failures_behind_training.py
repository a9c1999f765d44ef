"""What goes wrong in gate and build, through their YAML: exit code, one line, and nothing that could be taken for output."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from engine_runs import Done, Run, task_file
from failing import check_failure, leftovers, mounts_work, read_only, small_disk, unchanged

from catalog.tree import TREE


@dataclass(frozen=True)
class Step:
    name: str
    said: str
    params: Mapping[str, str | list[str]] = field(default_factory=dict)
    setup: Callable[[Path], None] = unchanged
    code: int = 3


def damaged(name: str, content: bytes | None = None) -> Callable[[Path], None]:
    def setup(project: Path) -> None:
        if content is None:
            (project / name).unlink()
        else:
            (project / name).write_bytes(content)

    return setup


def without(name: str) -> Callable[[Path], None]:
    return lambda project: shutil.rmtree(project / name)


def linked(project: Path) -> None:
    (project / "model" / "metrics.json").rename(project / "elsewhere.json")
    (project / "model" / "metrics.json").symlink_to(project / "elsewhere.json")


GATE = [
    Step("no model", r"model directory model has no model\.json \(No such file or directory\); run sklearn-train first, .*",
         setup=without("model")),
    Step("a file changed", r"model/fitted\.bin is not listed in model\.json; remove it, or train again|"
         r"model/model\.pkl has sha256 .*; the file changed after training; train and run the gate again",
         setup=damaged("model/model.pkl", b"another")),
    Step("a file is gone", r"model/metrics\.json is missing, but model\.json lists it; train again",
         setup=damaged("model/metrics.json")),
    Step("a link in the model", r"model/metrics\.json is a link or a special file, which a model directory may not hold; train again",
         setup=linked),
    Step("model.json is cut short", r"model/model\.json is not a model manifest \(.*\); it must be the one that sklearn-train wrote; .*",
         setup=damaged("model/model.json", b'{"schema_version": "1"')),
    Step("rules are no YAML", r"rules line \d: not YAML \(.*\); write for example accuracy: .*", {"rules": "r2: {min: 0.5"}, code=2),
    Step("rules are an order", r"rules .*; .*", {"rules": "$(id)"}, code=2),
    Step("a path outside", r"report-dir '\.\./gate' leads out of the workspace; .*", {"report-dir": "../gate"}, code=2),
    Step("a folder of others", r"report-dir 'src' holds 'train\.py', which is no report; .*", {"report-dir": "src"}, code=2),
    Step("the model's folder", r"report-dir 'model' .*; .*", {"report-dir": "model"}, code=2),
    Step("refused", r"the gate said no: r2: 1(\.0)? is (less|smaller|lower|below) .*; see gate/report\.md; train a better model, .*",
         {"rules": "r2: {min: 1.5}"}, code=10),
]  # fmt: skip
BUILD = [
    Step("no approval", r"--approval is required; .*", {"approval": ""}, code=2),
    Step("approval of something else", r".*/gate/report\.json has digest sha256:.*, but the approval is sha256:0{64}; the report changed "
         "after the gate or is another run's; .*", {"approval": "sha256:" + "0" * 64}),
    Step("approval is an order", r".* has digest .*, but the approval is ; id; .*", {"approval": "; id"}),
    Step("no report", r"there is no gate report .*report\.json \(No such file or directory\); run metric-gate first, .*",
         setup=without("gate")),
    Step("a file changed", r".*model\.pkl has sha256 .*; the file changed after training; train and run the gate again",
         setup=damaged("model/model.pkl", b"another")),
    Step("no commit", r"image 'oci-layout:image:\{commit\}' asks for \{commit\}, but the model was not trained in a git checkout; use "
         r"\{model-digest\} instead, or train from a commit", {"image": "oci-layout:image:{commit}"}, code=2),
    Step("an order as image", r"image '.*'.*; .*", {"image": "$(id)"}, code=2),
    Step("a layout outside", r"image '\.\./image' leads out of the workspace; .*", {"image": "oci-layout:../image"}, code=2),
    Step("no base", r"base-image oci-layout:nowhere: there is no such image in the layout; it has: nothing",
         {"base-image": "oci-layout:nowhere"}),
    Step("no such app", r"app 'src/serve\.py:app': the model directory has no code/src/serve\.py; give the file to sklearn-train's param "
         "include and train again", {"app": "src/serve.py:app"}, code=2),
]  # fmt: skip
DISK = [
    Step("read-only", r"can't (write|make) .* \(Read-only file system\); .*", setup=read_only),
    Step("full disk", r"can't write .* \(No space left on device\); make room on the volume",
         setup=lambda project: small_disk(project, full=True)),
]  # fmt: skip


def run_step(program: str, step: Step, gated: Path, project: Path) -> Done:
    shutil.copytree(gated, project)
    params: dict[str, str | list[str]] = {}
    if program == "metric-gate":
        shutil.rmtree(project / "gate")
    else:
        params = {"image": "oci-layout:image", "base-image": "", "approval": (gated / "approval").read_text()}
    step.setup(project)
    return Run(task_file(program), project, {**params, **step.params}).go()


def check_step(program: str, step: Step, done: Done) -> None:
    kept = {"metric-gate": ["model"], "model-serve-build": ["gate", "model"]}[program]
    if step.code == 10:
        kept = ["gate", "model"]
        assert not (done.project / "gate" / "baseline.yaml").exists()
        assert not json.loads((done.project / "gate" / "report.json").read_text())["approved"]
    there = [name for name in kept if (done.project / name).exists()]
    check_failure(done, program, step.code, step.said, left=there)
    assert not done.results.get("image")
    assert not (done.project / "image" / "index.json").exists()
    assert "uid=" not in done.log


@pytest.mark.parametrize("step", GATE, ids=lambda step: step.name)
def test_a_gate_that_can_not_decide_or_says_no_leaves_no_approval(step, gated, tmp_path):
    check_step("metric-gate", step, run_step("metric-gate", step, gated, tmp_path / "project"))


@pytest.mark.parametrize("step", BUILD, ids=lambda step: step.name)
def test_a_build_that_fails_leaves_no_image(step, gated, tmp_path):
    check_step("model-serve-build", step, run_step("model-serve-build", step, gated, tmp_path / "project"))


@pytest.mark.usefixtures("unmounted")
@pytest.mark.skipif(not mounts_work(), reason="needs root that may mount")
@pytest.mark.parametrize("program", ["metric-gate", "model-serve-build"])
@pytest.mark.parametrize("step", DISK, ids=lambda step: step.name)
def test_gate_and_build_say_what_they_can_not_write(program, step, gated, tmp_path):
    check_step(program, step, run_step(program, step, gated, tmp_path / "project"))


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="needs root that may give up its rights")
@pytest.mark.parametrize("program", ["metric-gate", "model-serve-build"])
def test_gate_and_build_say_whose_the_workspace_is(program, gated, tmp_path):
    project = tmp_path / "project"
    shutil.copytree(gated, project)
    if program == "metric-gate":
        shutil.rmtree(project / "gate")
    for path in (project, *project.rglob("*")):
        os.chown(path, 1234, 5678)
        path.chmod(0o755 if path.is_dir() else 0o644)
    options = [] if program == "metric-gate" else [
        f"--approval={(gated / 'approval').read_text()}", "--image=oci-layout:image", "--base-image=",
    ]  # fmt: skip
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", str(TREE.environment(program) / program), *options]
    done = subprocess.run(command, cwd=project, text=True, capture_output=True, check=False)
    assert done.returncode == 3, done.stderr
    (line,) = done.stderr.splitlines()
    assert re.fullmatch(
        rf"{program}: error: can't \S+ .* \(Permission denied\); .* belongs to 1234:5678 with mode 755 and this step runs as 0:0: "
        r"set podTemplate\.securityContext\.fsGroup, or make it writable for the group", line,
    ), line  # fmt: skip
    assert leftovers(project) == (["model"] if program == "metric-gate" else leftovers(gated))
