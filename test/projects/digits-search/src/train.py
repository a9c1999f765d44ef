"""Looks for the best k, and keeps the whole search: it predicts with its best estimator."""

import argparse
import json
import pickle

import pandas as pd
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

parser = argparse.ArgumentParser()
parser.add_argument("--data-path", required=True)
parser.add_argument("--model-path", required=True)
parser.add_argument("--metrics-path", required=True)
parser.add_argument("--labels", choices=["integers", "booleans", "strings"], default="integers")
parser.add_argument("--folds", type=int, default=3)
args = parser.parse_args()

strokes = pd.read_csv(args.data_path)
labels = {
    "integers": strokes["digit"],
    "booleans": strokes["digit"] == 7,
    "strings": strokes["digit"].map({1: "one", 7: "seven"}),
}[args.labels]
search = GridSearchCV(
    Pipeline([("scale", StandardScaler()), ("vote", KNeighborsClassifier())]),
    {"vote__n_neighbors": [1, 3], "vote__weights": ["uniform", "distance"]},
    cv=args.folds,
)
search.fit(strokes[["slant", "bar"]], labels)
print("best:", search.best_params_)

with open(args.model_path, "wb") as f:
    pickle.dump(search, f)
with open(args.metrics_path, "w") as f:
    json.dump({"accuracy": search.best_score_, "best": search.best_params_}, f)
