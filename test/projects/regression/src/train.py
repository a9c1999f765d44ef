"""Estimate the energy that a building needs."""

import argparse
import json
import pickle

import numpy as np
import pandas as pd
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import train_test_split


def train(data_path, model_path, metrics_path):
    buildings = pd.read_csv(data_path)
    X = buildings.drop(columns=["energy_kwh"])
    y = buildings["energy_kwh"]
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=3)
    model = GradientBoostingRegressor(n_estimators=60, max_depth=3, random_state=3).fit(X_train, y_train)
    estimated = model.predict(X_test)
    metrics = {
        "r2": r2_score(y_test, estimated),
        "mean_absolute_error": mean_absolute_error(y_test, estimated),
        "largest_error": float(np.max(np.abs(y_test - estimated))),
    }
    print(json.dumps(metrics, indent=2))
    with open(model_path, "wb") as file:
        pickle.dump(model, file)
    with open(metrics_path, "w") as file:
        json.dump(metrics, file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("--data-path", "--model-path", "--metrics-path"):
        parser.add_argument(name)
    train(**vars(parser.parse_args()))
