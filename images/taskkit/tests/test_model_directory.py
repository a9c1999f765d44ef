import errno
import os

import pytest

from taskkit.errors import IntegrityError, TaskError
from taskkit.model_directory import file_entries, files_below, read_manifest, replacing, verify
from taskkit.model_manifest import (
    Environment,
    Estimator,
    GoldenSummary,
    ModelManifest,
    Onnx,
    Source,
    TrainingRun,
)


def manifest_of(directory):
    return ModelManifest(
        schema_version="1",
        files=file_entries(directory),
        estimator=Estimator("sklearn.svm.SVC", "model.pkl", "pickle", "model.pkl", "classifier"),
        signature=None,
        signature_reason="nothing was fitted",
        metrics={"accuracy": 0.95},
        dataset=None,
        source=Source(),
        run=TrainingRun("src/train.py", (), {}),
        environment=Environment("3.11.7", "linux-x86_64-glibc", {"scikit-learn": "1.9.1"}),
        onnx=Onnx("off"),
        golden=GoldenSummary(0, False, "no signature"),
    )


@pytest.fixture
def model(tmp_path):
    directory = tmp_path / "model"
    (directory / "code").mkdir(parents=True)
    (directory / "model.pkl").write_bytes(b"pickle")
    (directory / "code" / "features.py").write_text("x = 1")
    (directory / "model.json").write_bytes(manifest_of(directory).to_json())
    return directory


def test_a_whole_directory_is_verified_and_gives_its_digest(model):
    manifest, digest = verify(model)
    assert sorted(manifest.files) == ["code/features.py", "model.pkl"]
    assert digest == manifest.digest == read_manifest(model)[1]
    assert verify(model, digest)[1] == digest


def test_the_same_content_has_the_same_digest(model):
    assert manifest_of(model).to_json() == (model / "model.json").read_bytes()


def test_a_file_that_may_lie_beside_need_not_be_listed(model):
    (model / "gate-report.json").write_text("{}")
    with pytest.raises(IntegrityError, match=r"gate-report\.json is not listed"):
        verify(model)
    assert "gate-report.json" not in verify(model, besides=("gate-report.json",))[0].files


def test_a_changed_file_is_named(model):
    (model / "code" / "features.py").write_text("x = 2")
    with pytest.raises(IntegrityError, match=r"code/features\.py has sha256 .* but model\.json says"):
        verify(model)


def test_a_missing_file_is_named(model):
    (model / "model.pkl").unlink()
    with pytest.raises(IntegrityError, match=r"model\.pkl is missing"):
        verify(model)


def test_a_file_that_is_not_listed_is_named(model):
    (model / "code" / "evil.py").write_text("")
    with pytest.raises(IntegrityError, match=r"code/evil\.py is not listed"):
        verify(model)


def test_a_link_is_refused(model):
    os.symlink("/etc/passwd", model / "code" / "link")
    with pytest.raises(IntegrityError, match="code/link is a link"):
        verify(model)


def test_a_manifest_that_was_not_approved_is_refused_with_both_digests(model):
    approved = "sha256:" + "0" * 64
    with pytest.raises(IntegrityError, match=f"has digest sha256:.* but {approved} was approved"):
        verify(model, approved)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../b", "a//b", ""])
def test_a_manifest_that_lists_a_path_outside_is_refused(model, name):
    good = manifest_of(model)
    bad = ModelManifest(
        **{f: getattr(good, f) for f in good.__struct_fields__} | {"files": {name: good.files["model.pkl"]}}
    )
    (model / "model.json").write_bytes(bad.to_json())
    with pytest.raises(IntegrityError, match="not a plain relative path"):
        verify(model)


def test_no_manifest_says_what_to_run_first(tmp_path):
    with pytest.raises(TaskError, match=r"has no model\.json .*; run sklearn-train first"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"schema_version": "2"}', b'{"a": 1}'])
def test_a_file_that_is_no_manifest_is_named(tmp_path, content):
    (tmp_path / "model.json").write_bytes(content)
    with pytest.raises(TaskError, match=r"model\.json is not a model manifest"):
        read_manifest(tmp_path)


def test_a_new_directory_takes_the_place_of_the_old_one(tmp_path):
    target = tmp_path / "model"
    target.mkdir()
    (target / "stale").write_text("old")
    with replacing(target) as fresh:
        (fresh / "new").write_text("new")
        assert (target / "stale").exists()
    assert list(files_below(target)) == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_after_an_error_the_old_directory_is_untouched(tmp_path):
    target = tmp_path / "model"
    target.mkdir()
    (target / "old").write_text("old")
    with pytest.raises(FileNotFoundError), replacing(target) as fresh:
        (fresh / "absent").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert list(files_below(target)) == ["old"]


def test_leftovers_of_a_killed_run_are_removed(tmp_path):
    (tmp_path / ".model.new-dead").mkdir()
    with replacing(tmp_path / "model"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_folder_that_cannot_be_written_is_named_with_its_owner(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(TaskError, match=r"can't write .*/file"), replacing(blocker / "model"):
        pass


def test_a_full_volume_is_named_as_such(tmp_path):
    with (
        pytest.raises(TaskError, match=r"No space left on device\); make room on the volume"),
        replacing(tmp_path / "model"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
