"""Whatever engine answers: the same answers as the estimator, or it is not used."""

import subprocess
import sys

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import is_classifier
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler

from model_server.checked_files import check_files
from model_server.estimator_engine import EstimatorEngine
from model_server.fast_estimators import quicken, threshold_rows
from model_server.loading import load_model
from model_server.measured_pace import measured_pace
from model_server.prepared_engine import prepared_engine
from model_server.tree_ensemble import TreeSession, boosting_table
from taskkit.errors import TaskError
from taskkit.estimator_io import answers, estimator_input
from taskkit.model_signature import GoldenRows

FLOWERS = load_iris(as_frame=True)
INPUTS = FLOWERS.data.rename(columns=lambda name: name.removesuffix(" (cm)"))
NAMES = FLOWERS.target_names[FLOWERS.target]
WITH_GAPS = INPUTS.mask(np.random.default_rng(0).random(INPUTS.shape) < 0.1)

ESTIMATORS = {
    "boosting of three classes": lambda: HistGradientBoostingClassifier(max_iter=20, random_state=0).fit(INPUTS, NAMES),
    "boosting of two classes": lambda: HistGradientBoostingClassifier(max_iter=20).fit(INPUTS, NAMES == "setosa"),
    "boosting with missing values": lambda: HistGradientBoostingClassifier(max_iter=20).fit(WITH_GAPS, NAMES),
    "boosting that never splits": lambda: HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=100).fit(INPUTS, FLOWERS.target),
    "boosting of counts": lambda: HistGradientBoostingRegressor(loss="poisson", max_iter=20).fit(INPUTS, FLOWERS.target),
    "forest": lambda: RandomForestClassifier(20, random_state=0).fit(INPUTS, NAMES),
    "forest of numbers": lambda: ExtraTreesRegressor(20, random_state=0).fit(INPUTS, INPUTS["petal width"] * 2),
    "pipeline": lambda: make_pipeline(StandardScaler(), SplineTransformer(), LogisticRegression(max_iter=500)).fit(INPUTS, NAMES),
    "search": lambda: GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [1]}, cv=2).fit(INPUTS, NAMES),
}  # fmt: skip


def golden_of(estimator, signature, inputs, count=8):
    rows = tuple(
        tuple(None if pd.isna(value) else value for value in row)
        for row in inputs.to_numpy().tolist()[:: len(inputs) // count]
    )
    found = answers(estimator, estimator_input(signature, rows), probabilities=is_classifier(estimator))
    return GoldenRows("rows", rows, tuple(found[0]), tuple(found[1]) if found[1] else None)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_prepared_estimator_answers_as_the_untouched_one_does(describe, name):
    inputs = WITH_GAPS if "missing" in name else INPUTS
    estimator = ESTIMATORS[name]()
    signature = describe(estimator, inputs)
    values = np.random.default_rng(1).normal(3, 2, (300, 4)).astype(object)
    if "missing" in name:
        values[::3, 1] = None
    rows = [tuple(row) for row in values.tolist()]
    expected = EstimatorEngine(estimator, signature).answer(rows)
    engine = prepared_engine(
        EstimatorEngine(estimator, signature), estimator, signature, golden_of(estimator, signature, inputs)
    )
    assert engine._build.__name__ == "<lambda>"  # no data frame
    found = engine.answer(rows)
    if is_classifier(estimator):
        assert found.predictions == expected.predictions
        np.testing.assert_allclose(found.probabilities, expected.probabilities, rtol=1e-12, atol=1e-14)
    else:
        np.testing.assert_allclose(found.predictions, expected.predictions, rtol=1e-12)


def test_trees_are_the_same_on_their_thresholds_beside_them_and_without_a_value():
    boosting = HistGradientBoostingClassifier(max_iter=30).fit(WITH_GAPS, NAMES)
    rows = threshold_rows(boosting._predictors, 4)
    assert np.isnan(rows).any()
    session = TreeSession(boosting_table(boosting._predictors), columns=4, targets=3)
    np.testing.assert_allclose(
        session.sums(rows) + boosting._baseline_prediction, boosting._raw_predict(rows), rtol=0, atol=1e-13
    )


def test_what_the_fast_ways_do_not_know_is_left_alone(describe):
    frame = pd.DataFrame({"size": pd.Categorical(["s", "m", "l", "m"] * 20), "x": np.arange(80.0)})
    by_category = HistGradientBoostingClassifier(categorical_features="from_dtype", max_iter=3).fit(
        frame, [0, 1, 1, 0] * 20
    )
    assert quicken(by_category) == []

    class Own(RandomForestClassifier):
        def predict_proba(self, X):
            return super().predict_proba(X) / 2

    assert quicken(Own(3).fit(INPUTS, NAMES)) == []


def test_a_preparation_that_changes_answers_is_taken_back(describe, monkeypatch):
    forest = ESTIMATORS["forest"]()
    signature = describe(forest, INPUTS)
    golden = golden_of(forest, signature, INPUTS)
    plain = EstimatorEngine(forest, signature)
    expected = plain.answer(golden.rows)

    def broken(estimator):
        estimator.predict_proba = lambda X: np.tile([1.0, 0.0, 0.0], (len(X), 1))
        return [lambda: vars(estimator).pop("predict_proba")]

    monkeypatch.setattr("model_server.prepared_engine.quicken", broken)
    assert prepared_engine(plain, forest, signature, golden) is plain
    assert plain.answer(golden.rows) == expected
    assert forest.feature_names_in_.tolist() == list(INPUTS.columns)


@pytest.mark.parametrize("name", ["iris", "cities", "regression", "outputs"])
def test_a_converted_model_gives_the_estimators_answers_without_it(model_dir, own_client, name):
    converted, estimator = (
        own_client(model_dir(f"{name}-onnx")),
        own_client(model_dir(f"{name}-onnx"), "--engine", "sklearn"),
    )
    assert converted.loaded.engine.name.startswith("ONNX Runtime ")
    assert estimator.loaded.engine.name.startswith("scikit-learn ")
    golden = converted.loaded.golden.rows
    names = [column.name for column in converted.loaded.checked.manifest.signature.columns]
    for body in (
        [dict(zip(names, row, strict=True)) for row in golden],
        dict(zip(names, golden[0], strict=True)),
        [list(golden[1])],
    ):
        one, other = converted.predict(body).document, estimator.predict(body).document
        assert [type(value) for value in one["predictions"]] == [type(value) for value in other["predictions"]]
        np.testing.assert_allclose(
            *(np.asarray(each.get("probabilities", each["predictions"]), float) for each in (one, other)), atol=1e-5
        )
        if "probabilities" in one:
            assert one["predictions"] == other["predictions"]


def test_a_category_that_training_did_not_see_is_refused_by_the_converted_model_too(model_dir, own_client):
    for engine in ("onnx", "sklearn"):
        row = {"age": 30.5, "income": None, "city": "Atlantis", "member": True}
        answer = own_client(model_dir("cities-onnx"), "--engine", engine).predict(row)
        assert answer.status == 422, engine
        assert answer.document["error"].startswith("row 0: is refused by the model: ")
        row["city"] = "Oslo\0tlantis"  # not cut at a null
        assert own_client(model_dir("cities-onnx"), "--engine", engine).predict(row).status == 422


def test_a_converted_model_is_ready_without_scikit_learn_and_pandas(model_dir):
    code = f"""
import sys
from pathlib import Path
from model_server.checked_files import check_files
from model_server.loading import load_model
from model_server.model_service import model_application
from model_server.front import Draining
from model_server.settings import read_settings
loaded = load_model(check_files(Path({str(model_dir("iris-onnx"))!r}), None), golden_check="fail")
model_application(loaded, read_settings([], {{}}), Draining(), None)
print(*sorted({{"sklearn", "pandas", "scipy", "joblib", "fastapi", "skops", "packaging", "installer"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_a_converted_model_that_answers_otherwise_is_not_used_and_the_log_says_why(
    make_model, fitted, describe, own_client
):
    estimator, inputs = fitted("iris")
    other = LogisticRegression(max_iter=5, C=1e-4).fit(inputs, estimator.predict(inputs))
    content = own_client.__globals__["converted"](other, describe(other, inputs))
    client = own_client(make_model(onnx=content))
    assert client.loaded.engine.name.startswith("scikit-learn ")
    assert client.loaded.replayed == 4
    [warning] = client.loaded.warnings
    assert warning.startswith("served by scikit-learn, since model.onnx answers differently: row ")


@pytest.mark.parametrize(("content", "reason"), [(b"no onnx", "model.onnx can't be loaded (InvalidProtobuf: ")])
def test_a_converted_model_that_does_not_load_is_told_and_scikit_learn_answers(make_model, own_client, content, reason):
    directory = make_model(onnx=content)
    client = own_client(directory)
    assert client.loaded.engine.name.startswith("scikit-learn ")
    assert reason in client.loaded.warnings[0]
    with pytest.raises(TaskError, match=r"can't be served by ONNX Runtime: model.onnx can't be loaded"):
        load_model(check_files(directory, None), golden_check="fail", engine="onnx")


def test_where_there_is_no_scikit_learn_a_converted_model_that_fails_has_no_stand_in(make_model, monkeypatch):
    monkeypatch.setattr("model_server.loading.has_scikit_learn", lambda: False)
    with pytest.raises(TaskError) as failed:
        load_model(check_files(make_model(onnx=b"no onnx"), None), golden_check="fail")
    assert "can't be served by ONNX Runtime: model.onnx can't be loaded (InvalidProtobuf: " in str(failed.value)
    assert str(failed.value).endswith("and there is no scikit-learn here; build the image with runtime: sklearn")


def test_numbers_that_single_precision_can_not_hold_are_refused_as_scikit_learn_does(tmp_path, own_client, describe):
    from skl2onnx import to_onnx

    forest = RandomForestClassifier(5, random_state=0).fit(INPUTS, NAMES)
    content = to_onnx(forest, INPUTS.to_numpy(np.float32)[:1], options={"zipmap": False}).SerializeToString()
    directory = own_client.__globals__["write_model"](tmp_path / "model", forest, INPUTS, onnx=content)
    for engine in ("onnx", "sklearn"):
        client = own_client(directory, "--engine", engine)
        assert client.predict([1e300, 1, 1, 1]).status == 422, engine
        assert client.predict([1e30, 1, 1, 1]).status == 200


def test_a_fast_model_is_asked_on_the_event_loop_and_one_with_own_code_never(model_dir, own_client, make_model):
    pace = measured_pace(own_client(model_dir("iris-onnx")).loaded)
    assert pace.on_loop > 1000
    assert pace.together > 1
    loaded = own_client(make_model()).loaded
    estimator = msgspec.structs.replace(loaded.checked.manifest.estimator, project_globals=("own.Model",))
    manifest = msgspec.structs.replace(loaded.checked.manifest, estimator=estimator)
    own = type(loaded)(
        type(loaded.checked)(loaded.checked.directory, loaded.checked.digest, manifest, None),
        loaded.engine,
        loaded.golden,
        loaded.replayed,
        (),
    )
    assert (measured_pace(own).on_loop, measured_pace(own).together) == (0, 1)


@given(st.lists(st.lists(st.floats(-50, 50), min_size=4, max_size=4), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_any_row_gets_the_same_label_by_either_engine(model_dir, client, rows):
    one = client("iris-onnx").predict(rows).document
    other = client("iris-onnx", "--engine", "sklearn").predict(rows).document
    np.testing.assert_allclose(one["probabilities"], other["probabilities"], atol=1e-9)
    for first, second, chances in zip(one["predictions"], other["predictions"], other["probabilities"], strict=True):
        best = sorted(chances)
        assert first == second or best[-1] - best[-2] < 1e-9
