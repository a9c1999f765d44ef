"""The team's own API: field names and answers as its clients know them."""

import pickle
from pathlib import Path

import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel, Field

app = FastAPI(title="Iris varieties")
model = pickle.loads(Path("model.pkl").read_bytes())


class Flower(BaseModel):
    sepal_length: float = Field(gt=0, examples=[5.1])
    sepal_width: float = Field(gt=0, examples=[3.5])
    petal_length: float = Field(gt=0, examples=[1.4])
    petal_width: float = Field(gt=0, examples=[0.2])


class Answer(BaseModel):
    variety: str
    probability: float


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/predict")
def predict(flower: Flower) -> Answer:
    row = pd.DataFrame([{name.replace("_", "."): value for name, value in flower.model_dump().items()}])
    return Answer(variety=model.predict(row)[0], probability=float(model.predict_proba(row).max()))
