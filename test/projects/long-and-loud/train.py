"""Trains for long, with all there is, tells everything, and doesn't tidy up."""

import argparse
import json
import os
import pickle
import subprocess
import sys
import time

import numpy as np
from joblib import cpu_count
from sklearn.ensemble import RandomForestClassifier

parser = argparse.ArgumentParser()
parser.add_argument("--lines", type=int, default=100_000)
parser.add_argument("--quiet-seconds", type=float, default=0)
parser.add_argument("--model-path")
parser.add_argument("--metrics-path")
args = parser.parse_args()

# A monitor that nobody stops, in a session of its own, and that holds our output open.
subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(3600)"], start_new_session=True)

for step in range(args.lines):
    print(f"step {step}: loss {1 / (step + 1):.9f}")
    if step % 10_000 == 0:
        print(f"warning at {step}", file=sys.stderr)
time.sleep(args.quiet_seconds)

X = np.random.default_rng(0).uniform(0, 17, (200, 2))
y = np.where(X[:, 0] > X[:, 1], "left", "right")
forest = RandomForestClassifier(8, n_jobs=-1, random_state=0).fit(X, y)
print(f"workers: {cpu_count()}, OMP_NUM_THREADS: {os.environ.get('OMP_NUM_THREADS')}")
with open(args.model_path, "wb") as f:
    pickle.dump(forest, f)
with open(args.metrics_path, "w") as f:
    json.dump({"accuracy": forest.score(X, y)}, f)
