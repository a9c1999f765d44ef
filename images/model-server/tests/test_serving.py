"""The server as a process: what it prints, how it answers over a real socket, how it ends."""

import json

IRIS_ROW = {"sepal.length": 6.1, "sepal.width": 2.8, "petal.length": 4.7, "petal.width": 1.2}


def test_a_model_is_served_after_its_golden_rows_were_replayed(iris_server, model_dir):
    digest = json.loads(iris_server.get("/health").body)["model_digest"]
    [line] = iris_server.output
    assert line == f"model-server: ready: model {digest}, 4 golden rows replayed, scikit-learn 1.9.1, {iris_server.url}"
    assert iris_server.get("/readyz").document == {"status": "ready"}
    assert iris_server.get("/livez").document == {"status": "live"}


def test_a_row_gets_its_prediction_with_a_probability_for_each_label(iris_server):
    answer = iris_server.get("/predict", IRIS_ROW)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.document["predictions"] == ["Versicolor"]
    assert answer.document["labels"] == ["Setosa", "Versicolor", "Virginica"]
    [probabilities] = answer.document["probabilities"]
    assert abs(sum(probabilities) - 1) < 1e-9
    assert max(probabilities) == probabilities[1]
