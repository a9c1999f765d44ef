"""Two runs on one workspace don't take each other's files for their own."""

import json
import subprocess
import sys
import time

import pytest

from sklearn_train import only_run as locking
from sklearn_train.only_run import only_run
from taskkit.errors import TaskError

HOLDING = """
import sys, time
from pathlib import Path
from sklearn_train.only_run import only_run
with only_run(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holding(model_dir, seconds):
    process = subprocess.Popen([sys.executable, "-c", HOLDING, model_dir, str(seconds)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    return process


def test_a_second_run_waits_for_the_end_of_the_first_and_says_so(tmp_path, capsys):
    with holding(tmp_path / "model", 1) as process:
        with only_run(tmp_path / "model"):
            assert process.wait(10) == 0
        assert "note: another run uses model-dir 'model'; waiting up to 30 s for its end" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_does_not_end_in_time_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(locking, "PATIENCE", 0.3)
    said = r"another run of sklearn-train has used model-dir 'model' for more than 0.3 s; let it end first"
    with holding(tmp_path / "model", 20) as process:
        with pytest.raises(TaskError, match=said), only_run(tmp_path / "model"):
            raise AssertionError("not reached")
        process.kill()


def test_a_killed_run_holds_nothing(tmp_path):
    with holding(tmp_path / "model", 20) as process:
        process.kill()
        process.wait(10)
        began = time.monotonic()
        with only_run(tmp_path / "model"):
            assert time.monotonic() - began < locking.PATIENCE / 2
    assert list(tmp_path.iterdir()) == []


def test_runs_for_different_directories_go_on_side_by_side(tmp_path, capsys):
    with holding(tmp_path / "one", 20) as process, only_run(tmp_path / "two"):
        process.kill()
    assert capsys.readouterr().out == ""


def test_a_folder_that_cant_be_written_is_left_to_whoever_writes_there(tmp_path):
    (tmp_path / "file").write_text("")
    with only_run(tmp_path / "file" / "model"):
        pass


SLOW = """
import json, pickle, sys, time
from sklearn.linear_model import LogisticRegression
from sklearn.datasets import load_iris
X, y = load_iris(return_X_y=True)
c, wait = float(sys.argv[1]), float(sys.argv[2])
model = LogisticRegression(C=c, max_iter=300).fit(X, y)
time.sleep(wait)
pickle.dump(model, open("{model}", "wb"))
json.dump({{"c": c}}, open("{metrics}", "w"))
time.sleep(wait)
"""


def test_of_two_runs_at_once_each_publishes_its_own_model(script, run):
    project = script(SLOW.format(model=".model.training/model.pkl", metrics=".model.training/metrics.json"))
    program = [sys.executable, "-m", "sklearn_train", "--onnx=off", "--golden=none", "--", "7", "1"]
    with subprocess.Popen(program, cwd=project, stdout=subprocess.PIPE, text=True) as first:
        while "$ python" not in first.stdout.readline():
            pass
        second = run(project, "--onnx=off", "--golden=none", "--", "5", "0")
        told = first.stdout.read()
        assert first.wait(60) == 0
    assert '"c": 5' in json.dumps(second.document("model.json")["metrics"])
    assert "metrics    c 7" in told
    assert (second.code, second.manifest().metrics) == (0, {"c": 5.0})
