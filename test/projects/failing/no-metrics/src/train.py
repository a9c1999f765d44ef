import argparse
import pickle

from sklearn.linear_model import LogisticRegression

parser = argparse.ArgumentParser()
for name in ("--data-path", "--model-path", "--metrics-path"):
    parser.add_argument(name)
args = parser.parse_args()
model = LogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
with open(args.model_path, "wb") as file:
    pickle.dump(model, file)
