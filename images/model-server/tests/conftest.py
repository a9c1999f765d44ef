"""A real server process, an in-process client, and models for them."""

import asyncio
import importlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("OMP_NUM_THREADS", "1")  # many small models: threads would only wait for each other

import numpy as np
import pytest
from sklearn.base import clone

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

sys.path.insert(0, str(Path(__file__).parent))
from slow_models import SLOW, make_wheel
from small_models import MODELS, column_of, container_of, converted, plain_rows, signature_of, write_model  # noqa: F401

PATIENCE = 180
"""Seconds until a server says something, on a machine that is busy with a lot else."""


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
        while text not in (line := self._new.get(timeout=PATIENCE) or ""):
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
            with opener.open(request, timeout=PATIENCE) as answer:
                return Answer(status=answer.status, headers=dict(answer.headers), body=answer.read())
        except urllib.error.HTTPError as error:
            return Answer(status=error.code, headers=dict(error.headers), body=error.read())

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.wait()

    def wait(self):
        code = self.process.wait(timeout=PATIENCE)
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


@pytest.fixture
def slow_model(tmp_path, make_model, monkeypatch):
    """A model of the project's own class in code/, which imports a distribution that lies in wheels/ only."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "factor.py").write_text("FACTOR = 2.0\n")
    (project / "slow.py").write_text(SLOW)
    monkeypatch.syspath_prepend(project)
    slow = importlib.import_module("slow")
    inputs = np.array([[0.0, 1.0], [0.01, 2.0], [0.0, 3.0]])
    estimator = slow.SlowRegression().fit(inputs, [1.0, 2.0, 3.0])
    files = {
        "code/slow.py": SLOW,
        "wheels/factor-1.0-py3-none-any.whl": make_wheel(tmp_path, "factor", "FACTOR = 2.0\n"),
    }
    yield make_model(
        estimator=estimator, inputs=inputs, files=files, golden=2, project_globals=("slow.SlowRegression",)
    )
    for name in ("slow", "factor"):
        sys.modules.pop(name, None)
