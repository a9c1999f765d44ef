"""The servers that are compared: how each is started, asked, and known to be ready."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
OURS = ROOT / ".venvs" / "model-server" / "bin"
TRAIN = ROOT / ".venvs" / "sklearn-train" / "bin"
PEERS = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "sklearn-catalog" / "bench"
PEER_REQUIREMENTS = {
    # MLServer 1.7.1 does not start its worker under uvloop 0.22 and later.
    "mlserver": ["mlserver==1.7.1", "mlserver-sklearn==1.7.1", "uvloop<0.22"],
    "kserve": ["kserve==0.21.0", "joblib"],
}


@dataclass(frozen=True)
class TrainedModel:
    name: str
    folder: Path
    columns: tuple[dict[str, Any], ...]
    rows: tuple[tuple[Any, ...], ...]
    converted: bool

    def by_name(self, row: Sequence[Any]) -> dict[str, Any]:
        return {column["name"]: value for column, value in zip(self.columns, row, strict=True)}

    def batch(self, count: int) -> list[tuple[Any, ...]]:
        return [self.rows[at % len(self.rows)] for at in range(count)]


@dataclass(frozen=True)
class Contestant:
    name: str
    command: Callable[[TrainedModel, int, Path], Sequence[str | Path]]
    path: str
    probe: str
    body: Callable[[TrainedModel, Sequence[Sequence[Any]]], Any]
    """The request for some rows."""
    batches: bool = True
    what: str = ""
    needs: str = ""
    """The environment of a peer."""
    converted_only: bool = False
    only_for: str = ""
    """The one model for which it is asked; empty: all."""


def train(workspace: Path, name: str) -> TrainedModel:
    """By sklearn-train, as users do. Kept while the training script stays the same."""
    folder = workspace / name
    script = (HERE / "project" / "src" / "train.py").read_bytes()
    stamp = workspace / f"{name}.trained-by"
    if not stamp.exists() or stamp.read_bytes() != script:
        shutil.copytree(HERE / "project", workspace, dirs_exist_ok=True)
        subprocess.run([TRAIN / "sklearn-train", "--model-dir", name, "--", "--which", name,
                        "--model-path", "{model}", "--metrics-path", "{metrics}"],
                       cwd=workspace, check=True, stdout=subprocess.DEVNULL)  # fmt: skip
        stamp.write_bytes(script)
    manifest = json.loads((folder / "model.json").read_text())
    golden = json.loads((folder / "golden.json").read_text())
    return TrainedModel(name, folder, tuple(manifest["signature"]["columns"]), tuple(map(tuple, golden["rows"])),
                        manifest["onnx"]["status"] == "proved")  # fmt: skip


def _rows(model: TrainedModel, rows: Sequence[Sequence[Any]]) -> Any:
    """One row by name, as people write it; many as lists, as the peers get them."""
    return model.by_name(rows[0]) if len(rows) == 1 else {"rows": [list(row) for row in rows]}


_DATATYPES = {"number": "FP64", "integer": "INT64", "string": "BYTES", "boolean": "BOOL"}


def _tensors(model: TrainedModel, rows: Sequence[Sequence[Any]]) -> Any:
    """One tensor per column, or one matrix where all columns are numbers; only that is what MLServer takes unasked."""
    if all(column["kind"] == "number" for column in model.columns):
        flat = [value for row in rows for value in row]
        return {
            "inputs": [{"name": "input-0", "shape": [len(rows), len(model.columns)], "datatype": "FP64", "data": flat}]
        }
    return {
        "parameters": {"content_type": "pd"},
        "inputs": [
            {"name": column["name"], "shape": [len(rows), 1], "datatype": _DATATYPES[column["kind"]],
             "data": list(values), **({"parameters": {"content_type": "str"}} if column["kind"] == "string" else {})}
            for column, values in zip(model.columns, zip(*rows, strict=True), strict=True)
        ],
    }  # fmt: skip


def _instances(model: TrainedModel, rows: Sequence[Sequence[Any]]) -> Any:
    if all(column["kind"] == "number" for column in model.columns):
        return {"instances": [list(row) for row in rows]}
    return {"instances": [model.by_name(row) for row in rows]}


def _ours(*more: str) -> Callable[[TrainedModel, int, Path], Sequence[str | Path]]:
    def command(model: TrainedModel, port: int, scratch: Path) -> Sequence[str | Path]:
        return [OURS / "model-server", "--model-dir", model.folder, "--host", "127.0.0.1", "--port", str(port), *more]

    return command


def _uvicorn(app: str, *more: str) -> Callable[[TrainedModel, int, Path], Sequence[str | Path]]:
    def command(model: TrainedModel, port: int, scratch: Path) -> Sequence[str | Path]:
        return [OURS / "python", "-m", "uvicorn", app, "--app-dir", HERE, "--port", str(port), "--no-access-log", *more]

    return command


def _mlserver(model: TrainedModel, port: int, scratch: Path) -> Sequence[str | Path]:
    settings = {"http_port": port, "grpc_port": free_port(), "metrics_port": free_port(), "debug": False,
                "host": "127.0.0.1"}  # fmt: skip
    served = {"name": "model", "implementation": "mlserver_sklearn.SKLearnModel",
              "parameters": {"uri": str(model.folder / "model.pkl")}}  # fmt: skip
    (scratch / "settings.json").write_text(json.dumps(settings))
    (scratch / "model-settings.json").write_text(json.dumps(served))
    (scratch / "logging.conf").write_text("")
    return [PEERS / "mlserver" / "bin" / "mlserver", "start", scratch]


def _kserve(model: TrainedModel, port: int, scratch: Path) -> Sequence[str | Path]:
    return [PEERS / "kserve" / "bin" / "python", HERE / "kserve_model.py"]


CONTESTANTS = (
    Contestant("ours /predict", _ours(), "/predict", "/readyz", _rows, what="labels and probabilities"),
    Contestant("ours /v2", _ours(), "/v2/models/model/infer", "/readyz", _tensors, what="labels and probabilities"),
    Contestant("ours v1", _ours(), "/v1/models/model:predict", "/readyz", _instances, what="labels", only_for="M1"),
    Contestant("ours, 2 workers", _ours("--workers", "2"), "/predict", "/readyz", _rows, batches=False,
               what="labels and probabilities", only_for="M5"),
    Contestant("ours, scikit-learn", _ours("--engine", "sklearn"), "/predict", "/readyz", _rows,
               what="labels and probabilities", converted_only=True, only_for="M3"),
    Contestant("recipe", _uvicorn("recipe:app", "--loop", "asyncio", "--http", "h11"), "/predict", "/health",
               _rows, batches=False, what="labels and probabilities"),
    Contestant("bare ONNX", _uvicorn("bare_onnx:app", "--loop", "uvloop", "--http", "httptools"), "/predict", "/health",
               _rows, batches=False, what="nothing but the arithmetic", converted_only=True),
    Contestant("MLServer", _mlserver, "/v2/models/model/infer", "/v2/models/model/ready", _tensors, what="labels",
               needs="mlserver"),
    Contestant("KServe", _kserve, "/v1/models/model:predict", "/v1/models/model", _instances, what="labels",
               needs="kserve"),
)  # fmt: skip


def make_peer(name: str, scikit_learn: str) -> None:
    """An environment of its own for a peer, from the package index that pip is set to; kept."""
    sys.path.insert(0, str(ROOT / "scripts"))
    from catalog.environments import uv

    python = PEERS / name / "bin" / "python"
    if python.exists():
        return
    uv("venv", "--quiet", "--clear", "--python", sys.executable, PEERS / name)
    uv("pip", "install", "--quiet", "--compile-bytecode", "--python", python, f"scikit-learn=={scikit_learn}",
       *PEER_REQUIREMENTS[name])  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Running:
    contestant: Contestant
    model: TrainedModel
    port: int
    process: subprocess.Popen[bytes]
    start_seconds: float
    idle_bytes: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.contestant.path}"


@contextmanager
def running(contestant: Contestant, model: TrainedModel, scratch: Path) -> Iterator[Running]:
    """A started server that answered its first prediction."""
    port = free_port()
    scratch.mkdir(parents=True)
    log = (scratch / "log").open("wb")
    began = time.perf_counter()
    environment = {**os.environ, "MODEL_DIR": str(model.folder), "HTTP_PORT": str(port), "OMP_NUM_THREADS": "1",
                   "OPENBLAS_NUM_THREADS": "1", "NO_PROXY": "*"}  # fmt: skip
    process = subprocess.Popen(contestant.command(model, port, scratch), env=environment, cwd=scratch, stdout=log,
                               stderr=subprocess.STDOUT, start_new_session=True)  # fmt: skip
    try:
        _await_ready(contestant, model, port, process, scratch)
        yield Running(contestant, model, port, process, time.perf_counter() - began, memory_of(process.pid))
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _await_ready(
    contestant: Contestant, model: TrainedModel, port: int, process: subprocess.Popen[bytes], scratch: Path
) -> None:
    until = time.monotonic() + 90
    while True:
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"{contestant.name} did not start: {(scratch / 'log').read_text()[-800:]}")
        try:
            status, _ = ask(f"http://127.0.0.1:{port}{contestant.probe}")
            if status == 200:
                break
        except OSError:
            pass
        time.sleep(0.02)
    status, body = ask(f"http://127.0.0.1:{port}{contestant.path}", contestant.body(model, model.rows[:1]))
    if status != 200:
        raise RuntimeError(f"{contestant.name} answered {status}: {body[:300]!r}")


def ask(url: str, document: Any = None) -> tuple[int, bytes]:
    data = json.dumps(document).encode() if document is not None else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(one for child in children for one in family(int(child)))]


def memory_of(pid: int) -> int:
    """Resident memory of a process and its descendants, in bytes."""
    total = 0
    for one in family(pid):
        try:
            pages = int(Path(f"/proc/{one}/statm").read_text().split()[1])
        except (OSError, IndexError):
            continue
        total += pages * os.sysconf("SC_PAGE_SIZE")
    return total


def processor_seconds(pid: int) -> float:
    total = 0.0
    for one in family(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total
