"""``scenarios``: what needs more than one run on a cluster, as tests of pytest in ``test/scenarios``."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from catalog import setup
from catalog.e2e.cluster_run import Stage
from catalog.e2e.objects import LOADER
from catalog.environments import VENVS
from catalog.tree import TREE

NAME = "scenarios"
STAGE = "CATALOG_STAGE"
"""The environment variable that tells the tests which cluster it is."""


def run(stage: Stage, jobs: int, only: str | None, report: Path | None) -> bool:
    """Whether they passed. ``only``: those whose names hold it; ``report``: of other tests, theirs lies beside."""
    setup.main(["tools"])
    chosen = ["-k", only] if only else []
    junit = [f"--junit-xml={report.absolute().with_stem(f'{report.stem}-{NAME}')}"] if report else []
    options = ["-v", "--durations=0", "--durations-min=5", "-n", str(jobs), "--dist", "loadfile", *chosen, *junit]
    command = [str(VENVS / "tools" / "bin" / "python"), "-m", "pytest", *options, f"test/{NAME}"]
    environment = {**os.environ, STAGE: json.dumps(told(stage))}
    return subprocess.run(command, cwd=TREE.root, env=environment, check=False).returncode == 0


def told(stage: Stage) -> dict[str, object]:
    """The stage in plain values."""
    import testcluster

    own = None if stage.kubectl.context else testcluster.running()
    return {
        "kubectl": str(stage.kubectl.program),
        "kubeconfig": str(stage.kubectl.kubeconfig),
        "context": stage.kubectl.context,
        "environment": dict(stage.kubectl.environment),
        "images": dict(stage.images),
        "registry": stage.images[LOADER].partition("/sklearn-catalog/")[0],
        "tkn": str(own.tkn_program) if own and own.tkn_program else "",
        "label": stage.label,
        "level": stage.level,
        "keep": stage.keep,
    }
