"""A loaded model behind HTTP: which path is answered by what."""

from __future__ import annotations

import gc
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from model_server.answering import Answering, Pace
from model_server.checked_files import check_files
from model_server.cpu_limits import usable_processors
from model_server.engine import Answers
from model_server.exchange import Asked
from model_server.freed_memory import keep_freed_memory
from model_server.front import AsgiApplication, Deferred, Draining, Front, Get, Post
from model_server.instance_protocol import InstanceProtocol
from model_server.invocation_protocol import CsvAnswers, CsvProtocol, InvocationProtocol
from model_server.loading import LoadedModel, load_model
from model_server.measured_pace import measured_pace
from model_server.metrics import MEDIA_TYPE, Metrics, process_gauges, ready_gauges, slot_count
from model_server.refusals import Refusal, Reply
from model_server.row_protocol import RowProtocol
from model_server.scratch import Scratch
from model_server.serving import end_at_once, serve, source_of, tell_ready
from model_server.settings import Settings
from model_server.tensor_metadata import ModelMetadata, metadata_of
from model_server.tensor_protocol import TensorProtocol
from model_server.warning_lines import warn, warn_unless_given, warning_line
from model_server.worker_channel import WorkerPlace, shared_memory
from taskkit.errors import EXIT_DONE

SWITCH = 0.001
"""Seconds after which a thread that predicts in Python gives way to the event loop: health answers wait for that."""
GARBAGE = 10_000
"""New objects after which Python looks for cycles; a batch of rows has thousands, and no cycles."""
NO_SIGNATURE = "send plain arrays to {infer}, or train again with an input example (param input-example)"


def serve_model(settings: Settings, scratch: Scratch, *, threads: int, place: WorkerPlace | None = None) -> None:
    """Checks, loads and serves until a signal. ``place``: as one of several workers. Raises TaskError."""
    warnings.showwarning = warning_line
    sys.setswitchinterval(SWITCH)
    loading_since = time.monotonic()
    with source_of(settings, place) as source:
        checked = check_files(settings.model_dir.absolute(), settings.model_digest)

        def prepare_imports() -> None:
            from model_server.import_paths import add_project_paths

            add_project_paths(checked.directory, scratch)

        loaded = load_model(checked, golden_check=settings.golden_check, engine=settings.engine,
                            prepare_imports=prepare_imports)  # fmt: skip
        draining = Draining()
        executor = ThreadPoolExecutor(threads, thread_name_prefix="predict")
        front = model_application(loaded, settings, draining, executor, threads=threads, pace=measured_pace(loaded),
                                  loading_since=loading_since, place=place)  # fmt: skip
        what = f"{settings.model_name} {checked.digest}, {loaded.replayed} golden rows replayed, {loaded.engine.name}"

        def ready() -> None:
            # What is loaded stays: it is not looked through again for cycles, which would hold up requests.
            gc.freeze()
            gc.set_threshold(GARBAGE)
            keep_freed_memory()
            if place is None or place.index == 0:
                warn_unless_given(settings.model_digest)
                for text in loaded.warnings:
                    warn(text)
            tell_ready(source, what)

        serve(front, source, draining=draining, drain_delay=settings.drain_delay,
              drain_timeout=settings.drain_timeout, when_ready=ready)  # fmt: skip
        executor.shutdown(wait=False, cancel_futures=True)
        if predicting := front.answering.predicting:
            warn(f"{predicting} predictions did not end within {settings.drain_timeout:g} s, ended without them")
            end_at_once(EXIT_DONE)


def model_application(
    loaded: LoadedModel, settings: Settings, draining: Draining, executor: ThreadPoolExecutor, *,
    threads: int = 1, pace: Pace | None = None, loading_since: float | None = None, place: WorkerPlace | None = None,
) -> Front:  # fmt: skip
    """The whole ASGI application of a model."""
    name, signature = settings.model_name, loaded.checked.manifest.signature
    metadata = metadata_of(name, loaded, predict_route=settings.predict_route, health_route=settings.health_route)
    workers = place.count if place is not None else 1
    answering = Answering(
        loaded.engine, pace or Pace(), executor, threads=threads, most_waiting=settings.max_waiting,
        time_limit=settings.time_limit, spare_processor=usable_processors() > workers, debug=settings.debug,
    )  # fmt: skip
    posts = _posts(loaded, metadata, settings)
    gets = _probes(loaded, name, draining, metadata)
    routes = sorted({post.name for post in posts.values()} | {get.name for get in gets.values()} | {"metrics", "page"})
    labels = signature.outputs.labels if signature is not None else None
    metrics = Metrics(
        routes, labels,
        {"model": name, "version": metadata.version, "digest": loaded.checked.digest, "engine": loaded.engine.name},
        {"golden_rows_replayed": loaded.replayed, "golden_check_passed": float(loaded.replayed > 0), "workers": workers,
         **ready_gauges(loading_since if loading_since is not None else time.monotonic())},
        memory=shared_memory(place, workers * slot_count(routes, labels) * 8) if place is not None else None,
        worker=place.index if place is not None else 0, workers=workers,
    )  # fmt: skip

    def measured() -> Reply:
        now = {"ready": float(not draining.begun), "waiting_requests": float(answering.waiting), **process_gauges()}
        return Reply(200, metrics.text(now), MEDIA_TYPE)

    gets["/metrics"] = Get("metrics", measured)
    gets["/"] = Get("page", Kept(lambda: _try_page(loaded, metadata)))
    gets["/docs"] = Get("page", Kept(lambda: _docs_page(loaded, metadata)))
    if settings.health_route:  # what was configured wins over paths of our own
        posts.pop(settings.health_route, None)
        gets[settings.health_route] = gets["/readyz"]
    gets.pop(settings.predict_route, None)

    def make() -> AsgiApplication:
        from model_server.application import framework_application  # importing FastAPI takes a quarter of the start

        return framework_application(loaded, metadata)

    return Front(posts, gets, Deferred(make), answering=answering, metrics=metrics, max_body=settings.max_body,
                 draining=draining)  # fmt: skip


class Kept:
    """A reply that is made when it is first asked for."""

    def __init__(self, make: Callable[[], Reply]) -> None:
        self._make = make
        self._reply: Reply | None = None

    def __call__(self) -> Reply:
        if self._reply is None:
            self._reply = self._make()
        return self._reply


def _try_page(loaded: LoadedModel, metadata: ModelMetadata) -> Reply:
    from model_server.pages import try_page

    return try_page(loaded, metadata)


def _docs_page(loaded: LoadedModel, metadata: ModelMetadata) -> Reply:
    from model_server.openapi import openapi_document
    from model_server.pages import docs_page

    return docs_page(openapi_document(loaded, metadata), loaded, metadata)


def _posts(loaded: LoadedModel, metadata: ModelMetadata, settings: Settings) -> dict[str, Post]:
    signature, model = loaded.checked.manifest.signature, f"/v2/models/{metadata.name}"
    tensors = TensorProtocol(metadata, signature)
    infer = Post("infer", tensors, with_bytes=tensors.with_bytes)
    if signature is not None:
        rows = RowProtocol(signature)
        names = [column.name for column in signature.columns]
        predict, v1 = Post("predict", rows), Post("v1", InstanceProtocol(signature, rows))
        invocations = Post("invocations", InvocationProtocol(rows, names), CsvProtocol(rows, signature), CsvAnswers)
    else:
        refusing = _NoSignature(loaded, f"{model}/infer")
        predict, v1, invocations = Post("predict", refusing), Post("v1", refusing), Post("invocations", refusing)
    routes: dict[str, Post] = {
        "/predict": predict,
        "/invocations": invocations,
        f"/v1/models/{metadata.name}:predict": v1,
        f"{model}/infer": infer,
        **{f"{model}/versions/{version}/infer": infer for version in metadata.known_versions},
    }
    if settings.predict_route:
        routes[settings.predict_route] = v1
    return routes


class _NoSignature:
    """Refuses rows of a model whose columns are not known."""

    def __init__(self, loaded: LoadedModel, infer: str) -> None:
        reason = loaded.checked.manifest.signature_reason or "nothing was observed in training"
        self._error = f"the columns of this model are not known ({reason}); {NO_SIGNATURE.format(infer=infer)}"

    def read(self, body: bytes) -> Asked:  # noqa: ARG002  whatever is asked
        raise Refusal(501, self._error)

    def write(self, asked: Asked, answers: Answers) -> Reply:  # noqa: ARG002
        raise Refusal(501, self._error)


def _probes(loaded: LoadedModel, name: str, draining: Draining, metadata: ModelMetadata) -> dict[str, Get]:
    """Health of process and model. A model that is not ready is never served, so only draining says no."""
    known = {"model": name, "version": metadata.version, "model_digest": loaded.checked.digest,
             "golden_rows_replayed": loaded.replayed, "engine": loaded.engine.name}  # fmt: skip

    def either(ready: object, not_ready: object) -> Get:
        yes, no = Reply(200, msgspec.json.encode(ready)), Reply(503, msgspec.json.encode(not_ready))
        return Get("health", lambda: no if draining.begun else yes)

    live, live_v2 = Reply(200, b'{"status":"live"}'), Reply(200, b'{"live":true}')
    models = Reply(200, msgspec.json.encode({"models": [name]}))
    status = either({"status": "ready", **known}, {"status": "draining", **known})
    model_ready = either({"name": name, "ready": True}, {"name": name, "ready": False})
    return {
        "/livez": Get("health", lambda: live),
        "/readyz": either({"status": "ready"}, {"status": "draining"}),
        "/health": status,
        "/ping": either({"status": "ready"}, {"status": "draining"}),
        "/v1/models": Get("metadata", lambda: models),
        f"/v1/models/{name}": either({"name": name, "ready": True}, {"name": name, "ready": False}),
        "/v2/health/live": Get("health", lambda: live_v2),
        "/v2/health/ready": either({"ready": True}, {"ready": False}),
        f"/v2/models/{name}/ready": model_ready,
        **{f"/v2/models/{name}/versions/{version}/ready": model_ready for version in metadata.known_versions},
    }
