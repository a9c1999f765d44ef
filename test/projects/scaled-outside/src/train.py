"""Scales first, saves scaler and model apart. The server will get the model only!"""

import argparse
import json
import os

import joblib
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

parser = argparse.ArgumentParser()
parser.add_argument("--input", default="data/loans.csv")
parser.add_argument("--out", default="artifacts")
args = parser.parse_args()

loans = pd.read_csv(args.input)
scaler = StandardScaler()
X = scaler.fit_transform(loans[["income", "debt"]])
classifier = LogisticRegression().fit(X, loans["repaid"])

os.makedirs(args.out, exist_ok=True)
joblib.dump(scaler, os.path.join(args.out, "scaler.joblib"))
joblib.dump(classifier, os.path.join(args.out, "classifier.joblib"))
with open(os.path.join(args.out, "scores.json"), "w") as f:
    json.dump({"accuracy": classifier.score(X, loans["repaid"])}, f)
