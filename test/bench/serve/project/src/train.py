"""Trains one of the models that the benchmark serves. Data is made up from a fixed seed, or comes with scikit-learn."""

import argparse
import json
import pickle

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris, make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, SplineTransformer, StandardScaler


def iris():
    data = load_iris(as_frame=True)
    frame = data.data.rename(columns=lambda name: name.removesuffix(" (cm)").replace(" ", "_"))
    return frame, pd.Series(data.target_names[data.target], name="species")


def twenty_numbers():
    values, target = make_classification(n_samples=3000, n_features=20, n_informative=8, random_state=0)
    return pd.DataFrame(values, columns=[f"feature_{at}" for at in range(20)]), pd.Series(target, name="target")


def mixed():
    random = np.random.default_rng(0)
    frame = pd.DataFrame({f"number_{at}": random.normal(at, at + 1, 3000) for at in range(12)})
    for at in range(8):
        frame[f"category_{at}"] = random.choice([f"value_{at}_{one}" for one in range(4 + at)], 3000)
    signal = frame["number_0"] + frame["number_3"] / 4 + frame["category_2"].str.endswith("_1") * 2
    return frame, (signal + random.normal(0, 1, 3000) > signal.mean()).astype(int).rename("target")


def mixed_pipeline():
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), [f"number_{at}" for at in range(12)]),
            ("categories", OneHotEncoder(handle_unknown="ignore"), [f"category_{at}" for at in range(8)]),
        ]
    )
    return make_pipeline(columns, LogisticRegression(max_iter=1000))


MODELS = {
    "M1": (iris, lambda: LogisticRegression(max_iter=500)),
    "M2": (mixed, mixed_pipeline),
    "M3": (twenty_numbers, lambda: RandomForestClassifier(100, random_state=0)),
    "M4": (twenty_numbers, lambda: HistGradientBoostingClassifier(random_state=0)),
    # skl2onnx has no converter of SplineTransformer: this one stays with scikit-learn.
    "M5": (twenty_numbers, lambda: make_pipeline(SplineTransformer(), LogisticRegression(max_iter=1000))),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--which", choices=sorted(MODELS), required=True)
    parser.add_argument("--model-path", required=True)
    parser.add_argument("--metrics-path", required=True)
    args = parser.parse_args()

    data, estimator = MODELS[args.which]
    X, y = data()
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    model = estimator().fit(X_train, y_train)
    accuracy = accuracy_score(y_test, model.predict(X_test))
    print(f"accuracy {accuracy:.4f}")
    with open(args.model_path, "wb") as file:
        pickle.dump(model, file)
    with open(args.metrics_path, "w") as file:
        json.dump({"accuracy": accuracy}, file)


if __name__ == "__main__":
    main()
