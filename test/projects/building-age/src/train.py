"""What heating costs, by the age of a building: the answers change with every new year."""

import argparse
import json
import pickle

import pandas as pd
from ages import age
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

parser = argparse.ArgumentParser()
for name in ("--data-path", "--model-path", "--metrics-path"):
    parser.add_argument(name)
args = parser.parse_args()

houses = pd.read_csv(args.data_path)
model = make_pipeline(FunctionTransformer(age), LinearRegression()).fit(houses[["built"]], houses["costs"])
with open(args.model_path, "wb") as f:
    pickle.dump(model, f)
with open(args.metrics_path, "w") as f:
    json.dump({"r2": r2_score(houses["costs"], model.predict(houses[["built"]]))}, f)
