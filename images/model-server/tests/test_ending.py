"""Servers as processes with a project's own code, wheels, or application; and how they end."""

import contextlib
import http.client
import signal
import sys
import threading
import time

import pytest

from model_server.checked_files import check_files
from model_server.command import main
from model_server.scratch import Scratch
from model_server.user_application import working_directory


def asked_in_background(server, body):
    """Sends a prediction from another thread; gives the thread and the list that its answer comes into."""
    answers = []

    def ask():
        with contextlib.suppress(OSError, http.client.HTTPException):  # the server ends first
            answers.append(server.get("/predict", body))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    return thread, answers


def wait_until_refused(server):
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            server.get("/livez")
        except OSError:
            return
        time.sleep(0.02)
    raise AssertionError("the socket is still open")


def test_sigterm_makes_it_not_ready_then_drains_then_ends_with_0(start, slow_model):
    server = start("--model-dir", str(slow_model), "--drain-delay", "1.5", "--model-name", "slow").ready()
    assert "ready: slow sha256:" in server.output[0]
    assert "2 golden rows replayed" in server.output[0]
    assert server.get("/predict", [0, 2]).document["predictions"] == [pytest.approx(4.0)]
    thread, answers = asked_in_background(server, [2.2, 2])
    time.sleep(0.2)
    server.process.send_signal(signal.SIGTERM)
    server.line_with("SIGTERM: not ready any more, draining")
    assert server.get("/readyz").status == 503
    assert server.get("/livez").status == 200
    assert server.get("/predict", [0, 2]).status == 200
    wait_until_refused(server)
    assert server.wait() == 0
    thread.join(5)
    assert answers[0].document["predictions"] == [pytest.approx(4.0)]
    assert server.errors == [
        "model-server: warning: no model digest was given, so files were checked against model.json only; set MODEL_DIGEST"
    ]
    assert sorted(path.name for path in (slow_model / "code").iterdir()) == ["slow.py"]


def test_a_prediction_that_never_ends_holds_up_neither_a_second_signal_nor_the_drain_timeout(
    start, slow_model, tmp_path
):
    model = ("--model-dir", str(slow_model))
    tmp = {"TMPDIR": str(tmp_path)}
    patient, short = start(*model, environment=tmp), start(*model, "--drain-timeout", "1", environment=tmp)
    answers = [asked_in_background(server.ready(), [150, 2]) for server in (patient, short)]
    time.sleep(0.3)
    began = time.monotonic()
    for server in (patient, short):
        server.process.send_signal(signal.SIGINT)
        server.line_with("SIGINT: not ready any more, draining")
    assert patient.stop(signal.SIGTERM) == 128 + signal.SIGTERM
    assert short.wait() == 0
    assert time.monotonic() - began < 150
    assert short.errors[1:] == [
        "model-server: warning: 1 predictions did not end within 1 s, ended without them",
    ]
    assert not list(tmp_path.glob("model-server-*"))
    thread, received = answers[1]
    thread.join(5)
    [answer] = received
    assert (answer.status, answer.headers["retry-after"], answer.document) == (
        503, "1", {"error": "the server ended before this request was done; send it again"}
    )  # fmt: skip


SERVE = """
from contextlib import asynccontextmanager
import os
import joblib
from fastapi import FastAPI
from pydantic import BaseModel
from .rounding import DIGITS
import helping

model = joblib.load("model.pkl")

@asynccontextmanager
async def lifespan(app):
    print("lifespan began", flush=True)
    yield
    print("lifespan ended", flush=True)

app = FastAPI(lifespan=lifespan)
number = 5

class Flower(BaseModel):
    sepal_length: float

@app.get("/health")
def health():
    return {"status": "ok", "files": sorted(os.listdir()), "helped": helping.HELPED}

@app.post("/predict")
def predict(flower: Flower):
    import pandas as pd
    row = pd.DataFrame([[flower.sepal_length, 3.0, 4.0, 1.0]], columns=model.feature_names_in_)
    return {"variety": model.predict(row)[0], "sure": round(float(model.predict_proba(row).max()), DIGITS)}
"""
FAILING = """
from contextlib import asynccontextmanager
from fastapi import FastAPI

@asynccontextmanager
async def lifespan(app):
    raise RuntimeError("no database")
    yield

app = FastAPI(lifespan=lifespan)
"""
APP_FILES = {
    "code/src/serve.py": SERVE,
    "code/src/rounding.py": "DIGITS = 3\n",
    "code/helping.py": "HELPED = True\n",
    "code/src/failing.py": FAILING,
    "code/src/ending.py": "raise SystemExit(0)\n",
    "code/src/broken.py": "import not_installed_anywhere\n",
}


def test_the_users_own_application_is_served_with_the_model_under_its_own_name(start, make_model, tmp_path):
    model = make_model(files=APP_FILES, model_file="model.joblib", original_name="model.pkl")
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "src").mkdir(parents=True)
    (elsewhere / "src" / "serve.py").write_text("raise SystemExit('nobody vouches for this file')")
    server = start("--model-dir", str(model), environment={"APP": "src/serve.py:app"}, cwd=elsewhere).ready()
    assert server.get("/health").document == {
        "status": "ok",
        "files": ["helping.py", "model.pkl", "src"],
        "helped": True,
    }
    assert server.get("/predict", {"sepal_length": 5.0}).document["variety"] in {"Setosa", "Versicolor", "Virginica"}
    assert server.get("/predict", {}).status == 422
    offer = {"Content-Type": "application/json", "Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c"}
    assert "variety" in server.get("/predict", {"sepal_length": 5.0}, offer).document
    assert server.stop() == 0
    assert [line for line in server.output if line.startswith("lifespan")] == ["lifespan began", "lifespan ended"]
    assert len(server.errors) == 1
    assert "no model digest was given" in server.errors[0]


def test_the_folder_that_an_image_prepared_is_used_as_it_is_and_no_other(make_model, tmp_path, monkeypatch):
    checked = check_files(make_model(files=APP_FILES), None)
    app = tmp_path / "app"
    for name in checked.manifest.files:
        link = app / name.removeprefix("code/")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(checked.directory / name)
    monkeypatch.chdir(app)
    with Scratch() as scratch:
        assert working_directory(checked, scratch) == app
        assert scratch._made is None  # a read-only container with no writable folder is enough
    (app / "helping.py").unlink()
    (app / "helping.py").write_text("HELPED = 'by somebody else'")
    with Scratch() as scratch:
        made = working_directory(checked, scratch)
        assert made == scratch.directory / "app"
        assert (made / "helping.py").read_text() == APP_FILES["code/helping.py"]
    assert not made.exists()


@pytest.mark.parametrize(
    ("app", "code", "said"),
    [
        ("src/other.py:app", 2, "app is 'src/other.py:app', but the model was trained without src/other.py (code: helping.py"),
        ("src/serve.py:number", 2, "'number' in src/serve.py is int, not an ASGI application"),
        ("src/serve.py:application", 2, "src/serve.py has no 'application'"),
        ("src/failing.py:app", 3, "the application's start-up failed, see above; try it with uvicorn alone"),
        ("src/ending.py:app", 3, "importing src/ending.py raised SystemExit: 0"),
        ("src/broken.py:app", 3, "importing src/broken.py raised ModuleNotFoundError: No module named 'not_installed_anywhere'"),
    ],
)  # fmt: skip
def test_an_application_that_can_not_be_served_is_told_in_one_line(make_model, capsys, monkeypatch, app, code, said):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(".")
    loaded = set(sys.modules)
    try:
        model = make_model(files=APP_FILES)
        assert main(["--model-dir", str(model), "--app", app, "--host", "127.0.0.1", "--port", "0"]) == code
    finally:
        for name in set(sys.modules) - loaded:
            if name.partition(".")[0] in {"src", "helping"} or name.startswith("served_"):
                del sys.modules[name]
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"model-server: error: {said}")
