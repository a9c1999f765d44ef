"""Custom training job of Vertex AI: python -m trainer.task"""

import argparse
import json
import logging
import os
import pathlib
import pickle

import pandas as pd
from sklearn.linear_model import LogisticRegression


def get_args():
    parser = argparse.ArgumentParser()
    parser.add_argument("--penalty-strength", dest="c", type=float, default=1.0)
    return parser.parse_args()


def main():
    args = get_args()
    logging.basicConfig(level=logging.INFO)
    uri = os.environ["AIP_TRAINING_DATA_URI"]
    assert os.environ["AIP_DATA_FORMAT"] == "csv", os.environ["AIP_DATA_FORMAT"]
    data = pd.read_csv(uri)
    model = LogisticRegression(C=args.c).fit(data[["x", "y"]], data["side"])

    target = pathlib.Path(os.environ["AIP_MODEL_DIR"])
    target.mkdir(parents=True, exist_ok=True)
    with open(target / "model.pkl", "wb") as f:
        pickle.dump(model, f)
    checkpoints = pathlib.Path(os.environ["AIP_CHECKPOINT_DIR"])
    checkpoints.mkdir(parents=True, exist_ok=True)
    (checkpoints / "last.txt").write_text("1")
    accuracy = model.score(data[["x", "y"]], data["side"])
    logging.info("accuracy %s", accuracy)
    (target / "metrics.json").write_text(json.dumps({"accuracy": accuracy}))


if __name__ == "__main__":
    main()
