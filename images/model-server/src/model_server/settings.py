"""The command line and the environment, as one frozen value."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from model_server import __version__
from model_server.loading import ENGINES
from taskkit.environment import describe_environment
from taskkit.errors import UsageError

DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
ROUTE = re.compile(r"(?:/[A-Za-z0-9._~:@-]+)+")
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Settings:
    model_dir: Path
    model_digest: str | None
    """``sha256:<hex>`` that model.json must have; None: not known, files are only checked against model.json."""
    model_name: str
    model_init_mode: str
    """``sync``, or ``async`` for a model that may come later."""
    app: str
    """``file.py:attribute`` of the user's own application; empty: serve the model."""
    host: str
    port: int
    golden_check: str
    """``fail`` or ``warn``."""
    threads: int | None
    """Predictions at the same time; None: one per usable processor."""
    workers: int
    """Processes."""
    max_body: int
    """Bytes."""
    max_waiting: int
    """Requests that may wait for a prediction; further ones are refused with a 503."""
    time_limit: float
    """Seconds after which a request that is answered in a thread is given up with a 504."""
    engine: str
    """``auto``, ``onnx`` or ``sklearn``."""
    predict_route: str
    """Path of V1 predict, empty or as Vertex AI names it; wins over a path of the server's own."""
    health_route: str
    """Path of a readiness probe, likewise. Another one than ``predict_route``."""
    drain_delay: float
    """Seconds in which requests are still accepted after SIGTERM, while /readyz already says no."""
    drain_timeout: float
    """Seconds for requests in flight to end."""
    explain: bool
    debug: bool


@dataclass(frozen=True)
class _Option:
    name: str
    environment: tuple[str, ...]
    default: str
    help: str


OPTIONS = (
    _Option("model-dir", ("MODEL_DIR",), "/models", "the model directory"),
    _Option("model-digest", ("MODEL_DIGEST",), "", "digest that model.json must have: sha256:<hex>"),
    _Option("model-name", ("MODEL_NAME",), "model", "name of the model in /v2/models/<name>"),
    _Option("model-init-mode", ("MODEL_INIT_MODE",), "sync", "async: wait for a model that comes later, as in KServe"),
    _Option("app", ("APP",), "", "the user's own ASGI application to hand over to, for example src/serve.py:app"),
    _Option("host", (), "0.0.0.0", "address to listen on"),  # noqa: S104  a container's server is there for others
    _Option("port", ("PORT", "AIP_HTTP_PORT"), "8080", "port to listen on; 0 takes a free one"),
    _Option("golden-check", ("GOLDEN_CHECK",), "fail", "fail: not ready unless golden rows replay; warn: only say so"),
    _Option("threads", ("THREADS",), "", "predictions at the same time; one per processor if not given"),
    _Option("workers", ("WORKERS",), "1", "processes, each with the model in it; connections are spread evenly"),
    _Option("max-body", ("MAX_BODY",), "16", "largest request body in MiB"),
    _Option("max-waiting", ("MAX_WAITING",), "1000", "requests that may wait; further ones are refused (503)"),
    _Option("time-limit", ("TIME_LIMIT",), "60", "seconds after which a prediction is given up (504)"),
    _Option("engine", ("ENGINE",), "auto", "onnx: only ONNX Runtime; sklearn: only scikit-learn; auto: what is faster"),
    _Option("predict-route", ("AIP_PREDICT_ROUTE",), "", "path for V1 predict requests, before the server's own"),
    _Option("health-route", ("AIP_HEALTH_ROUTE",), "", "path for readiness, likewise"),
    _Option("drain-delay", ("DRAIN_DELAY",), "0", "seconds after SIGTERM in which requests are still accepted"),
    _Option("drain-timeout", ("DRAIN_TIMEOUT",), "25", "seconds for requests in flight to end"),
)  # fmt: skip


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, f"see `{self.prog} --help`")


class _VersionAction(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        print(f"{parser.prog} {__version__}\n{describe_environment()}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="model-server", description="Serves a model directory over HTTP.", allow_abbrev=False)
    for option in OPTIONS:
        sources = [*(f"${name}" for name in option.environment), *([option.default] if option.default else [])]
        shown = f" (default: {', else '.join(sources)})" if sources else ""
        parser.add_argument(f"--{option.name}", metavar="VALUE", help=option.help + shown)
    parser.add_argument("--explain", action="store_true", help="print the trail from the image to the data, and end")
    parser.add_argument("--debug", action="store_true", help="show tracebacks of errors on stderr")
    parser.add_argument("--version", action=_VersionAction, nargs=0, help="version, environment")
    return parser


def read_settings(argv: Sequence[str], environ: Mapping[str, str] = os.environ) -> Settings:
    """Options first, then the environment, then defaults; empty means not given. Raises UsageError."""
    own = argv[1:] if argv[:1] == ["serve"] else argv  # SageMaker: docker run IMAGE serve
    given = vars(_parser().parse_args(own))
    values: dict[str, str] = {}
    for option in OPTIONS:
        candidates = (given[option.name.replace("-", "_")], *(environ.get(name) for name in option.environment))
        values[option.name] = next((value for value in candidates if value), option.default)
    if values["predict-route"] and values["predict-route"] == values["health-route"] and not values["app"]:
        raise UsageError(f"health-route is '{values['health-route']}', and so is predict-route", "give two paths")
    return Settings(
        model_dir=Path(values["model-dir"]),
        model_digest=_digest(values["model-digest"]),
        model_name=_model_name(values["model-name"]),
        model_init_mode=_one_of("model-init-mode", values["model-init-mode"], ("sync", "async")),
        app=values["app"],
        host=values["host"],
        port=int(_number("port", values["port"], 0, 65535, whole=True)),
        golden_check=_one_of("golden-check", values["golden-check"], ("fail", "warn")),
        threads=int(_number("threads", values["threads"], 1, 1024, whole=True)) if values["threads"] else None,
        workers=int(_number("workers", values["workers"], 1, 256, whole=True)),
        max_body=int(_number("max-body", values["max-body"], 0.001, 4096) * MEBIBYTE),
        max_waiting=int(_number("max-waiting", values["max-waiting"], 1, 1_000_000, whole=True)),
        time_limit=_number("time-limit", values["time-limit"], 0.01, 86400),
        engine=_one_of("engine", values["engine"], ENGINES),
        predict_route=_route("predict-route", values["predict-route"]),
        health_route=_route("health-route", values["health-route"]),
        drain_delay=_number("drain-delay", values["drain-delay"], 0, 3600),
        drain_timeout=_number("drain-timeout", values["drain-timeout"], 0, 3600),
        explain=given["explain"],
        debug=given["debug"],
    )


def _digest(value: str) -> str | None:
    if not value:
        return None
    match = DIGEST.fullmatch(value)
    if not match:
        raise UsageError(f"model-digest is '{value}'", "it must be sha256:<64 hex digits>")
    return f"sha256:{match[1]}"


def _model_name(value: str) -> str:
    if not MODEL_NAME.fullmatch(value):
        raise UsageError(f"model-name is '{value}'", "it may hold letters, digits, '.', '_' and '-'")
    return value


def _route(name: str, value: str) -> str:
    if value and not ROUTE.fullmatch(value):
        raise UsageError(f"{name} is '{value}'", "it must be a path such as /predict, without a query or escapes")
    return value


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise UsageError(f"{name} is '{value}'", f"it takes one of: {', '.join(choices)}")
    return value


def _number(name: str, value: str, least: float, most: float, *, whole: bool = False) -> float:
    try:
        number = float(int(value)) if whole else float(value)
    except ValueError:
        number = float("nan")
    if not least <= number <= most:
        what = "a whole number" if whole else "a number"
        raise UsageError(f"{name} is '{value}'", f"it must be {what} from {least:g} to {most:g}")
    return number
