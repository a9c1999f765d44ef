from cleaning import without_negatives
from sklearn.base import BaseEstimator, TransformerMixin


class Ratio(TransformerMixin, BaseEstimator):
    """One column divided by another, with missing values left missing."""

    def __init__(self, numerator, denominator, offset=1.0):
        self.numerator = numerator
        self.denominator = denominator
        self.offset = offset

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        top, bottom = without_negatives(X[self.numerator]), without_negatives(X[self.denominator])
        return (top / (bottom + self.offset)).to_frame()

    def get_feature_names_out(self, input_features=None):
        return [f"{self.numerator}_per_{self.denominator}"]
