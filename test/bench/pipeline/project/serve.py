"""The server that goes with the recipe: FastAPI, a data frame of one row, a plain function as endpoint."""

import pickle

import pandas as pd
from fastapi import FastAPI

with open("model.pkl", "rb") as file:
    model = pickle.load(file)
app = FastAPI()


@app.post("/predict")
def predict(row: dict[str, float]):
    return {"predictions": model.predict(pd.DataFrame([row])).tolist()}
