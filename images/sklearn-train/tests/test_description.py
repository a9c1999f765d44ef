"""From observed fits and loaded models to signature, golden rows, ONNX."""

import json
import pickle

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeRegressor

from sklearn_train.boundary_rows import boundary_rows
from sklearn_train.example_input import read_example
from sklearn_train.golden import golden_rows, made_up_texts, mixed_rows, shuffled_rows
from sklearn_train.model_loading import load_model
from sklearn_train.observation import Seen, look
from sklearn_train.onnx_conversion import convert
from sklearn_train.project_code import imported_names
from sklearn_train.signature_of import build_signature, example_rows
from taskkit.errors import TaskError
from taskkit.estimator_io import answers, estimator_input, first_difference
from taskkit.model_signature import Column

DICE = np.random.RandomState(0)
NUMBERS = DICE.rand(200, 3)


def described(estimator, given):
    seen = look(given)
    rows = example_rows(seen.sample, seen.container)
    signature, reason = build_signature(estimator, seen, rows, "fit")
    return signature, rows, reason


def test_a_series_of_texts_stays_a_series_and_gives_an_answer_per_text():
    texts = pd.Series(
        ["late parcel again", "my parcel is late", "wrong bill", "the bill is wrong"] * 10, name="message"
    )
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, ["a", "a", "b", "b"] * 10)
    signature, rows, _ = described(model, texts)
    assert (signature.container, signature.columns[0].name) == ("series", "message")
    three = estimator_input(signature, [("late parcel",), ("bill",), ("wrong bill",)])
    assert model.predict(three).tolist() == ["a", "b", "b"]
    golden, _ = golden_rows(model, signature, rows, "shuffled")
    assert set(golden.predictions) == {"a", "b"}


@pytest.mark.parametrize(
    ("given", "container", "kinds"),
    [
        (NUMBERS, "array-2d", ["number"] * 3),
        (NUMBERS.tolist(), "list", ["number"] * 3),
        (np.array(["a", "b"]), "array-1d", ["string"]),
        (["a", "b"], "list", ["string"]),
        (pd.DataFrame({"d": pd.to_datetime(["2024-01-02"]), "c": pd.Categorical(["x"]), "b": [True], "i": [1]}),
         "dataframe", ["datetime", "string", "boolean", "integer"]),
        (pd.DataFrame({"o": pd.Series([1, None, "x"], dtype=object)}), "", []),
        ([{"a": 1}], "", []),
        (np.zeros((2, 2, 2)), "", []),
    ],
)  # fmt: skip
def test_each_container_is_told_or_the_reason_why_it_has_no_form_in_json(given, container, kinds):
    seen = look(given)
    assert (seen.container, [column.kind for column in seen.columns]) == (container, kinds)
    assert bool(seen.problem) == (container == "")


def test_a_large_frame_is_sampled_within_bounds_and_not_changed():
    frame = pd.DataFrame({"a": np.arange(50_000.0), "t": np.arange(50_000).astype(str)})
    before = frame.copy()
    seen = look(frame)
    assert len(seen.sample) == 1000
    assert (seen.columns[0].minimum, seen.columns[0].maximum, seen.rows) == (0.0, 49_999.0, 50_000)
    assert seen.columns[1].counts is None, "every text occurs once: none is listed"
    pd.testing.assert_frame_equal(frame, before)
    wide = look(np.zeros((2000, 4000)))
    assert wide.sample.size <= 32 * 4000
    assert "5001 columns" in look(np.zeros((1, 5001))).problem


def test_rare_values_are_not_listed_as_categories():
    column = ["a"] * 20 + ["b"] * 20
    for rare, listed in ((["c"] * 5, ("a", "b", "c")), (["just one person"], None)):
        frame = pd.DataFrame({"x": column + rare, "n": range(40 + len(rare))})
        model = make_pipeline(FunctionTransformer(lambda X: X[["n"]]), LinearRegression()).fit(frame, frame["n"])
        signature, _, _ = described(model, frame)
        assert signature.columns[0].categories == listed


@given(st.lists(st.tuples(st.integers(), st.sampled_from("abc")), min_size=3, max_size=40))
def test_shuffled_rows_hold_only_values_of_their_own_column(rows):
    columns = (Column("n", "int64", "integer", nullable=False),
               Column("c", "str", "string", nullable=False, categories=("a", "b", "c")))  # fmt: skip
    made = shuffled_rows(columns, rows)
    assert {row[0] for row in made} <= {row[0] for row in rows}
    assert {row[1] for row in made} <= {row[1] for row in rows}
    assert made == shuffled_rows(columns, rows)


def test_no_golden_row_is_one_of_the_sample_where_others_can_be_made():
    grid = np.array([(a, b) for a in range(10) for b in range(10) if (a + b) % 4])
    model = LinearRegression().fit(grid, grid[:, 0])
    signature, rows, _ = described(model, grid)
    assert set(shuffled_rows(signature.columns, rows)) & set(rows), "the first draw has to meet real rows"
    golden, reason = golden_rows(model, signature, rows, "shuffled")
    assert not set(golden.rows) & set(rows), "real rows were not drawn again"
    assert reason == ""
    assert golden.rows == golden_rows(model, signature, rows, "shuffled")[0].rows


def test_rows_of_which_none_was_seen_stay_as_the_first_draw_made_them():
    columns = tuple(Column(f"x{at}", "float64", "number", nullable=False) for at in range(3))
    rows = [tuple(row) for row in NUMBERS.tolist()]
    assert mixed_rows(columns, rows) == shuffled_rows(columns, rows)


@pytest.mark.parametrize(
    "given",
    [
        NUMBERS[:, :1],
        NUMBERS[:1],
        np.array([(a, b) for a in range(2) for b in range(2)] * 10),
        pd.DataFrame({"c": pd.Categorical(["x", "y", "z"] * 10)}),
    ],
    ids=["one column", "one row", "few values", "one column of categories"],
)
def test_golden_rows_that_can_only_be_real_ones_say_so(given):
    model = make_pipeline(OrdinalEncoder(), LinearRegression()).fit(given, np.arange(len(given)))
    signature, rows, _ = described(model, given)
    golden, about = golden_rows(model, signature, rows, "shuffled")
    assert set(golden.rows) <= set(rows)
    count = len(golden.rows)
    assert about == (
        f"{count} of them are rows of the data, which has too few columns or different values to make others"
    )
    assert golden_rows(model, signature, rows, "rows")[1] == "", "real rows were asked for"


def test_golden_rows_of_a_text_model_are_made_of_what_many_rows_have_and_say_nothing():
    texts = pd.Series([f"parcel {at} is late" for at in range(20)] + ["wrong bill"] * 4, name="message")
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, ["a"] * 20 + ["b"] * 4)
    signature, rows, _ = described(model, texts)
    golden, about = golden_rows(model, signature, rows, "shuffled")
    assert (about, not set(golden.rows) & set(rows)) == ("", True)


def test_made_up_texts_hold_no_word_that_only_few_rows_have():
    import random

    texts = [f"parcel of Mr Person{i} is late" for i in range(50)]
    words = {word for text in made_up_texts(texts, 100, random.Random(0)) for word in text.split()}
    assert "parcel" in words
    assert not any(word.startswith("Person") for word in words)


def test_golden_rows_have_clear_answers_of_every_label_and_replay():
    labels = np.where(NUMBERS[:, 0] > 0.9, "rare", "common")
    model = LogisticRegression(C=100).fit(NUMBERS, labels)
    signature, rows, _ = described(model, NUMBERS)
    golden, reason = golden_rows(model, signature, rows, "shuffled")
    assert (len(golden.rows), reason) == (32, "")
    assert golden.predictions.count("rare") > 5
    assert all(abs(a - b) > 1e-4 for a, b in golden.probabilities)
    found = answers(model, estimator_input(signature, json.loads(json.dumps(golden.rows))), probabilities=True)
    assert first_difference(golden, *found) == ""


def test_golden_rows_that_the_model_refuses_are_a_reason_not_an_error():
    frame = pd.DataFrame({"id": [f"customer {i}" for i in range(30)], "n": range(30)})
    known = set(frame["id"])

    def only_known(X):
        if not set(X["id"]) <= known:
            raise ValueError("unknown customer")
        return X[["n"]]

    model = make_pipeline(FunctionTransformer(only_known), LinearRegression()).fit(frame, frame["n"])
    signature, rows, _ = described(model, frame)
    golden, reason = golden_rows(model, signature, rows, "shuffled")
    assert golden is None
    assert reason == "predicting them failed: ValueError: unknown customer; golden: rows takes real rows"
    assert golden_rows(model, signature, rows, "rows")[0].predictions[3] == pytest.approx(3.0)


def test_boundary_rows_lie_on_both_sides_of_a_trees_thresholds():
    tree = DecisionTreeRegressor(max_depth=2, random_state=0).fit(NUMBERS, NUMBERS @ [1.0, 2.0, 3.0])
    columns = tuple(Column(f"x{at}", "float64", "number", nullable=False) for at in range(3))
    rows = [tuple(row) for row in NUMBERS.tolist()]
    pairs = boundary_rows(columns, rows, lambda some: tree.predict(np.asarray(some)).reshape(-1, 1), 20)
    assert len(pairs) > 10
    thresholds = tree.tree_.threshold[tree.tree_.feature >= 0]
    for before, behind in zip(pairs[::2], pairs[1::2], strict=True):
        (at,) = [at for at in range(3) if before[at] != behind[at]]
        assert np.abs(thresholds - before[at]).min() < 1e-7
        assert np.nextafter(before[at], behind[at]) == behind[at]


def test_a_forest_is_converted_only_as_far_as_it_is_equal_beside_its_thresholds():
    labels = (NUMBERS[:, 0] + NUMBERS[:, 1] > 1).astype(int)
    forest = RandomForestClassifier(10, random_state=0).fit(NUMBERS, labels)
    signature, rows, _ = described(forest, NUMBERS)
    content, onnx = convert(forest, signature, rows)
    assert content
    assert (onnx.status, onnx.relative_tolerance) == ("proved", 1e-5)
    assert onnx.rows_compared > len(rows) + 300
    # The forest rounds its input to single precision; behind a scaler that rounding comes at another place.
    scaled = make_pipeline(StandardScaler(), forest).fit(NUMBERS * 1e3 + 1e6, labels)
    signature, rows, _ = described(scaled, NUMBERS * 1e3 + 1e6)
    content, onnx = convert(scaled, signature, rows)
    assert (content, onnx.status) == (b"", "skipped")
    assert "single precision" in onnx.reason


@pytest.mark.parametrize("behind_a_scaler", [False, True])
@pytest.mark.parametrize("labels", [2, 3])
def test_a_classifier_whose_converter_knows_no_map_of_probabilities_is_converted_too(labels, behind_a_scaler):
    vectors = make_pipeline(StandardScaler(), LinearSVC()) if behind_a_scaler else LinearSVC()
    order = np.argsort(np.argsort(NUMBERS[:, 0])) * labels // len(NUMBERS)
    vectors.fit(NUMBERS, np.array(["a", "b", "c"])[order])
    signature, rows, _ = described(vectors, NUMBERS)
    content, onnx = convert(vectors, signature, rows)
    assert (bool(content), onnx.status) == (True, "proved"), onnx.reason


def test_a_model_without_a_converter_is_skipped_with_the_reason():
    model = make_pipeline(FunctionTransformer(np.log1p), LinearRegression()).fit(NUMBERS, NUMBERS[:, 0])
    signature, rows, _ = described(model, NUMBERS)
    content, onnx = convert(model, signature, rows)
    assert content == b""
    assert onnx.reason.startswith("RuntimeError: FunctionTransformer is not supported")


@pytest.mark.parametrize(
    ("save", "kind"),
    [
        (lambda m, f: f.write_bytes(pickle.dumps(m)), "pickle"),
        (lambda m, f: f.write_bytes(pickle.dumps(m, protocol=0)), "pickle"),
        (joblib.dump, "joblib"),
        (lambda m, f: joblib.dump(m, f, compress=("gzip", 3)), "joblib"),
        (lambda m, f: joblib.dump(m, f, compress=True), "joblib"),
        (lambda m, f: f.write_bytes(cloudpickle.dumps(m)), "pickle"),
        (lambda m, f: f.write_bytes(cloudpickle.dumps(_by_value())), "cloudpickle"),
        (skops.io.dump, "skops"),
    ],
)
def test_the_format_is_told_by_content_not_by_name(tmp_path, save, kind):
    file = tmp_path / "model.bin"
    save(make_pipeline(StandardScaler(), LinearRegression()).fit(NUMBERS, NUMBERS[:, 0]), file)
    loaded = load_model(file, "model.bin", "src/train.py")
    assert loaded.format == kind
    assert kind == "skops" or any(name == "LinearRegression" for _, name in loaded.names)
    assert loaded.estimator.predict(NUMBERS[:1]) == pytest.approx(NUMBERS[:1, 0])


def _by_value():
    return make_pipeline(FunctionTransformer(lambda X: X), LinearRegression()).fit(NUMBERS, NUMBERS[:, 0])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "m.pkl can't be read as a model (EOFError: it is empty); the file is cut short"),
        (b"not a pickle", "m.pkl can't be read as a model (UnpicklingError: "),
        (pickle.dumps(LinearRegression())[:-20], "m.pkl can't be read as a model ("),
        (b"c__main__\nMine\n.", "m.pkl needs 'Mine', which is defined in the script src/train.py itself (__main__)"),
        (b"cnosuchmodule\nX\n.", "m.pkl can't be loaded in a fresh process: no module named 'nosuchmodule'; add the"),
        (b"PK\x03\x04", "m.pkl is a zip archive, but not one that skops wrote"),
    ],
)
def test_what_can_not_be_loaded_says_what_to_change(tmp_path, content, said):
    (tmp_path / "m.pkl").write_bytes(content)
    with pytest.raises(TaskError) as caught:
        load_model(tmp_path / "m.pkl", "m.pkl", "src/train.py")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "container", "names"),
    [
        ("x.csv", "a,b\n1,2\n", "dataframe", ["a", "b"]),
        ("x.json", '[{"a": 1, "b": "t"}]', "dataframe", ["a", "b"]),
        ("x.json", '{"columns": ["a"], "data": [[1]]}', "dataframe", ["a"]),
        ("x.json", '{"dataframe_split": {"columns": ["a"], "data": [[1]]}}', "dataframe", ["a"]),
        ("x.json", "[[1.0, 2.0]]", "array-2d", ["x0", "x1"]),
        ("x.json", '["one", "two"]', "list", ["x0"]),
    ],
)
def test_example_rows_come_in_the_usual_forms(tmp_path, name, text, container, names):
    (tmp_path / name).write_text(text)
    seen = read_example(tmp_path / name)
    assert (seen.container, [column.name for column in seen.columns]) == (container, names)


def test_example_rows_of_another_form_are_refused(tmp_path):
    (tmp_path / "x.json").write_text("3")
    with pytest.raises(TaskError, match=r"input example x.json can't be read .*write a CSV file with a header"):
        read_example(tmp_path / "x.json")


def test_imports_are_found_everywhere_in_a_file_and_relative_ones_resolved(tmp_path):
    file = tmp_path / "m.py"
    file.write_text("import a.b\nfrom . import c\nfrom ..d import e\ndef f():\n    import g\n")
    found = set(imported_names(file, "pkg.sub"))
    assert {"a", "a.b", "pkg.sub", "pkg.sub.c", "pkg.d", "pkg.d.e", "g"} <= found


def test_without_rows_there_is_no_signature():
    assert build_signature(LinearRegression(), Seen("dataframe"), [], "fit") == (None, "no rows were seen")


def test_where_no_fit_was_seen_an_example_then_column_names_speak(tmp_path):
    from sklearn_train.describer import _signature
    from sklearn_train.documents import ExamineRequest

    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    model = LinearRegression().fit(frame, [1.0, 2.0])
    (tmp_path / "x.csv").write_text("a,b\n1.5,2\n")
    (tmp_path / "wrong.csv").write_text("q\n1\n")
    nothing = {"fits": [], "problem": "", "modules": {}, "path": []}

    def request(example):
        return ExamineRequest("", "m.pkl", "", "", "", "", "", "", (), example, "shuffled", onnx=False)

    signature, _, rows, _ = _signature(request(str(tmp_path / "x.csv")), model, nothing)
    assert (signature.source, rows) == ("input-example", [(1.5, 2)])
    signature, _, rows, _ = _signature(request(""), model, nothing)
    assert (signature.source, [c.name for c in signature.columns], rows) == ("feature_names_in_", ["a", "b"], [])
    plain = LinearRegression().fit(NUMBERS, NUMBERS[:, 0])
    assert _signature(request(""), plain, nothing)[:2] == (
        None, "no fit of this estimator was seen in the script's process"
    )  # fmt: skip
    with pytest.raises(
        TaskError, match=r"input example wrong.csv does not fit the model: predicting rows rebuilt from"
    ):
        _signature(request(str(tmp_path / "wrong.csv")), model, nothing)


@pytest.mark.parametrize(
    ("saved", "said"),
    [
        ({"model": 1}, "m.pkl holds a dict (keys: model), not an estimator; save the estimator by itself"),
        (LinearRegression, "m.pkl holds the class LinearRegression, not a fitted estimator"),
        (StandardScaler(), "m.pkl holds a StandardScaler, which has no predict; save the estimator that predicts"),
        (LinearRegression(), "m.pkl holds a LinearRegression that is not fitted; save it after fit"),
    ],
)
def test_what_is_no_fitted_estimator_is_refused_by_what_it_is(saved, said):
    from sklearn_train.describer import _check_estimator

    with pytest.raises(TaskError) as caught:
        _check_estimator(saved, "m.pkl")
    assert said in str(caught.value)
