"""Extra packages from a folder of wheels, with no index and no internet."""

import base64
import hashlib
import zipfile

import pytest

from sklearn_train.requirements_overlay import install_overlay
from taskkit.errors import TaskError


def wheel(folder, name, version, requires=(), source="def answer():\n    return 42\n"):
    """A minimal wheel (binary distribution format, PEP 427)."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {r}\n" for r in requires)
    files = {f"{name}.py": source, f"{info}/METADATA": metadata,
             f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}  # fmt: skip
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        record = ""
        for file, text in files.items():
            archive.writestr(file, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{file},sha256={digest},{len(text)}\n"
        archive.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
    return path


@pytest.fixture
def wheels(tmp_path):
    return tmp_path / "pip-config"


def overlay(tmp_path, wheels, *requirements):
    private = tmp_path / "private"
    private.mkdir()
    return install_overlay(requirements, tmp_path, wheels, private)


def test_a_package_and_what_it_needs_come_along_as_wheels_with_hashes(tmp_path, wheels):
    tiny = wheel(wheels, "tinyfeatures", "1.2", ["tinyneeded>=1", "numpy"])
    wheel(wheels, "tinyneeded", "3")
    (tmp_path / "requirements.txt").write_text("tinyfeatures\n")
    found = overlay(tmp_path, wheels, "requirements.txt")
    assert sorted(path.name for path in found.wheels.iterdir()) == [
        "tinyfeatures-1.2-py3-none-any.whl", "tinyneeded-3-py3-none-any.whl"
    ]  # fmt: skip
    assert (found.folder / "tinyfeatures.py").is_file()
    assert not (found.folder / "numpy").exists()
    assert f"tinyfeatures==1.2 --hash=sha256:{hashlib.sha256(tiny.read_bytes()).hexdigest()}\n" in found.lock
    model_dir = tmp_path / "model"
    model_dir.mkdir()
    found.copy_to(model_dir)
    assert (model_dir / "requirements.lock").read_text() == found.lock


def test_what_the_image_has_is_not_added(tmp_path, wheels):
    wheels.mkdir()
    assert overlay(tmp_path, wheels, "numpy", "scikit-learn>=1").folder is None


def test_a_package_that_would_replace_numpy_is_refused(tmp_path, wheels):
    wheel(wheels, "oldfashioned", "1", ["numpy<2"])
    with pytest.raises(TaskError, match=r"numpy .* which models are served with"):
        overlay(tmp_path, wheels, "oldfashioned")


def test_a_package_that_can_not_be_had_is_named(tmp_path, wheels):
    wheel(wheels, "something", "1")
    with pytest.raises(TaskError, match=r"nosuchthing.*bind pip-config with pip.conf or a folder of wheels"):
        overlay(tmp_path, wheels, "nosuchthing")
