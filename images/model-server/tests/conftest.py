"""Model directories as sklearn-train leaves them, made from small fitted estimators; a real server process; an in-process client."""

import asyncio
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("OMP_NUM_THREADS", "1")  # many small models: threads would only wait for each other

import joblib
import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from model_server.answering import Answering, Pace
from model_server.checked_files import check_files
from model_server.engine import Answers
from model_server.exchange import Asked
from model_server.front import Draining, Front, Get, Post
from model_server.loading import load_model
from model_server.measured_pace import measured_pace
from model_server.metrics import Metrics
from model_server.model_service import model_application
from model_server.refusals import Reply
from model_server.settings import read_settings
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


@pytest.fixture(scope="session")
def fitted():
    """Estimator and training input by the name of a model; fitted once."""
    known = {}

    def get(name):
        if name not in known:
            known[name] = MODELS[name]()
        return known[name]

    return get


@pytest.fixture(scope="session")
def model_dir(fitted, tmp_path_factory):
    """The directory of a model by its name; made once, so it may not be changed."""
    known = {}

    def get(name):
        if name not in known:
            estimator, inputs = fitted(name.partition("-")[0])
            way = name.partition("-")[2]
            if way == "unsigned":  # fitted on an array, so that not even the estimator knows the names
                estimator = clone(estimator).fit(inputs.to_numpy(), estimator.predict(inputs))
            known[name] = write_model(
                tmp_path_factory.mktemp(name) / "model",
                estimator,
                inputs,
                signature=way != "unsigned",
                onnx=way == "onnx",
            )
        return known[name]

    return get


@pytest.fixture
def make_model(fitted, tmp_path):
    """Writes a model directory of one's own by the name of a model; options are those of write_model."""

    def make(name="iris", **options):
        estimator, inputs = fitted(name)
        estimator, inputs = options.pop("estimator", estimator), options.pop("inputs", inputs)
        return write_model(tmp_path / "model", estimator, inputs, **options)

    return make


class Answer(SimpleNamespace):
    @property
    def document(self):
        return json.loads(self.body)


class Client:
    """Speaks to an ASGI application without a network."""

    def __init__(self, application):
        self.application = application

    def request(self, method, path, body=b"", headers=None, chunks=None):
        async def exchange():
            parts = [body] if chunks is None else list(chunks)
            sent = []

            async def receive():
                return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

            async def send(message):
                sent.append(message)

            given = {"content-type": "application/json"} if headers is None and method == "POST" else headers or {}
            scope = {
                "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
                "raw_path": path.encode(), "query_string": b"", "root_path": "", "scheme": "http",
                "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
                "server": ("testserver", 80), "client": ("testclient", 1),
            }  # fmt: skip
            await self.application(scope, receive, send)
            return sent

        start, *rest = asyncio.run(exchange())
        return Answer(
            status=start["status"],
            headers={name.decode(): value.decode() for name, value in start["headers"]},
            body=b"".join(part.get("body", b"") for part in rest),
        )

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, document, **options):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.request("POST", path, body, **options)

    def predict(self, document):
        return self.post("/predict", document)

    def infer(self, document):
        return self.post("/v2/models/model/infer", document)


class Bodies:
    """A protocol whose rows are the body itself."""

    def __init__(self, write=None):
        self._write = write

    def read(self, body):
        return Asked([body], True, False)

    def write(self, asked, answers):
        return Reply(200, b"{}") if self._write is None else self._write(answers)


class Function:
    """An engine that is a function of rows."""

    name, labels, gives_probabilities = "function", None, False

    def __init__(self, function):
        self._function = function

    def answer(self, rows, *, predictions=True, probabilities=True):
        return Answers(self._function(rows), None)


def make_front(function, threads=1, pace=None, **options):
    """A front whose only model is a function of rows, each of them a body."""

    async def nothing(scope, receive, send):
        raise AssertionError("not asked")

    answering = Answering(
        Function(function), pace or Pace(), ThreadPoolExecutor(threads), threads=threads,
        **{"most_waiting": 10, "time_limit": 20, **options},
    )  # fmt: skip
    live = Reply(200, b"{}")
    return Front(
        {"/predict": Post("predict", Bodies())}, {"/livez": Get("health", lambda: live)}, nothing,
        answering=answering, metrics=Metrics(["predict", "health"], None, {}), max_body=1000, draining=Draining(),
    )  # fmt: skip


@pytest.fixture
def front_of():
    """A front whose model is a function."""
    return make_front


def client_of(directory, *options):
    settings = read_settings(["--model-dir", str(directory), *options], {})
    loaded = load_model(check_files(directory, None), golden_check=settings.golden_check, engine=settings.engine)
    client = Client(None)
    client.draining, client.loaded = Draining(), loaded
    client.application = model_application(
        loaded, settings, client.draining, ThreadPoolExecutor(2), threads=2, pace=measured_pace(loaded)
    )
    return client


@pytest.fixture(scope="session")
def client(model_dir):
    """A client of a model by its name, in this process."""
    known = {}

    def get(name, *options):
        if (name, options) not in known:
            known[name, options] = client_of(model_dir(name), *options)
        return known[name, options]

    return get


@pytest.fixture
def describe():
    """The signature of an estimator that was fitted on an input."""
    return signature_of


@pytest.fixture
def own_client():
    return client_of


class ServerProcess:
    """``model-server`` as its users run it. ``output`` and ``errors`` are the lines so far."""

    def __init__(self, *options, environment=None, cwd=None):
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("MODEL_", "AIP_", "GOLDEN"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "model_server", "--host", "127.0.0.1", "--port", "0", *options], cwd=cwd,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**clean, "APP": "", **(environment or {})},
        )  # fmt: skip
        self.output, self.errors, self._new = [], [], queue.Queue()
        self._threads = [threading.Thread(target=self._read, args=pair, daemon=True) for pair in
                         ((self.process.stdout, self.output), (self.process.stderr, self.errors))]  # fmt: skip
        for thread in self._threads:
            thread.start()

    def _read(self, stream, lines):
        for line in stream:
            lines.append(line.rstrip("\n"))
            self._new.put(lines[-1])
        self._new.put(None)

    def line_with(self, text):
        """Waits for a line that holds a text."""
        while text not in (line := self._new.get(timeout=30) or ""):
            assert self.process.poll() is None, (self.output, self.errors)
        return line

    def ready(self):
        """Waits until requests are answered."""
        self.url = self.line_with("ready: ").rpartition(" ")[2]
        return self

    def get(self, path, body=None, headers=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, headers or {"Content-Type": "application/json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=20) as answer:
                return Answer(status=answer.status, headers=dict(answer.headers), body=answer.read())
        except urllib.error.HTTPError as error:
            return Answer(status=error.code, headers=dict(error.headers), body=error.read())

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.wait()

    def wait(self):
        code = self.process.wait(timeout=30)
        for thread in self._threads:
            thread.join(10)
        return code


@pytest.fixture
def start():
    """Starts servers that end with the test."""
    servers = []

    def begin(*options, **more):
        servers.append(ServerProcess(*options, **more))
        return servers[-1]

    yield begin
    for server in servers:
        if server.process.poll() is None:
            server.process.kill()
        server.wait()
        server.process.stdout.close()
        server.process.stderr.close()


@pytest.fixture(scope="session")
def iris_server(model_dir):
    """One served iris model for all tests that only ask."""
    server = ServerProcess("--model-dir", str(model_dir("iris"))).ready()
    yield server
    server.stop()
