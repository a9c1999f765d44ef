"""The program as a process on the sample projects, from the script to the model directory."""

import json
import pickle
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

IRIS = ("--dataset", "data/iris.csv")


@pytest.fixture
def git(monkeypatch):
    for who in ("AUTHOR", "COMMITTER"):
        for what, value in {"NAME": "a", "EMAIL": "a@example.com", "DATE": "2026-01-01T00:00:00Z"}.items():
            monkeypatch.setenv(f"GIT_{who}_{what}", value)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")

    def call(folder, *arguments):
        return subprocess.run(
            ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
        ).stdout.strip()

    return call


def test_iris_is_trained_from_a_commit_and_described_and_is_the_same_again_elsewhere(run, tmp_path, git, projects):
    project = tmp_path / "here" / "iris"
    shutil.copytree(projects / "iris", project)
    git(project, "init", "-q", "-b", "main")
    git(project, "remote", "add", "origin", "https://me:secret@git.example.com/team/iris.git")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "Iris")
    (project / "model").mkdir()
    (project / "model" / "model.pkl").write_text("an older model, never taken for this run's")
    elsewhere = tmp_path / "quite" / "another place"
    shutil.copytree(project, elsewhere)

    done = run(project, *IRIS, "--hyperparameters", "C=0.5", "max-iter=150")
    assert (done.code, done.error) == (0, "")
    manifest = done.manifest()
    assert manifest.source.commit == done.results["commit"] == git(project, "rev-parse", "HEAD")
    assert (manifest.source.url, manifest.source.dirty) == ("https://git.example.com/team/iris.git", False)
    assert done.results["dataset-sha256"] == f"sha256:{manifest.dataset.sha256}"
    assert manifest.run.hyperparameters == {"C": "0.5", "max-iter": "150"}
    assert manifest.run.args[1] == "{dataset}"
    assert set(manifest.files) == {"golden.json", "metrics.json", "model.onnx", "model.pkl"}
    assert manifest.metrics == done.document("metrics.json")

    signature = manifest.signature
    assert (signature.container, signature.source, signature.rows) == ("dataframe", "fit", 105)
    first = signature.columns[0]
    assert (first.name, first.dtype, first.nullable) == ("sepal.length", "float64", False)
    assert signature.outputs.labels == ("Setosa", "Versicolor", "Virginica")
    assert signature.outputs.probabilities
    assert (manifest.estimator.class_name, manifest.estimator.task) == ("sklearn.pipeline.Pipeline", "classifier")
    assert manifest.golden.rows == 32
    assert manifest.golden.replays
    assert manifest.onnx.status == "proved"
    assert manifest.onnx.rows_compared > 300
    assert manifest.onnx.largest_difference < 1e-9
    with (project / "model" / "model.pkl").open("rb") as stream:
        assert pickle.load(stream).named_steps["logisticregression"].C == 0.5
    assert "metrics: accuracy" in done.output
    assert "petal.width: float64, 0.1 to 2.5" in done.output
    assert [path.name for path in project.iterdir() if path.name.startswith(".")] == [".git"]

    again = run(elsewhere, *IRIS, "--hyperparameters", "C=0.5", "max-iter=150")
    assert again.results["model-digest"] == done.results["model-digest"]
    assert (elsewhere / "model/model.json").read_bytes() == (project / "model/model.json").read_bytes()


@pytest.mark.slow
def test_mixed_types_bring_the_projects_modules_and_their_missing_values(run):
    done = run("mixed", "--dataset", "data/customers.csv", "--include", "src/train.py:ignored", "", "--onnx", "off")
    assert done.code == 0, done.error
    manifest = done.manifest()
    code = sorted(name for name in manifest.files if name.startswith("code/"))
    assert code == ["code/cleaning.py", "code/features.py", "code/src/train.py"]
    assert manifest.estimator.project_globals == ("features.Ratio",)
    assert (manifest.estimator.format, manifest.estimator.file) == ("joblib", "model.joblib")
    assert manifest.estimator.original_name == "model.pkl"
    columns = {column.name: column for column in manifest.signature.columns}
    assert columns["age"].nullable
    assert columns["plan"].kind == "string"
    assert columns["plan"].categories == ("basic", "family", "unlimited")
    assert manifest.golden.replays
    assert manifest.onnx.status == "off"
    rows = json.loads((done.project / "model" / "golden.json").read_text())["rows"]
    assert any(None in row for row in rows)


def test_what_the_script_of_a_lost_pod_still_writes_changes_nothing(run, script):
    project = script(
        "import pickle, sys\nfrom sklearn.linear_model import LinearRegression\n"
        "pickle.dump(LinearRegression().fit([[0.0], [1.0], [3.0]], [1, 2, 4]), open(sys.argv[1], 'wb'))\n"
        "open(sys.argv[2], 'w').write('{\"r2\": 1.0}')\n"
    )

    def lost():
        until = time.monotonic() + 60
        while not list(project.glob(".model.new-*/metrics.json")) and time.monotonic() < until:
            time.sleep(0.001)
        for name in ("model.pkl", "metrics.json"):
            (project / ".model.training" / name).write_text("of another process")

    with ThreadPoolExecutor() as pool:
        writing = pool.submit(lost)
        done = run(project, "--onnx=off", "--", "{model}", "{metrics}")
        writing.result()
    assert (done.code, done.error) == (0, "")
    assert done.manifest().metrics == {"r2": 1.0}
    assert done.manifest().estimator.class_name.endswith("LinearRegression")


def test_an_imported_module_that_is_not_in_the_commit_makes_the_source_dirty(run, script, git):
    text = (
        "import json\nimport pickle\nimport helper\nfrom sklearn.dummy import DummyRegressor\n"
        "pickle.dump(DummyRegressor().fit([[1.0], [2.0]], helper.Y), open('model.pkl', 'wb'))\n"
        "json.dump({'mae': 0.5}, open('metrics.json', 'w'))\n"
    )
    project = script(text, helper="Y = [1.0, 2.0]\n")
    git(project, "init", "-q")
    git(project, "add", "src/train.py")
    git(project, "commit", "-q", "-m", "One")
    done = run(project, "--")
    assert done.code == 0, done.error
    assert f"commit {done.results['commit']} (clean)\n" in done.output
    assert "note: imported src/helper.py, which is not in the commit\n" in done.output
    assert done.manifest().source.dirty is True, "code that trained the model is in no commit"
    git(project, "add", "src/helper.py")
    git(project, "commit", "-q", "-m", "Two")
    done = run(project, "--")
    assert "not in the commit" not in done.output
    assert done.manifest().source.dirty is False


@pytest.mark.slow
def test_a_skops_file_is_said_to_have_another_digest_each_time(run, script):
    text = (
        "import json\nimport sys\nimport joblib\nimport skops.io\nfrom sklearn.dummy import DummyRegressor\n"
        "model = DummyRegressor().fit([[1.0], [2.0]], [1.0, 2.0])\n"
        "(skops.io if 'skops' in sys.argv else joblib).dump(model, 'model.bin')\n"
        "json.dump({'mae': 0.5}, open('metrics.json', 'w'))\n"
    )
    project = script(text)
    said = "note: a skops file holds a clock and addresses, so each run has another digest; joblib gives the same one\n"
    options = ("--model-file", "model.bin", "--")
    first, second = run(project, *options, "skops"), run(project, *options, "skops")
    assert (first.output.count(said), second.manifest().estimator.format) == (1, "skops"), first.error
    assert first.results["model-digest"] != second.results["model-digest"], "the note would be untrue"
    first, second = run(project, *options), run(project, *options)
    assert said not in first.output
    assert first.results["model-digest"] == second.results["model-digest"]
