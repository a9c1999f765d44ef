"""Projects as their authors wrote them, from the commit to an image that is started and answers what is known."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import limited_group
import pandas as pd
import pytest
from engine_runs import PIPELINE, Done, Run, task_file
from failing import record
from served_image import ServedImage
from shifted_clock import COMPILER, shifted
from tiny_wheels import signed_log, wheel

from catalog.tree import TREE
from taskkit.model_manifest import ModelManifest, parse_manifest

slow = pytest.mark.slow
ALWAYS = {"image": "oci-layout:image", "base-image": ""}
PARQUET = "data/Messwerte Köln 気象.parquet"


def as_parquet(project: Path) -> None:
    days = pd.read_csv(project / "data" / "messwerte.csv", parse_dates=["Datum"])
    days.astype({"Windrichtung": "category"}).to_parquet(project / PARQUET)


def unchanged(_: Path) -> None:
    pass


@dataclass(frozen=True)
class Sample:
    """A project, how its run is called, and answers that follow from how its data was made."""

    name: str
    project: str
    params: Mapping[str, str | list[str]]
    asked: tuple[Any, ...]
    answers: tuple[Any, ...]
    prepare: Callable[[Path], None] = unchanged
    expected: Mapping[str, Any] = field(default_factory=dict)
    """Of model.json: dotted path to value."""


WEATHER = Sample(
    "module", "weather",
    {"script": "wetter.training", "dataset": PARQUET, "model-dir": "Modell für 気象", "onnx": "off"},
    (
        {"Datum": "2024-02-29", "Windrichtung": "West", "Höhe über NN": 53, "最高気温": 4.5, "Regen gestern": False},
        {"Datum": "2024-02-29", "Windrichtung": "Ost", "Höhe über NN": 53, "最高気温": 4.5, "Regen gestern": True},
        {"Datum": "2024-07-01T00:00:00", "Windrichtung": "Süd", "Höhe über NN": 37, "最高気温": 31, "Regen gestern": True},
    ),
    (True, False, True),
    as_parquet,
    {
        "signature.container": "dataframe",
        "signature.columns.0.kind": "datetime",
        "signature.columns.1.dtype": "category",
        "signature.columns.1.categories": ["Nord", "Ost", "Süd", "West"],
        "signature.columns.3.name": "最高気温",
        "signature.columns.4.kind": "boolean",
        "signature.outputs.labels": [False, True],
        "estimator.project_globals": ["wetter.merkmale.Kalender"],
        "golden.replays": True,
    },
)  # fmt: skip
SEARCH = Sample(
    "integers", "digits-search",
    {"dataset": "data/strokes.csv", "hyperparameters": ["labels=integers"], "rules": "accuracy: {min: 0.9}",
     "onnx": "off"},
    ([0.1, -0.3], {"bar": 9.5, "slant": 8.8}), (1, 7),
    expected={
        "estimator.class_name": "sklearn.model_selection._search.GridSearchCV",
        "signature.outputs.labels": [1, 7],
        "golden.replays": True,
    },
)  # fmt: skip
FIXED = Sample(
    "skops", "fixed-places",
    {"script": "train.py", "args": [], "hyperparameters": ["format=skops"], "onnx": "off",
     "rules": "mean_absolute_error: {max: 1}"},
    ({"km": 100_000, "age": 10}, [0, 0]), (16_000.0, 30_000.0),
    expected={"estimator.format": "skops", "estimator.original_name": "model.skops", "dataset": None},
)  # fmt: skip
SAMPLES = [
    pytest.param(WEATHER, marks=slow),
    pytest.param(replace(WEATHER, name="script", params={**WEATHER.params, "script": "train.py"}), marks=slow),
    pytest.param(SEARCH, marks=slow),
    pytest.param(
        replace(SEARCH, name="booleans", params={**SEARCH.params, "hyperparameters": ["labels=booleans"]},
                answers=(False, True), expected={"signature.outputs.labels": [False, True]}), marks=slow,
    ),
    pytest.param(
        replace(SEARCH, name="strings", params={**SEARCH.params, "hyperparameters": ["labels=strings"]},
                answers=("one", "seven"), expected={"signature.outputs.labels": ["one", "seven"]}), marks=slow,
    ),
    pytest.param(FIXED, marks=slow),
    *(
        pytest.param(
            replace(FIXED, name=how, params={**FIXED.params, "hyperparameters": [f"format={how}"]},
                    expected={"estimator.format": kind, "estimator.original_name": file}), marks=slow,
        )
        for how, kind, file in (
            ("pickle", "pickle", "model.pkl"),
            ("joblib", "joblib", "model.joblib"),
            ("compressed", "joblib", "model.joblib.gz"),
            ("cloudpickle", "pickle", "model.pkl"),
        )
    ),
    pytest.param(
        Sample(
            "script", "sagemaker",
            {"script": "sklearn_abalone.py", "dataset": "abalone.csv", "args": [], "hyperparameters": ["alpha=1e-9"],
             "rules": "mean_squared_error: {max: 0.01}", "onnx": "off"},
            ({"length": 0.5, "diameter": 0.25},), (7.0,),
            expected={"estimator.original_name": "model.joblib", "metrics": {"mean_squared_error": float}},
        ),
        marks=slow,
    ),
    pytest.param(
        Sample(
            "job", "vertex",
            {"script": "trainer.task", "dataset": "points.csv", "args": [], "hyperparameters": ["penalty-strength=10"],
             "onnx": "off"},
            ([5, 0], [-5, 0]), ("right", "left"),
            expected={"run.hyperparameters": {"penalty-strength": "10"}},
        ),
        marks=slow,
    ),
    pytest.param(Sample(
        "two-files", "scaled-outside",
        {"args": [], "dataset": "data/loans.csv", "model-file": "artifacts/classifier.joblib", "onnx": "off"},
        # The columns are what the scaler gave: standardized, and without names.
        ([1.2, -1.5], {"x0": -1.2, "x1": 1.5}), ("yes", "no"),
        expected={
            "signature.container": "array-2d",
            "signature.columns.0.name": "x0",
            "estimator.original_name": "artifacts/classifier.joblib",
        },
    ), marks=slow),
]  # fmt: skip


def manifest_of(image: ServedImage) -> ModelManifest:
    return parse_manifest((image.models / "model.json").read_bytes(), "model.json")


def value_at(document: Any, path: str) -> Any:
    for part in path.split("."):
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def run_pipeline(project: Path, params: Mapping[str, Any], **more: Any) -> Done:
    done = Run(PIPELINE, project, {**ALWAYS, **params}, **more).go()
    assert done.outcome.succeeded, done.explain()
    return done


def image_of(done: Done, root: Path, environment: Mapping[str, str] | None = None) -> ServedImage:
    return ServedImage(done.project / "image", done.results["IMAGE_DIGEST"], root, environment)


def close(found: Any, expected: Any) -> bool:
    return bool(found == (pytest.approx(expected, abs=1e-3) if isinstance(expected, float) else expected)) and type(
        found
    ) is type(expected)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.project}-{sample.name}")
def test_a_project_becomes_an_image_that_answers_what_is_known(sample, project, tmp_path):
    folder = project(sample.project)
    sample.prepare(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*.py")}
    done = run_pipeline(folder, sample.params)
    assert {path: path.read_bytes() for path in before} == before
    assert not [path for path in folder.iterdir() if path.name.startswith(".")], "nothing half-done is left"
    with image_of(done, tmp_path / "root") as image:
        document = json.loads((image.models / "model.json").read_text())
        for path, expected in sample.expected.items():
            found = value_at(document, path)
            if isinstance(expected, dict) and all(isinstance(kind, type) for kind in expected.values()):
                assert {name: type(value) for name, value in found.items()} == expected
            else:
                assert found == expected, path
        predictions = image.ready().predictions(list(sample.asked))
    assert len(predictions) == len(sample.answers)
    assert all(map(close, predictions, sample.answers)), predictions
    shown = [round(value, 6) if isinstance(value, float) else value for value in predictions]
    record(0, f"{done.results['verdict']}; {list(sample.asked)} → {shown}")


@slow
def test_a_transformer_of_a_third_party_comes_from_a_folder_of_wheels_without_internet(project, tmp_path):
    wheels = signed_log(tmp_path / "wheels")
    done = run_pipeline(
        project("signed-log"),
        {"dataset": "data/flows.csv", "requirements": ["requirements.txt"], "onnx": "off"},
        workspaces={"pip-config": wheels},
        environment={"PIP_NO_INDEX": "1"},
    )
    with image_of(done, tmp_path / "root") as image:
        manifest = manifest_of(image)
        assert {name for name in manifest.files if name.startswith("wheels/")} == {
            "wheels/signedlog-1.3-py3-none-any.whl", "wheels/signedlog_tables-2.0-py3-none-any.whl",
        }  # fmt: skip
        assert manifest.estimator.package_globals == ("signedlog.SignedLog",)
        (answer,) = image.ready().predictions([{"inflow": 99, "outflow": -9}])
    record(0, f"wheels of signedlog and signedlog_tables in the image; answers {round(answer, 6)}")
    assert answer == pytest.approx(5 + 2 * 4.605170186 + 3 * 2.302585093)


@pytest.mark.parametrize(
    ("requirement", "said"),
    [
        ("scikit-learn==0.24.2", r"requirement 'scikit-learn==0.24.2' would replace the image's scikit-learn 1\."),
        ("oldtimer", r"a requirement \(.*oldtimer.*\) would replace the image's scikit-learn 1\."),
    ],
    ids=["requires another scikit-learn", "requires what needs another scikit-learn"],
)
def test_a_requirement_that_would_replace_scikit_learn_is_refused(project, tmp_path, requirement, said):
    wheels = wheel(tmp_path / "wheels", "oldtimer", "1", "", ["scikit-learn<1"]).parent
    done = Run(
        PIPELINE, project("signed-log"), {**ALWAYS, "dataset": "data/flows.csv", "requirements": [requirement]},
        {"pip-config": wheels}, {"PIP_NO_INDEX": "1"},
    ).go()  # fmt: skip
    assert done.outcome.task("train").exit_code == 3, done.explain()
    (line,) = done.error_lines()
    assert re.search(said, line), line
    assert "with the version you need" in line
    record(3, line)
    assert sorted(path.name for path in done.project.iterdir()) == ["data", "requirements.txt", "src"]


FURNACE = {"script": "train.py", "dataset": "data/readings.csv", "args": ["{dataset}", "{model}", "{metrics}"],
           "onnx": "off"}  # fmt: skip


@slow
def test_arrays_without_names_with_two_outputs_are_judged_by_an_error_that_must_not_grow(project, tmp_path):
    baseline = tmp_path / "baseline"
    baseline.mkdir()
    (baseline / "mean_absolute_error").write_text("0.5")
    done = run_pipeline(project("furnace"), FURNACE, workspaces={"baseline": baseline})
    assert done.results["verdict"] == "pass"
    with image_of(done, tmp_path / "root") as image:
        signature = manifest_of(image).signature
        assert (signature.container, [column.name for column in signature.columns]) == (
            "array-2d", ["x0", "x1", "x2", "x3"],
        )  # fmt: skip
        assert signature.outputs.width == 2
        answers = image.ready().predictions([[1, 1, 1, 1], [0, 10, 0, 0]])
    assert answers == [pytest.approx([30, 490]), pytest.approx([40, 470])]
    record(0, f"pass; [[1, 1, 1, 1], [0, 10, 0, 0]] → {[[round(value, 6) for value in row] for row in answers]}")

    (baseline / "mean_absolute_error").write_text("0.000000000000000000001")
    refused = Run(task_file("metric-gate"), done.project, {}, {"baseline": baseline}).go()
    assert refused.exit_code == 10, refused.explain()
    (line,) = refused.error_lines()
    assert re.search(r"mean_absolute_error: .* is .* worse than 0\.0+1, and may not be worse", line), line
    record(10, line)


YEAR = 366 * 24 * 3600


@slow
@pytest.mark.skipif(COMPILER is None, reason="no C compiler to make another clock with")
def test_answers_that_move_with_the_clock_are_served_while_they_agree_and_refused_a_year_later(project, tmp_path):
    done = run_pipeline(project("building-age"), {"dataset": "data/houses.csv"})
    with image_of(done, tmp_path / "now") as image:
        manifest = manifest_of(image)
        assert manifest.golden.replays
        assert manifest.onnx.reason.startswith("RuntimeError: FunctionTransformer is not supported unless the")
        assert image.ready().predictions([{"built": 1990}]) == [pytest.approx(170)]
        record(0, f"served while the answers agree; not as ONNX: {manifest.onnx.reason}")

    later = shifted(YEAR, tmp_path)
    with image_of(done, tmp_path / "later", later) as image:
        code, said = image.refuses()
    assert code == 3
    (line,) = [line for line in said.splitlines() if line.startswith("model-server: error: ")]
    assert re.search(r"answers differently than in training: row 0: predict gave .*, golden answer is ", line), line
    record(code, line)
    assert line.endswith("if its answers move with the clock, set GOLDEN_CHECK=warn")

    with image_of(done, tmp_path / "warned", {**later, "GOLDEN_CHECK": "warn"}) as image:
        assert image.ready().predictions([{"built": 1990}]) == [pytest.approx(177)]
        assert "answers differently than in training: row 0" in image.log


@slow
def test_a_script_that_prints_much_and_leaves_a_process_behind_ends_with_all_of_its_output(project, tmp_path):
    began = time.monotonic()
    done = run_pipeline(project("long-and-loud"), {"script": "train.py", "onnx": "off"})
    steps = [line for line in done.log.splitlines() if line.startswith("step ")]
    assert (len(steps), steps[-1]) == (100_000, "step 99999: loss 0.000010000")
    assert len([line for line in done.log.splitlines() if line.startswith("warning at ")]) == 10
    assert re.search(
        r"^note: ended a process that the script left behind: .*time.sleep\(3600\)$", done.log, re.MULTILINE
    )
    record(0, "100,000 lines of stdout and 10 of stderr, each whole; the process left behind ended and named")
    assert time.monotonic() - began < 600, "nobody waited for the process that was left behind"
    with image_of(done, tmp_path / "root") as image:
        assert image.ready().predictions([[16, 1], [1, 16]]) == ["left", "right"]


@slow
def test_a_script_that_is_silent_for_long_is_reported_to_be_alive(project):
    done = run_pipeline(
        project("long-and-loud"),
        {"script": "train.py", "onnx": "off", "hyperparameters": ["lines=1", "quiet-seconds=32"]},
    )
    found = re.search(
        r"^script: still running after 3\d s, memory \d+ MiB now, \d+ MiB at most$", done.log, re.MULTILINE
    )
    assert found, done.explain()
    record(0, found[0])


@slow
@pytest.mark.skipif(not limited_group.available(), reason="needs root, and control groups that may be made")
def test_a_container_with_a_quota_of_one_processor_trains_with_one_thread(project):
    folder = project("long-and-loud")
    with limited_group.limited(processors=1) as join:
        done = subprocess.run(
            [*join, sys.executable, "-m", "catalog", "run", str(task_file("sklearn-train")), "--workspace",
             f"source={folder}", "--param", "script=train.py", "--param", 'hyperparameters=["lines=1"]', "--param",
             "onnx=off"],
            env={**os.environ, "PYTHONPATH": str(TREE.root / "scripts")}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "workers: 1, OMP_NUM_THREADS: 1" in done.stdout
    record(0, "workers: 1, OMP_NUM_THREADS: 1")
