"""Model directories as sklearn-train leaves them, made from small fitted estimators."""

import os
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # many small models: threads would only wait for each other

import joblib
import msgspec
import numpy as np
import pandas as pd
from sklearn.base import is_classifier, is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from taskkit.environment import installed_packages, platform_name, python_version
from taskkit.estimator_io import answers, estimator_input, json_values
from taskkit.model_directory import file_entries
from taskkit.model_manifest import (
    Dataset,
    Environment,
    Estimator,
    GoldenSummary,
    ModelManifest,
    Onnx,
    Source,
    TrainingRun,
)
from taskkit.model_signature import Column, GoldenRows, Outputs, Signature

KINDS = {"f": "number", "i": "integer", "u": "integer", "b": "boolean", "M": "datetime"}


def column_of(name, series):
    kind = KINDS.get(getattr(series.dtype, "kind", "O"), "string")
    present = series.dropna()
    extremes = {}
    if kind == "datetime":
        extremes = {"minimum": present.min().isoformat(), "maximum": present.max().isoformat()}
    elif kind in {"number", "integer"}:
        extremes = {"minimum": present.min().item(), "maximum": present.max().item()}
    categories = tuple(sorted(present.unique())) if kind == "string" and present.nunique() < 6 else None
    return Column(str(name), str(series.dtype), kind, bool(series.isna().any()), categories=categories, **extremes)


def container_of(inputs):
    if isinstance(inputs, pd.DataFrame):
        return "dataframe"
    if isinstance(inputs, pd.Series):
        return "series"
    return "list" if isinstance(inputs, list) else f"array-{np.ndim(inputs)}d"


def signature_of(estimator, inputs):
    if isinstance(inputs, pd.Series):
        frame = inputs.to_frame()
    elif isinstance(inputs, pd.DataFrame):
        frame = inputs
    else:
        width = np.ndim(inputs)
        frame = pd.DataFrame({f"x{at}": pd.Series(values) for at, values in
                              enumerate([inputs] if width == 1 else zip(*inputs, strict=True))})  # fmt: skip
    predicted = np.asarray(estimator.predict(inputs[:2]))
    single = hasattr(estimator, "classes_") and not isinstance(estimator.classes_, list)
    task = "classifier" if is_classifier(estimator) else "regressor" if is_regressor(estimator) else "other"
    return Signature(
        container_of(inputs), "fit",
        tuple(column_of(name, frame[name]) for name in frame.columns),
        Outputs(task, str(predicted.dtype), KINDS.get(predicted.dtype.kind, "string"),
                1 if predicted.ndim == 1 else predicted.shape[1],
                tuple(json_values(estimator.classes_)) if single else None,
                single and hasattr(estimator, "predict_proba")),
        rows=len(inputs),
    )  # fmt: skip


def plain_rows(signature, inputs, count):
    if isinstance(inputs, (pd.DataFrame, pd.Series)):
        frame = inputs.to_frame() if isinstance(inputs, pd.Series) else inputs
        columns = [
            [None if pd.isna(value) else value.isoformat() if column.kind == "datetime" else getattr(value, "item", lambda value=value: value)()
             for value in frame[name].iloc[:count]]
            for name, column in zip(frame.columns, signature.columns, strict=True)
        ]  # fmt: skip
        return tuple(zip(*columns, strict=True))
    listed = np.asarray(inputs)[:count].tolist() if not isinstance(inputs, list) else inputs[:count]
    return tuple((row,) if len(signature.columns) == 1 and not isinstance(row, list) else tuple(row) for row in listed)


def write_model(directory, estimator, inputs, *, signature=True, files=None, golden=4, change=None, reason="", packages=None,
                onnx=None, model_file="model.pkl", original_name="model.pkl", save=joblib.dump, project_globals=()):  # fmt: skip
    """A model directory with everything in it; ``change`` may alter the golden rows, ``files`` adds files by path."""
    directory = Path(directory)
    directory.mkdir(parents=True)
    save(estimator, directory / model_file)
    for name, content in (files or {}).items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    described = signature_of(estimator, inputs) if signature else None
    proved = Onnx("off")
    if onnx:
        (directory / "model.onnx").write_bytes(onnx if isinstance(onnx, bytes) else converted(estimator, described))
        proved = Onnx("proved", "", 100, 1e-16, 1e-5)
    if described is not None and golden:
        rows = plain_rows(described, inputs, golden)
        predictions, probabilities = answers(
            estimator, estimator_input(described, rows), probabilities=described.outputs.probabilities
        )
        made = GoldenRows("shuffled", rows, tuple(predictions), tuple(probabilities) if probabilities else None)
        (directory / "golden.json").write_bytes(msgspec.json.encode(change(made) if change else made))
    manifest = ModelManifest(
        schema_version="1",
        files=file_entries(directory),
        estimator=Estimator(f"{type(estimator).__module__}.{type(estimator).__qualname__}", model_file, "joblib",
                            original_name, described.outputs.task if described else "classifier", project_globals),
        signature=described,
        signature_reason="" if described else reason or "no fit was observed",
        metrics={"accuracy": 0.97},
        dataset=Dataset("data/iris.csv", "ab" * 32, 1234),
        source=Source("https://example.com/iris.git", "c0ffee" * 6 + "c0ff", False),
        run=TrainingRun("src/train.py", (), {"C": "1.0"}),
        environment=Environment(python_version(), platform_name(), packages or installed_packages()),
        onnx=proved,
        golden=GoldenSummary(golden if described else 0, bool(described and golden), "" if described else "no signature"),
    )  # fmt: skip
    (directory / "model.json").write_bytes(manifest.to_json())
    return directory


def converted(estimator, signature):
    """model.onnx as sklearn-train writes it, with the inputs that it chooses."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import (
        BooleanTensorType,
        DoubleTensorType,
        FloatTensorType,
        Int64TensorType,
        StringTensorType,
    )

    kinds = {
        "number": FloatTensorType,
        "integer": Int64TensorType,
        "boolean": BooleanTensorType,
        "string": StringTensorType,
    }
    columns = signature.columns
    inputs = [("X", DoubleTensorType([None, len(columns)]))]
    if any(column.kind in {"string", "boolean"} for column in columns):
        inputs = [(column.name, kinds[column.kind]([None, 1])) for column in columns]
    options = {id(estimator): {"zipmap": False}} if hasattr(estimator, "classes_") else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return convert_sklearn(
            estimator, "model", inputs, options=options, target_opset={"": 21, "ai.onnx.ml": 3}
        ).SerializeToString()


def iris():
    inputs, target = load_iris(return_X_y=True, as_frame=True)
    inputs.columns = ["sepal.length", "sepal.width", "petal.length", "petal.width"]
    return LogisticRegression(max_iter=500).fit(inputs, np.array(["Setosa", "Versicolor", "Virginica"])[target]), inputs


def mixed():
    count = 60
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "age": rng.integers(18, 80, count),
        "income": np.where(rng.random(count) < 0.2, np.nan, rng.normal(3e4, 1e4, count).round(2)),
        "city": pd.Series(rng.choice(["Oslo", "Rome", "Bonn"], count), dtype="str"),
        "plan": pd.Series(np.where(rng.random(count) < 0.2, None, rng.choice(["a", "b"], count)), dtype="str"),
        "member": rng.random(count) < 0.5,
    })  # fmt: skip
    frame["member"] = frame["member"].astype(bool)
    steps = ColumnTransformer([
        ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["age", "income"]),
        ("texts", OneHotEncoder(), ["city"]),
        ("missing", OneHotEncoder(handle_unknown="ignore"), ["plan"]),
        ("rest", "passthrough", ["member"]),
    ])  # fmt: skip
    target = (frame["age"] > 45).astype(int)
    return make_pipeline(steps, LogisticRegression()).fit(frame, target), frame


def cities():
    """A mixed model that converts: no missing texts."""
    _, frame = mixed()
    frame = frame.drop(columns="plan").astype({"age": "float64"})
    steps = ColumnTransformer([
        ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["age", "income"]),
        ("texts", OneHotEncoder(), ["city"]), ("rest", "passthrough", ["member"]),
    ])  # fmt: skip
    return make_pipeline(steps, LogisticRegression()).fit(frame, frame["member"].to_numpy()), frame


def text():
    texts = pd.Series(["good good film", "bad film", "good story", "bad bad story"] * 5, name="review", dtype="str")
    return make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, [1, 0, 1, 0] * 5), texts


def regression():
    inputs = np.arange(60, dtype=float).reshape(20, 3) ** 1.5
    return LinearRegression().fit(inputs, inputs @ [1.0, 2.0, 3.0]), inputs


def outputs():
    inputs = np.arange(60, dtype=float).reshape(20, 3) ** 1.5
    return LinearRegression().fit(inputs, inputs @ [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), inputs


MODELS = {"cities": cities, "iris": iris, "mixed": mixed, "text": text, "regression": regression, "outputs": outputs}
