"""Merkmale, die scikit-learn nicht kennt."""

import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin


class Kalender(TransformerMixin, BaseEstimator):
    """Monat und Wochentag einer Datumsspalte."""

    def fit(self, X, y=None):
        self.spalten_ = list(X.columns)
        return self

    def transform(self, X):
        tage = X[self.spalten_[0]].dt
        return pd.DataFrame({"monat": tage.month, "wochentag": tage.dayofweek}, index=X.index)

    def get_feature_names_out(self, input_features=None):
        return ["monat", "wochentag"]
