import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def project(tmp_path):
    """A copy of a sample project, in a folder whose name is as awkward as users make them."""
    from engine_runs import copied_project

    return lambda name: copied_project(name, tmp_path / "my projects (ü 日本)")


@pytest.fixture(scope="session")
def gated(tmp_path_factory):
    """A project that is trained and gated, but not built. It may not be changed."""
    from engine_runs import PIPELINE, Run
    from failing import Case, project_of

    project = project_of(Case("good", ""), tmp_path_factory.mktemp("gated") / "project")
    params = {"args": ["{model}", "{metrics}"], "onnx": "off", "image": "oci-layout:image", "base-image": ""}
    done = Run(PIPELINE, project, params).go()
    assert done.outcome.succeeded, done.explain()
    shutil.rmtree(project / "image")
    (project / "approval").write_text(str(done.outcome.task("gate").results["approval"]))
    return project


@pytest.fixture
def unmounted(tmp_path):
    """What a test mounts is gone afterwards."""
    yield
    subprocess.run(["umount", "--lazy", str(tmp_path / "project")], capture_output=True, check=False)
