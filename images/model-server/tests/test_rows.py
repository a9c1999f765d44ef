"""/predict: what may be sent, and what comes back."""

import json

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.dummy import DummyRegressor

from model_server.estimator_engine import EstimatorEngine
from model_server.refusals import Refusal
from model_server.row_protocol import RowProtocol

ROW = {"sepal.length": 6.1, "sepal.width": 2.8, "petal.length": 4.7, "petal.width": 1.2}
OTHER = {"petal.width": 0.2, "petal.length": 1.4, "sepal.width": 3.5, "sepal.length": 5.1}


@pytest.mark.parametrize(
    ("body", "predictions"),
    [
        (ROW, ["Versicolor"]),
        ([ROW], ["Versicolor"]),
        ([ROW, OTHER], ["Versicolor", "Setosa"]),
        ({"rows": [ROW, OTHER]}, ["Versicolor", "Setosa"]),
        ({"instances": [OTHER]}, ["Setosa"]),
        ([6.1, 2.8, 4.7, 1.2], ["Versicolor"]),
        ([[6.1, 2.8, 4.7, 1.2], [5.1, 3.5, 1.4, 0.2]], ["Versicolor", "Setosa"]),
        ({"rows": [[5.1, 3.5, 1.4, 0.2], ROW]}, ["Setosa", "Versicolor"]),
    ],
)
def test_rows_are_objects_in_any_order_or_lists_in_column_order_one_or_many(client, body, predictions):
    answer = client("iris").predict(body)
    assert (answer.status, answer.document["predictions"]) == (200, predictions)
    assert len(answer.document["probabilities"]) == len(predictions)


def test_answers_are_the_estimators_own(client, fitted):
    estimator, inputs = fitted("iris")
    answer = client("iris").predict(json.loads(inputs.to_json(orient="records", double_precision=15))).document
    assert answer["predictions"] == estimator.predict(inputs).tolist()
    assert np.allclose(answer["probabilities"], estimator.predict_proba(inputs), rtol=1e-12)
    assert answer["labels"] == estimator.classes_.tolist()


def test_three_texts_get_three_answers(client):
    answer = client("text").predict(["good film", "bad film", "good story"])
    assert answer.document["predictions"] == [1, 0, 1]
    assert answer.document["labels"] == [0, 1]


@pytest.mark.parametrize(
    "body", ["bad story", {"review": "bad story"}, ["bad story"], [["bad story"]], {"rows": ["bad story"]}]
)
def test_one_text_may_be_sent_plainly_or_as_a_row(client, body):
    assert client("text").predict(body).document["predictions"] == [0]


def test_a_column_that_is_named_as_an_envelope_is_still_a_column(make_model, own_client, fitted):
    estimator, inputs = fitted("text")
    client = own_client(make_model("text", estimator=estimator, inputs=inputs.rename("rows")))
    assert client.predict({"rows": "good film"}).document["predictions"] == [1]
    assert client.predict({"rows": ["good film", "bad film"]}).document["predictions"] == [1, 0]
    assert client.predict([{"rows": "good film"}, {"rows": "bad film"}]).document["predictions"] == [1, 0]


def test_missing_values_are_null_where_training_had_some(client, fitted):
    estimator, inputs = fitted("mixed")
    row = {"age": 70, "income": None, "city": "Oslo", "plan": None, "member": True}
    given = inputs.iloc[[0]].assign(
        age=70, income=np.nan, city="Oslo", plan=pd.Series([None], dtype="str"), member=True
    )
    answer = client("mixed").predict(row).document
    assert answer["predictions"] == estimator.predict(given).tolist() == [1]
    assert np.allclose(answer["probabilities"], estimator.predict_proba(given))


def test_integers_may_be_written_as_whole_floats_and_numbers_as_integers(client):
    row = {"age": 70.0, "income": 30000, "city": "Oslo", "plan": "a", "member": True}
    assert client("mixed").predict(row).status == 200


def test_an_array_model_takes_one_row_or_several_of_plain_numbers(client, fitted):
    estimator, _ = fitted("regression")
    expected = estimator.predict([[1.0, 2.0, 3.0]])[0]
    for body in ([1, 2, 3], [[1, 2, 3]], {"instances": [[1, 2, 3]]}, {"x0": 1, "x1": 2, "x2": 3}):
        answer = client("regression").predict(body)
        assert answer.document["predictions"] == [pytest.approx(expected)], body
        assert "probabilities" not in answer.document


def test_a_model_with_several_outputs_gives_a_list_for_each_row(client):
    [first] = client("outputs").predict([1, 2, 3]).document["predictions"]
    assert first == [pytest.approx(4.0), pytest.approx(5.0)]


def test_values_outside_of_training_are_for_the_model_to_decide(client):
    assert client("iris").predict([1000, -5, 0, 1e6]).status == 200
    row = {"age": 70, "income": 1.0, "city": "Oslo", "plan": "never seen", "member": True}
    assert client("mixed").predict(row).status == 200


def test_what_the_model_refuses_is_answered_with_the_row_and_its_reason(client):
    good = {"age": 70, "income": 1.0, "city": "Oslo", "plan": "a", "member": True}
    answer = client("mixed").predict([good, {**good, "city": "Atlantis"}, good])
    assert answer.status == 422
    [problem] = answer.document["problems"]
    assert problem["row"] == 1
    assert "refused by the model: Found unknown categories ['Atlantis']" in problem["problem"]
    assert answer.document["error"].startswith("row 1: is refused by the model")


def test_an_answer_that_is_not_finite_is_null_and_never_invalid_json(make_model, own_client, fitted):
    _, inputs = fitted("regression")
    strange = DummyRegressor().fit(inputs, np.zeros(len(inputs)))
    strange.constant_ = np.array([[np.inf]])
    answer = own_client(make_model("regression", estimator=strange, golden=0)).predict([1, 2, 3])
    assert answer.body == b'{"predictions":[null]}'


def test_without_a_signature_predict_says_what_to_do(client):
    answer = client("iris-unsigned").predict(ROW)
    assert answer.status == 501
    assert answer.document["error"] == (
        "the columns of this model are not known (no fit was observed); send plain arrays to /v2/models/model/infer, "
        "or train again with an input example (param input-example)"
    )


class Echo(RegressorMixin, BaseEstimator):
    """Answers with how it was asked."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def predict(self, X):
        return np.array([f"{type(X).__name__} {type(one).__name__}" for one in X])


def replied(protocol, engine, body):
    asked = protocol.read(json.dumps(body).encode())
    return json.loads(protocol.write(asked, engine.answer(asked.rows)).body)


def test_dates_and_categories_reach_the_estimator_with_the_dtypes_of_training(describe):
    inputs = pd.DataFrame({
        "when": pd.to_datetime(["2026-01-01", "2026-06-01", None]),
        "zoned": pd.to_datetime(["2026-01-01T00:00Z", "2026-06-01T00:00Z", "2026-06-01T00:00Z"]),
        "size": pd.Categorical(["s", "m", "l"]),
    })  # fmt: skip
    seen = []
    estimator = Echo()
    signature = describe(estimator, inputs)
    estimator.predict = lambda frame: seen.append(frame) or np.zeros(len(frame))
    protocol, engine = RowProtocol(signature), EstimatorEngine(estimator, signature)
    rows = [
        {"when": None, "zoned": "2026-06-01T02:00:00+02:00", "size": "s"},
        {"when": "2026-06-01T12:30", "zoned": "2026-01-01T00:00:00Z", "size": "unknown"},
    ]
    assert replied(protocol, engine, rows) == {"predictions": [0.0, 0.0]}
    [frame] = seen
    assert frame.dtypes.tolist() == inputs.dtypes.tolist()
    assert frame["zoned"].tolist() == [inputs["zoned"][1], inputs["zoned"][0]]
    assert frame["when"].tolist()[1] == pd.Timestamp("2026-06-01T12:30")
    assert frame["size"].isna().tolist() == [False, True]  # to pandas an unknown category is a missing value
    with pytest.raises(Refusal) as refusal:
        protocol.read(json.dumps({"when": "yesterday", "zoned": "2026-06-01", "size": 1}).encode())
    assert [problem.problem for problem in refusal.value.problems] == [
        "is not a date and time of ISO 8601", "has no offset from UTC, but training had", "is not a text",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("inputs", "body", "answer"),
    [
        (np.array([1.0, 2.0]), [3, 4], ["ndarray float64"] * 2),
        ([1.0, 2.0], 3, ["list float"]),
        (["a", "b"], ["c", "d", "e"], ["list str"] * 3),
        ([["a", "b"], ["c", "d"]], ["e", "f"], ["list list"]),
        (np.array([["a", "b"]], dtype=object), [["e", "f"]], ["ndarray ndarray"]),
        (pd.Series(["a", "b"], name="x", dtype="str"), "c", ["Series str"]),
    ],
)
def test_the_estimator_gets_the_container_it_was_fitted_with(describe, inputs, body, answer):
    signature = describe(Echo(), inputs)
    protocol, engine = RowProtocol(signature), EstimatorEngine(Echo(), signature)
    assert replied(protocol, engine, body) == {"predictions": answer}


def test_a_skops_file_is_served_like_a_pickle(make_model, own_client, fitted):
    _, inputs = fitted("iris")
    directory = make_model(save=skops.io.dump, model_file="model.skops")
    assert own_client(directory).predict(inputs.iloc[0].tolist()).document["predictions"] == ["Setosa"]
