import pytest

from metric_gate.directions import direction_of, known_names, near_matches

sklearn_metrics = pytest.importorskip("sklearn.metrics")


@pytest.mark.parametrize("name", sklearn_metrics.get_scorer_names())
def test_every_scorer_of_scikit_learn_is_better_when_higher(name):
    assert direction_of(name) == "higher"


@pytest.mark.parametrize(
    "name",
    [name for name in dir(sklearn_metrics) if name.endswith(("_error", "_loss", "_deviance", "_score", "_auc"))
     and name != "consensus_score"],
)  # fmt: skip
def test_every_metric_function_of_scikit_learn_has_the_direction_of_its_name(name):
    lower = name.endswith(("_error", "_loss", "_deviance")) or name == "davies_bouldin_score"
    assert direction_of(name) == ("lower" if lower else "higher")


@pytest.mark.parametrize(
    "name", ["log_loss", "mean_squared_error", "max_error", "brier_score", "negative_likelihood_ratio"]
)
def test_neg_turns_an_error_into_a_score(name):
    assert direction_of(name) == "lower"
    assert direction_of(f"neg_{name}") == "higher"


@pytest.mark.parametrize(
    "name",
    [
        "negative_f1", "negative_recall", "neg_precision", "negative_f1_macro", "test_negative_recall", "negativeF1",
        "neg_auc", "negative_score", "neg_neg_log_loss",
    ],
)  # fmt: skip
def test_negative_before_what_is_better_when_higher_may_be_the_name_of_a_class_and_tells_no_direction(name):
    assert direction_of(name) is None


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("negative_predictive_value", "higher"), ("test_negative_predictive_value", "higher"),
        ("negative_log_likelihood", "lower"), ("negative_likelihood_ratio", "lower"),
        ("negative_mean_squared_error", "higher"), ("negMAE", "higher"), ("neg_val_rmse", "higher"),
    ],
)  # fmt: skip
def test_negative_that_belongs_to_a_known_name_or_negates_an_error_tells_one(name, direction):
    assert direction_of(name) == direction


@pytest.mark.parametrize(
    ("written", "direction"),
    [
        ("val_accuracy", "higher"), ("test/roc_auc", "higher"), ("ROC AUC", "higher"), ("rocAuc", "higher"),
        ("F1-Score", "higher"), ("R2", "higher"), ("precision@5", "higher"), ("ndcg_at_10", "higher"), ("MCC", "higher"),
        ("mean_test_score", "higher"), ("recall_macro", "higher"), ("test.neg_log_loss", "higher"), ("cv-f1-weighted", "higher"),
        ("val_loss", "lower"), ("RMSE", "lower"), ("holdout rmse", "lower"), ("logLoss", "lower"), ("oof_mae", "lower"),
    ],
)  # fmt: skip
def test_usual_spellings_are_known(written, direction):
    assert direction_of(written) == direction


@pytest.mark.parametrize(
    "name",
    [
        "",
        "accuracy_std",
        "std_accuracy",
        "fit_time",
        "train_accuracy",
        "r2_train",
        "my_index",
        "n_rows",
        "mean_error",
        "_",
        "é",
    ],
)
def test_what_tells_no_direction_is_unknown(name):
    assert direction_of(name) is None


def test_no_name_has_two_directions():
    names = list(known_names())
    assert len(names) == len(set(names))
    assert all(direction_of(name) for name in names)


@pytest.mark.parametrize(
    ("wanted", "names", "near"),
    [
        ("acuracy", ["accuracy", "f1"], ["accuracy"]),
        ("accuracy", ["test_accuracy", "loss"], ["test_accuracy"]),
        ("Accuracy", ["accuracy"], ["accuracy"]),
        ("auc", ["roc_auc", "r2"], ["roc_auc"]),
        ("roc_auc", ["auc", "mae"], ["auc"]),
        ("accuracy", ["rows"], []),
        ("", ["accuracy"], []),
        ("accuracy", [""], []),
    ],
)
def test_near_matches_are_the_names_somebody_may_have_meant(wanted, names, near):
    assert near_matches(wanted, names) == near
