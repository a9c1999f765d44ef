"""Which metrics are better when higher and which when lower, by their name.

Known are the names of scikit-learn's scorers (https://scikit-learn.org/stable/modules/model_evaluation.html, "String
name scorers"), of its metric functions, and the usual names of other libraries. A scorer is always better when higher,
which its ``neg_`` says; ``mean_squared_error`` without it is the error itself. Nobody negates what is better when
higher, so ``negative_recall`` is the recall of a class, or something else again: unknown.

Durations and metrics of the training data (``train_accuracy``) are left unknown on purpose: by default nobody's model
should be stopped by them. A rule may name any direction.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Literal

Direction = Literal["higher", "lower"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Every one also with ``_score`` behind it.
_HIGHER = _words(
    """
    acc accuracy adjusted_mutual_info adjusted_r2 adjusted_rand auc auc_pr auc_roc aupr auprc auroc
    average_precision balanced_accuracy c_index calinski_harabasz cohen_kappa completeness concordance_index
    consensus d2 d2_absolute_error d2_brier d2_log_loss d2_pinball d2_tweedie dcg explained_variance f05 f1 f2
    f_beta f_measure fbeta fowlkes_mallows hit_rate homogeneity iou jaccard kappa ks label_ranking_average_precision
    lift map matthews_corrcoef mcc mrr mutual_info ndcg negative_predictive_value normalized_mutual_info npv ovo_auc
    ovr_auc pearson pearson_correlation pearsonr positive_likelihood_ratio positive_predictive_value ppv pr_auc
    precision r2 r_squared rand recall roc_auc roc_auc_ovo roc_auc_ovr sensitivity silhouette spearman
    spearman_correlation spearmanr specificity subset_accuracy tnr top_k_accuracy tpr true_negative_rate
    true_positive_rate v_measure
    """
)
_LOWER = _words(
    """
    bce binary_cross_entropy binary_crossentropy brier brier_loss brier_score brier_score_loss calibration_error
    categorical_crossentropy coverage_error cross_entropy crossentropy davies_bouldin davies_bouldin_score ece eer
    equal_error_rate error_rate expected_calibration_error fall_out false_discovery_rate false_negative_rate
    false_positive_rate fdr fnr fpr hamming_loss hinge_loss huber_loss inertia label_ranking_loss log_loss logloss
    loss mae mape mase max_error maximum_calibration_error mean_absolute_error mean_absolute_percentage_error
    mean_absolute_scaled_error mean_gamma_deviance mean_pinball_loss mean_poisson_deviance mean_squared_error
    mean_squared_log_error mean_tweedie_deviance median_absolute_error median_absolute_percentage_error
    misclassification_rate mse msle negative_likelihood_ratio negative_log_likelihood nll perplexity pinball_loss
    poisson_deviance quantile_loss rmse rmsle root_mean_square_error root_mean_squared_error
    root_mean_squared_log_error smape symmetric_mean_absolute_percentage_error wape wmape zero_one_loss
    """
)
_DIRECTIONS: dict[str, Direction] = {
    "score": "higher",
    **dict.fromkeys(_HIGHER, "higher"),
    **{f"{name}_score": "higher" for name in _HIGHER},
    **dict.fromkeys(_LOWER, "lower"),
}

_PREFIX = re.compile(
    r"(?:val|valid|validation|test|testing|eval|evaluation|dev|holdout|hold_out|oof|oob|cv|mean|avg|average|median|best|final"
    r"|overall|macro|micro|weighted)_"
)
_SUFFIX = re.compile(
    r"_(?:val|valid|validation|test|eval|dev|holdout|oof|oob|cv|mean|avg|macro|micro|samples|weighted|binary"
    r"|ovo|ovr|(?:at_)?[0-9]+)"
)


def direction_of(metric: str) -> Direction | None:
    """Whether a metric is better when higher or lower; None where its name does not tell.

    Case, separators, words such as ``val_`` or ``_macro`` and a number behind (``precision@5``) don't matter.
    """
    return _look_up(_plain(metric))


def _plain(metric: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", metric)
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")


def _look_up(name: str) -> Direction | None:
    if name in _DIRECTIONS:
        return _DIRECTIONS[name]
    for negative in ("neg_", "negative_"):
        if name.startswith(negative):
            return "higher" if _look_up(name.removeprefix(negative)) == "lower" else None
    if shorter := _PREFIX.match(name):
        found = _look_up(name[shorter.end() :])
        if found:
            return found
    if ending := re.search(_SUFFIX.pattern + r"\Z", name):
        return _look_up(name[: ending.start()])
    return None


def near_matches(metric: str, names: Iterable[str]) -> list[str]:
    """Up to three names that somebody who wrote ``metric`` may have meant, nearest first."""
    wanted = _plain(metric)
    by_plain: dict[str, str] = {}
    for name in names:
        by_plain.setdefault(_plain(name), name)
    near = difflib.get_close_matches(wanted, by_plain, n=3, cutoff=0.7)
    contained = [plain for plain in by_plain if _contains(wanted, plain) or _contains(plain, wanted)]
    return [by_plain[plain] for plain in dict.fromkeys((*near, *contained))][:3]


def _contains(name: str, words: str) -> bool:
    return words != "" and f"_{words}_" in f"_{name}_"


def known_names() -> Iterable[str]:
    """Every metric name of known direction, without prefixes and suffixes."""
    return _DIRECTIONS.keys()
