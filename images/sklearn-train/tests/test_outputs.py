"""What counts as written by the script."""

import json
import os
import shutil
import time

import pytest

from sklearn_train.outputs import METRICS_FILE, MODEL_FILE, Outputs, snapshot
from taskkit.errors import TaskError


@pytest.fixture
def workspace(tmp_path):
    """With a model and its metrics from before, a moment old as such files are."""
    (tmp_path / "model.pkl").write_bytes(b"old")
    (tmp_path / "metrics.json").write_text('{"accuracy": 0.1}')
    (tmp_path / "archive").mkdir()
    time.sleep(0.01)
    return tmp_path


def outputs_after(script, workspace, named=()):
    before = snapshot(workspace, named)
    script(workspace)
    return Outputs(workspace, workspace / ".told", before)


NOT_WRITING = {
    "does nothing": lambda _: None,
    "changes the mode": lambda folder: (folder / "model.pkl").chmod(0o600),
    "moves": lambda folder: shutil.move(folder / "model.pkl", folder / "archive" / "model.pkl"),
    "renames": lambda folder: (folder / "model.pkl").rename(folder / "old_model.pkl"),
    "copies with its times": lambda folder: shutil.copy2(folder / "model.pkl", folder / "archive"),
    "links": lambda folder: (folder / "archive" / "model.pkl").hardlink_to(folder / "model.pkl"),
    "links by name": lambda folder: (folder / "latest.pkl").symlink_to("model.pkl"),
}


@pytest.mark.parametrize("script", NOT_WRITING.values(), ids=NOT_WRITING)
def test_what_lay_there_before_is_no_output_wherever_the_script_puts_it(workspace, script):
    with pytest.raises(TaskError) as refused:
        outputs_after(script, workspace).find(MODEL_FILE, "")
    assert str(refused.value).startswith("the script wrote no model (model.pkl was there before and does not count)")


def test_a_named_file_that_was_only_moved_there_is_no_output_either(workspace):
    outputs = outputs_after(NOT_WRITING["moves"], workspace, named=("archive/model.pkl",))
    with pytest.raises(TaskError, match=r"model-file 'archive/model.pkl' was there before, and the script did not"):
        outputs.find(MODEL_FILE, "archive/model.pkl")


WRITING = {
    "in place": lambda folder: (folder / "model.pkl").write_bytes(b"new"),
    "another, with the old one put away": lambda folder: (
        NOT_WRITING["moves"](folder), (folder / "model.pkl").write_bytes(b"new")
    ),
    "under another name, then renamed": lambda folder: (
        (folder / "tmp").write_bytes(b"new"), os.replace(folder / "tmp", folder / "model.pkl")
    ),
}  # fmt: skip


@pytest.mark.parametrize("script", WRITING.values(), ids=WRITING)
def test_what_the_script_writes_is_found(workspace, script):
    found = outputs_after(script, workspace).find(MODEL_FILE, "")
    assert (found.name, found.file.read_bytes()) == ("model.pkl", b"new")


def test_a_file_and_a_link_to_it_are_one_output(workspace):
    def script(folder):
        (folder / "runs" / "1").mkdir(parents=True)
        (folder / "runs" / "1" / "model.pkl").write_bytes(b"new")
        (folder / "model.pkl").unlink()
        (folder / "model.pkl").symlink_to("runs/1/model.pkl")

    found = outputs_after(script, workspace).find(MODEL_FILE, "")
    assert (found.name, found.file) == ("model.pkl", workspace / "runs" / "1" / "model.pkl")


def test_a_model_directory_that_another_run_puts_there_is_no_output(workspace):
    def other_run(folder):
        (folder / "other").mkdir()
        for name in ("model.pkl", "metrics.json"):
            (folder / "other" / name).write_text('{"accuracy": 0.9}')
        (folder / "other" / "model.json").write_text(
            json.dumps({"schema_version": "1", "files": {}, "estimator": {}, "metrics": {}})
        )

    outputs = outputs_after(other_run, workspace)
    for kind in (MODEL_FILE, METRICS_FILE):
        with pytest.raises(TaskError, match=f"the script wrote no {kind.what} "):
            outputs.find(kind, "")


def test_a_model_that_is_saved_into_an_earlier_model_directory_is_found(workspace):
    (workspace / "model").mkdir()
    (workspace / "model" / "model.json").write_text('{"schema_version": "1", "files": {}, "estimator": {}}')
    found = outputs_after(lambda folder: (folder / "model" / "model.pkl").write_bytes(b"new"), workspace).find(
        MODEL_FILE, ""
    )
    assert found.name == "model/model.pkl"


def test_a_name_that_is_no_text_is_shown_escaped(workspace):
    def script(folder):
        for name in (b"one\xff.pkl", b"two.pkl"):
            with open(os.fsencode(folder) + b"/" + name, "wb") as file:
                file.write(name)

    with pytest.raises(TaskError, match=r"several files that could be the model: one\\xff.pkl, two.pkl"):
        outputs_after(script, workspace).find(MODEL_FILE, "")
