"""Predict which customers leave: numbers and categories with missing values."""

import argparse
import json

import joblib
import pandas as pd
from features import Ratio
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NUMBERS = ["age", "tenure_months", "monthly_charge"]
CATEGORIES = ["plan", "region", "paperless"]


def build():
    scaled = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    ratio = Pipeline([("ratio", Ratio("monthly_charge", "tenure_months")), ("impute", SimpleImputer())])
    coded = Pipeline([
        ("impute", SimpleImputer(strategy="most_frequent")),
        ("encode", OneHotEncoder(handle_unknown="ignore")),
    ])
    columns = ColumnTransformer([
        ("numbers", scaled, NUMBERS),
        ("ratio", ratio, ["monthly_charge", "tenure_months"]),
        ("categories", coded, CATEGORIES),
    ])
    return Pipeline([("columns", columns), ("classify", LogisticRegression(max_iter=500))])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-path")
    parser.add_argument("--model-path")
    parser.add_argument("--metrics-path")
    args = parser.parse_args()

    customers = pd.read_csv(args.data_path)
    X, y = customers[NUMBERS + CATEGORIES], customers["left"]
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)
    model = build().fit(X_train, y_train)
    metrics = {
        "accuracy": accuracy_score(y_test, model.predict(X_test)),
        "roc_auc": roc_auc_score(y_test, model.predict_proba(X_test)[:, 1]),
    }
    print(metrics)
    joblib.dump(model, args.model_path)
    with open(args.metrics_path, "w") as file:
        json.dump(metrics, file)
