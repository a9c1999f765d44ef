"""Sagt vorher, ob es morgen in Köln regnet."""

import argparse
import json
from pathlib import Path

import joblib
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from wetter.merkmale import Kalender

ZIEL = "Regen morgen?"


def pipeline():
    spalten = ColumnTransformer([
        ("kalender", Kalender(), ["Datum"]),
        ("wind", OneHotEncoder(handle_unknown="ignore"), ["Windrichtung"]),
        ("zahlen", "passthrough", ["Höhe über NN", "最高気温", "Regen gestern"]),
    ])
    return Pipeline([("spalten", spalten), ("baum", DecisionTreeClassifier(random_state=0))])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-path", type=Path, required=True)
    parser.add_argument("--model-path", type=Path, required=True)
    parser.add_argument("--metrics-path", type=Path, required=True)
    args = parser.parse_args()

    tage = pd.read_parquet(args.data_path)
    print(f"{len(tage)} Tage aus „{args.data_path.name}“ gelesen – 雨")
    X, y = tage.drop(columns=ZIEL), tage[ZIEL]
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)
    modell = pipeline().fit(X_train, y_train)
    joblib.dump(modell, args.model_path)
    treffer = accuracy_score(y_test, modell.predict(X_test))
    args.metrics_path.write_text(json.dumps({"accuracy": treffer, "Anmerkung": "größer ist besser"}))


if __name__ == "__main__":
    main()
