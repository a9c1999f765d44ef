import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

SLOW = "takes long, and is left out unless it is asked for: pytest test/endtoend -m slow"


def pytest_configure(config):
    config.addinivalue_line("markers", f"slow: {SLOW}")


def pytest_collection_modifyitems(config, items):
    if "slow" not in config.option.markexpr:
        here = Path(__file__).parent
        slow = [item for item in items if item.get_closest_marker("slow") and item.path.is_relative_to(here)]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


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
