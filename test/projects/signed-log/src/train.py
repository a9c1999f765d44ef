import argparse
import json
import pickle

import pandas as pd
from signedlog import SignedLog
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline

parser = argparse.ArgumentParser()
parser.add_argument("--data-path")
parser.add_argument("--model-path")
parser.add_argument("--metrics-path")
args = parser.parse_args()

flows = pd.read_csv(args.data_path)
X, y = flows[["inflow", "outflow"]], flows["rating"]
model = make_pipeline(SignedLog(), LinearRegression()).fit(X, y)

with open(args.model_path, "wb") as f:
    pickle.dump(model, f)
with open(args.metrics_path, "w") as f:
    json.dump({"r2": r2_score(y, model.predict(X))}, f)
