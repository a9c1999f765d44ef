"""``./scripts/demo [worse]``: from a commit to a served model on this machine, with no cluster and no container engine.

Everything is done by the commands that a user has; each is shown before it runs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from catalog.tree import TREE

ROOT = TREE.root
SAMPLE = Path("pipeline/train-gate-build/0.1/samples/iris.yaml")
PROJECT = ROOT / "test" / "projects" / "iris"
STATE = ROOT / ".demo"
# Under this much regularization the same script trains a clearly worse model.
WORSE = ["C=0.001"]
READY_SECONDS = 60
# A commit's id covers its author and time: with these fixed, the same project is the same commit on every machine.
COMMITTER = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in
             {"NAME": "demo", "EMAIL": "demo@example.com", "DATE": "2026-01-01T00:00:00Z"}.items()}  # fmt: skip


class DemoError(Exception):
    """The demo can't go on, in one line."""


@dataclass(frozen=True)
class Digests:
    model: str
    image: str


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./scripts/demo", description=__doc__)
    parser.add_argument("case", nargs="?", choices=["worse"], help="train a worse model and watch the gate stop it")
    worse = parser.parse_args(argv).case == "worse"
    started = time.monotonic()
    try:
        with interruptible():
            return stopped_by_the_gate(started) if worse else served(started)
    except DemoError as error:
        print(f"demo: error: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return 130


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM ends the demo as Ctrl-C does, so that a started server never outlives it."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def served(started: float) -> int:
    project = fresh_project(STATE / "project")
    title("Train, gate, build")
    run = run_pipeline(project, [])
    if run["status"] != "Succeeded":
        raise DemoError("the run failed, see above")
    digests = Digests(run["results"]["model-digest"], run["results"]["image"].rpartition("@")[2])
    models = unpack_image(project / "image", digests.image)
    title("Serve what was built, and predict")
    request = json.dumps({"sepal.length": 6.1, "sepal.width": 2.8, "petal.length": 4.7, "petal.width": 1.2})
    predict(models, digests.model, request)
    title("Done")
    compare_with_previous(digests)
    print(f"took   {time.monotonic() - started:.1f} s\n")
    next_steps()
    return 0


def stopped_by_the_gate(started: float) -> int:
    project = fresh_project(STATE / "worse")
    title("The same script with hyperparameters that make it worse: " + " ".join(WORSE))
    run = run_pipeline(project, ["--param", f"hyperparameters={json.dumps(WORSE)}"])
    if run["status"] == "Succeeded":
        raise DemoError("the gate let a worse model through")
    if (project / "image").exists():
        raise DemoError("an image was built although the gate refused")
    title("Stopped: nothing was built")
    print(f"report  {shown(project / 'gate' / 'report.md')}\n")
    print((project / "gate" / "report.md").read_text().strip())
    print(f"\ntook    {time.monotonic() - started:.1f} s")
    return 10


def title(text: str) -> None:
    print(f"\n=== {text}", flush=True)


def shown(path: Path) -> str:
    """A path as the user would type it, from the folder they are in."""
    return os.path.relpath(path)


def fresh_project(directory: Path) -> Path:
    """The sample project as a new git checkout with one commit. Raises DemoError."""
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(PROJECT, directory, ignore=shutil.ignore_patterns("__pycache__"))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    quiet = {**clean, **COMMITTER, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for command in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "--no-gpg-sign", "-m", "Iris")):
        try:
            done = subprocess.run(
                ["git", *command], cwd=directory, env=quiet, capture_output=True, text=True, check=False
            )
        except FileNotFoundError:
            raise DemoError("there is no git on the PATH; install it") from None
        if done.returncode:
            raise DemoError(f"git {command[0]} failed: {done.stderr.strip()}")
    files = sorted(
        path.relative_to(directory).as_posix() for path in directory.rglob("*.*") if ".git" not in path.parts
    )
    title(f"A project in {shown(directory)}, which knows nothing of this catalog")
    print("\n".join(f"  {name}" for name in files), flush=True)
    return directory


def run_pipeline(project: Path, extra: list[str]) -> dict[str, Any]:
    """The outcome of the sample run as ``./scripts/run --results json`` gives it. Raises DemoError."""
    command = [shown(ROOT / SAMPLE), "--workspace", f"source={shown(project)}", *extra]
    print(f"$ ./scripts/run {shlex.join(command)}", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "catalog", "run", *command, "--results", "json"],
        stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    if not done.stdout.strip():
        raise DemoError("the run could not start, see above")
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


def unpack_image(layout: Path, digest: str) -> Path:
    """Unpacks the layout with every digest checked; gives the folder of the model in it."""
    from taskkit.errors import TaskError
    from taskkit.oci.layout import Layout
    from taskkit.oci.unpack import unpack

    root = STATE / "rootfs"
    try:
        unpack(Layout(layout), root, digest=digest, below="models")
    except TaskError as error:
        raise DemoError(str(error)) from error
    print(f"\nunpacked {shown(layout)} @ {digest[:19]}… to {shown(root)}, all digests checked")
    return root / "models"


def predict(models: Path, model_digest: str, body: str) -> None:
    """Starts the server on the unpacked model, sends one prediction, shows it, stops the server. Raises DemoError."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--model-dir", shown(models), "--model-digest", model_digest, "--host", "127.0.0.1", "--port", str(port)]
    print(f"$ model-server {shlex.join(options)}", flush=True)
    server = subprocess.Popen([TREE.environment("model-server") / "model-server", *options], start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(server, f"{url}/readyz")
        print(f"$ curl -s {url}/predict -H 'Content-Type: application/json' -d '{body}'", flush=True)
        request = urllib.request.Request(f"{url}/predict", body.encode(), {"Content-Type": "application/json"})  # noqa: S310
        with open_local(request) as answer:
            print(answer.read().decode().strip(), flush=True)
    finally:
        server.terminate()
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()


def open_local(request: urllib.request.Request | str) -> Any:
    """Without the proxies of the environment: the server is on this machine."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10)


def wait_until_ready(server: subprocess.Popen[bytes], url: str) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        if server.poll() is not None:
            raise DemoError(f"the server ended with exit code {server.returncode}, see above")
        try:
            with open_local(url):
                return
        except OSError:
            time.sleep(0.05)
    raise DemoError(f"the server was not ready within {READY_SECONDS} s")


def compare_with_previous(digests: Digests) -> None:
    """Says whether this run gave the digests of the one before, and remembers them."""
    memory = STATE / "digests.json"
    before = None
    with contextlib.suppress(OSError, ValueError, TypeError):
        before = Digests(**json.loads(memory.read_text()))
    memory.write_text(json.dumps(asdict(digests)))
    print(f"model  {digests.model}{_since(before.model if before else None, digests.model)}")
    print(f"image  {digests.image}{_since(before.image if before else None, digests.image)}")
    if before and before.model == digests.model and before.image != digests.image:
        print("       the same model on another base image, or by another version of this catalog")


def _since(before: str | None, now: str) -> str:
    return "" if before is None else "  same as last time" if before == now else "  CHANGED since last time"


def next_steps() -> None:
    models, project = shown(STATE / "rootfs" / "models"), shown(STATE / "project")
    print(f"""What to try next:
  ./scripts/demo                 again: the same digests
  ./scripts/demo worse           a worse model, stopped by the gate
  less {project}/gate/report.md
  {shown(TREE.environment("model-server"))}/model-server --explain --model-dir {models}
  ./scripts/run {SAMPLE} --workspace source=YOUR-PROJECT --param dataset=data/YOURS.csv
                                 your own train.py: see README.md""")
