# Runs in SageMaker script mode: SKLearn(entry_point="sklearn_abalone.py", hyperparameters={...})
import argparse
import json
import os

import joblib
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_squared_error


def model_fn(model_dir):
    """Called by SageMaker's own server."""
    return joblib.load(os.path.join(model_dir, "model.joblib"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()

    # Hyperparameters are described here.
    parser.add_argument("--alpha", type=float, default=1.0)
    parser.add_argument("--target", type=str, default="y")

    # SageMaker specific arguments. Defaults are set in the environment variables.
    parser.add_argument("--output-data-dir", type=str, default=os.environ["SM_OUTPUT_DATA_DIR"])
    parser.add_argument("--model-dir", type=str, default=os.environ["SM_MODEL_DIR"])
    parser.add_argument("--train", type=str, default=os.environ["SM_CHANNEL_TRAIN"])
    args = parser.parse_args()

    hyperparameters = json.loads(os.environ["SM_HPS"])
    print("hyperparameters:", hyperparameters, "cpus:", os.environ["SM_NUM_CPUS"], "on", os.environ["SM_CURRENT_HOST"])

    # Take the set of files and read them all into a single pandas dataframe
    input_files = [os.path.join(args.train, file) for file in os.listdir(args.train)]
    if len(input_files) == 0:
        raise ValueError("There are no files in {}. Was the channel specified?".format(args.train))
    train_data = pd.concat([pd.read_csv(file) for file in input_files])

    train_y = train_data[args.target]
    train_X = train_data.drop(args.target, axis=1)
    model = Ridge(alpha=args.alpha).fit(train_X, train_y)
    mse = mean_squared_error(train_y, model.predict(train_X))
    print("train_mse: {:.6f};".format(mse))

    joblib.dump(model, os.path.join(args.model_dir, "model.joblib"))
    with open(os.path.join(args.output_data_dir, "evaluation.json"), "w") as f:
        json.dump({"mean_squared_error": mse}, f)
