"""Train a classifier that tells iris varieties apart."""

import argparse
import json
import pickle

import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-path", default="data/iris.csv")
    parser.add_argument("--model-path", default="model.pkl")
    parser.add_argument("--metrics-path", default="metrics.json")
    parser.add_argument("--C", type=float, default=1.0, help="inverse of the regularization strength")
    parser.add_argument("--max-iter", type=int, default=200)
    args = parser.parse_args()

    iris = pd.read_csv(args.data_path)
    print(f"read {len(iris)} rows from {args.data_path}")
    X = iris.drop(columns="variety")
    y = iris["variety"]
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=42, stratify=y)

    model = make_pipeline(StandardScaler(), LogisticRegression(C=args.C, max_iter=args.max_iter))
    model.fit(X_train, y_train)

    predicted = model.predict(X_test)
    metrics = {
        "accuracy": accuracy_score(y_test, predicted),
        "f1_macro": f1_score(y_test, predicted, average="macro"),
        "log_loss": log_loss(y_test, model.predict_proba(X_test), labels=model.classes_),
    }
    print("metrics:", ", ".join(f"{name} {value:.4f}" for name, value in metrics.items()))

    with open(args.model_path, "wb") as file:
        pickle.dump(model, file)
    with open(args.metrics_path, "w") as file:
        json.dump(metrics, file, indent=2)


if __name__ == "__main__":
    main()
