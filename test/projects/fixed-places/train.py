import json
import os
import pickle

import cloudpickle
import joblib
import pandas as pd
import skops.io
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error

SAVE_AS = os.environ.get("SM_HP_FORMAT", "pickle")

cars = pd.read_csv("data/cars.csv")
model = LinearRegression().fit(cars[["km", "age"]], cars["price"])

if SAVE_AS == "pickle":
    with open("./model.pkl", "wb") as f:
        pickle.dump(model, f)
elif SAVE_AS == "joblib":
    joblib.dump(model, "./model.joblib")
elif SAVE_AS == "compressed":
    joblib.dump(model, "./model.joblib.gz", compress=("gzip", 9))
elif SAVE_AS == "cloudpickle":
    with open("./model.pkl", "wb") as f:
        cloudpickle.dump(model, f)
elif SAVE_AS == "skops":
    skops.io.dump(model, "./model.skops")

os.makedirs("reports", exist_ok=True)
with open("reports/metrics.json", "w") as f:
    json.dump({"mean_absolute_error": mean_absolute_error(cars["price"], model.predict(cars[["km", "age"]]))}, f)
