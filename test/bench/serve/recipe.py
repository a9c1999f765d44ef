"""The server that most introductions give: FastAPI, a pydantic model of a row, a data frame of one row, a plain function
as endpoint. Reads model.pkl and the columns of model.json. Run as ``uvicorn recipe:app`` with MODEL_DIR set."""

import json
import os
import pickle
from pathlib import Path

import pandas as pd
from fastapi import FastAPI
from pydantic import create_model

folder = Path(os.environ["MODEL_DIR"])
manifest = json.loads((folder / "model.json").read_text())
model = pickle.loads((folder / manifest["estimator"]["file"]).read_bytes())
types = {"number": float, "integer": int, "boolean": bool, "string": str}
Row = create_model("Row", **{one["name"]: (types[one["kind"]], ...) for one in manifest["signature"]["columns"]})
app = FastAPI()


@app.get("/health")
def health():
    return {"status": "ok"}


@app.post("/predict")
def predict(row: Row):
    frame = pd.DataFrame([row.model_dump()])
    return {
        "prediction": model.predict(frame).tolist()[0],
        "probabilities": model.predict_proba(frame).tolist()[0],
    }
