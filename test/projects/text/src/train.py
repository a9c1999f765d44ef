"""Sort short support messages into topics."""

import argparse
import json
import pickle

import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

parser = argparse.ArgumentParser()
parser.add_argument("--data-path", required=True)
parser.add_argument("--model-path", required=True)
parser.add_argument("--metrics-path", required=True)
args = parser.parse_args()

messages = pd.read_csv(args.data_path)
texts, tests, topics, wanted = train_test_split(
    messages["message"], messages["topic"], test_size=0.25, random_state=1, stratify=messages["topic"]
)
model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(C=10))
model.fit(texts, topics)
accuracy = accuracy_score(wanted, model.predict(tests))
print(f"accuracy {accuracy:.3f} on {len(tests)} messages")
with open(args.model_path, "wb") as file:
    pickle.dump(model, file)
with open(args.metrics_path, "w") as file:
    json.dump({"accuracy": accuracy}, file)
