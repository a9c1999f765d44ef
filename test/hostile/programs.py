"""A workspace around one model file, and the real programs run on it as processes."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from taskkit.environment import installed_packages, platform_name, python_version
from taskkit.gate_report import Baseline, GateReport, approval_of
from taskkit.model_directory import file_entries
from taskkit.model_manifest import (
    Environment,
    Estimator,
    GoldenSummary,
    ModelManifest,
    Onnx,
    Source,
    TrainingRun,
)

ROOT = Path(__file__).parents[2]
TIMEOUT = 120


@dataclass(frozen=True)
class Workspace:
    """An approved model: ``model/`` and ``gate/`` below ``path``."""

    path: Path
    manifest: ModelManifest
    approval: str


def manifest_of(directory: Path, file: str, class_name: str = "sklearn.base.BaseEstimator") -> ModelManifest:
    return ModelManifest(
        schema_version="1",
        files=file_entries(directory),
        estimator=Estimator(class_name, file, "pickle", file, "other"),
        signature=None,
        signature_reason="not observed",
        metrics={"accuracy": 1.0},
        dataset=None,
        source=Source(),
        run=TrainingRun("train.py", (), {}),
        environment=Environment(python_version(), platform_name(), installed_packages()),
        onnx=Onnx("off"),
        golden=GoldenSummary(0, True, "none were made"),
    )


def approved(
    path: Path, content: bytes, file: str = "model.pkl", class_name: str = "sklearn.base.BaseEstimator"
) -> Workspace:
    """A model directory of one file, and a gate report that approves it."""
    model, gate = path / "model", path / "gate"
    model.mkdir(parents=True)
    gate.mkdir()
    (model / file).write_bytes(content)
    manifest = manifest_of(model, file, class_name)
    (model / "model.json").write_bytes(manifest.to_json())
    baseline = Baseline("none", {})
    report = GateReport("1", "pass", True, manifest.digest, {"accuracy": "1.0"}, (), baseline, {}, "default", "warn")
    (gate / "report.json").write_bytes(report.to_json())
    return Workspace(path, manifest, approval_of(report.to_json()))


@dataclass(frozen=True)
class Ended:
    code: int
    error: str


def _run(workspace: Workspace, program: str, *options: str) -> Ended:
    command = ROOT / ".venvs" / program / "bin" / program
    environment = {"PATH": os.environ["PATH"], "HOME": str(workspace.path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [command, *options],
        cwd=workspace.path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    return Ended(done.returncode, done.stderr)


def build(workspace: Workspace) -> Ended:
    return _run(
        workspace, "model-serve-build", f"--approval={workspace.approval}", "--image=oci-layout:image", "--base-image="
    )


def serve(workspace: Workspace) -> Ended:
    """For models that are refused: the server ends by itself."""
    return _run(
        workspace,
        "model-server",
        "--model-dir=model",
        f"--model-digest={workspace.manifest.digest}",
        "--host=127.0.0.1",
        "--port=0",
    )


PROGRAMS = {"model-serve-build": build, "model-server": serve}


def installed() -> bool:
    return all((ROOT / ".venvs" / program / "bin" / program).exists() for program in PROGRAMS)


def main(folder: Path, first: int = 0) -> int:
    """Every hostile file from a number on through both programs: a line each, then the sums. 0 when all were refused."""
    import hostile_files

    marker, counts = folder / "marker", {"files": 0, "refused by build": 0, "refused by server": 0, "markers": 0}
    for at, hostile in enumerate(list(hostile_files.all_files(marker))[first:], first):
        workspace = approved(folder / str(at), hostile.content)
        counts["files"] += 1
        for name, run in (("build", build), ("server", serve)):
            ended = run(workspace)
            errors = [line for line in ended.error.splitlines() if ": error: " in line]
            refused = ended.code == 3 and len(errors) == 1 and hostile.refused in errors[0]
            counts[f"refused by {name}"] += refused
            counts["markers"] += marker.exists()
            marker.unlink(missing_ok=True)
            print(
                f"{'ok  ' if refused else 'FAIL'} {name:<6} {ended.code} {hostile.name}: {ended.error.strip()[:240]}",
                flush=True,
            )
    print(counts)
    return (
        0
        if counts["files"] == counts["refused by build"] == counts["refused by server"] and not counts["markers"]
        else 3
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *map(int, sys.argv[2:])))
