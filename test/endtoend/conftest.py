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


@pytest.fixture
def unmounted(tmp_path):
    """What a test mounts is gone afterwards."""
    yield
    subprocess.run(["umount", "--lazy", str(tmp_path / "project")], capture_output=True, check=False)
