"""Wheels whose files try to leave the folder that they are unpacked to, or are not what the wheel says of them."""

import sys

import pytest
from tiny_wheels import wheel

from model_server.import_paths import add_project_paths
from model_server.scratch import Scratch
from taskkit.errors import TaskError


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../evil.py", "outside of the target directory"),
        ("evil-1.data/purelib/../../../evil.py", "outside of the target directory"),
        ("/{outside}/evil.py", "can't be unpacked"),
    ],
)
def test_a_wheel_writes_nothing_outside_of_its_folder(name, said, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    wheel(tmp_path / "model" / "wheels", "evil", "1", "x = 1", more={name.format(outside=tmp_path): "x = 2"})
    with Scratch() as scratch, pytest.raises(TaskError, match=said) as error:
        add_project_paths(tmp_path / "model", scratch)
    assert "evil-1-py3-none-any.whl can't be unpacked" in str(error.value)
    assert not list(tmp_path.rglob("evil.py"))
