import os

import pytest

from taskkit.confined_paths import confined
from taskkit.errors import UsageError


def test_a_path_in_the_workspace_is_resolved(tmp_path):
    assert confined(tmp_path, "data/ü x.csv", "dataset") == tmp_path.resolve() / "data" / "ü x.csv"


def test_an_absolute_path_into_the_workspace_is_fine(tmp_path):
    assert confined(tmp_path, str(tmp_path / "a"), "dataset") == tmp_path.resolve() / "a"


@pytest.mark.parametrize("given", ["../x", "/etc/passwd", "a/../../x"])
def test_a_path_that_leaves_is_refused_with_its_param(tmp_path, given):
    with pytest.raises(UsageError, match=f"dataset '{given}' leads out of the workspace"):
        confined(tmp_path, given, "dataset")


def test_a_link_that_leaves_is_refused(tmp_path):
    os.symlink("/etc", tmp_path / "link")
    with pytest.raises(UsageError, match="leads out of the workspace"):
        confined(tmp_path, "link/passwd", "dataset")


@pytest.mark.parametrize(("given", "why"), [
    ("", "dataset is empty"),
    ("a\0b", "null byte"),
    ("x" * 256, "dataset 'x{40}…' is longer than a path may be \\(256 characters\\)"),
    ("ab/" * 1400, "is longer than a path may be"),
])  # fmt: skip
def test_what_is_no_path_is_refused(tmp_path, given, why):
    with pytest.raises(UsageError, match=why):
        confined(tmp_path, given, "dataset")
