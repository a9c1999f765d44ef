"""A loaded model behind HTTP: which path is answered by what."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor

import msgspec

from model_server.checked_files import check_files
from model_server.front import AsgiApplication, BodyHandler, Deferred, Draining, Front, Probe
from model_server.import_paths import add_project_paths
from model_server.loading import LoadedModel, load_model
from model_server.refusals import Refusal, Reply
from model_server.row_protocol import RowProtocol
from model_server.scratch import Scratch
from model_server.serving import bound_socket, end_at_once, serve, url_of
from model_server.settings import Settings
from model_server.tensor_protocol import TensorProtocol
from model_server.warning_lines import warn, warn_unless_given, warning_line
from taskkit.errors import EXIT_DONE

NO_SIGNATURE = "send plain arrays to {infer}, or train again with an input example (param input-example)"


def serve_model(settings: Settings, scratch: Scratch, *, threads: int) -> None:
    """Checks, loads and serves until a signal. Raises TaskError."""
    warnings.showwarning = warning_line
    listener = bound_socket(settings.host, settings.port)
    with listener:
        checked = check_files(settings.model_dir.resolve(), settings.model_digest)
        add_project_paths(checked.directory, scratch)
        loaded = load_model(checked, golden_check=settings.golden_check)
        draining = Draining()
        executor = ThreadPoolExecutor(threads, thread_name_prefix="predict")
        front = model_application(loaded, settings, draining, executor)

        def ready() -> None:
            warn_unless_given(settings.model_digest)
            for text in loaded.warnings:
                warn(text)
            what = (
                f"{settings.model_name} {checked.digest}, {loaded.replayed} golden rows replayed, {loaded.engine.name}"
            )
            print(f"model-server: ready: {what}, {url_of(listener)}", flush=True)

        serve(front, listener, draining=draining, drain_delay=settings.drain_delay,
              drain_timeout=settings.drain_timeout, when_ready=ready)  # fmt: skip
        executor.shutdown(wait=False, cancel_futures=True)
        if front.predicting:
            warn(f"{front.predicting} predictions did not end within {settings.drain_timeout:g} s, ended without them")
            scratch.remove()
            end_at_once(EXIT_DONE)


def model_application(
    loaded: LoadedModel, settings: Settings, draining: Draining, executor: ThreadPoolExecutor
) -> Front:
    """The whole ASGI application of a model."""
    name, signature = settings.model_name, loaded.checked.manifest.signature
    tensors = TensorProtocol(name, loaded)
    infer = f"/v2/models/{name}/infer"
    posts: dict[str, BodyHandler] = {
        "/predict": RowProtocol(signature, loaded.engine).reply
        if signature is not None
        else _no_signature(loaded, infer),
        infer: tensors.reply,
        **{f"/v2/models/{name}/versions/{version}/infer": tensors.reply for version in tensors.metadata.known_versions},
    }

    def make() -> AsgiApplication:
        from model_server.application import framework_application  # importing FastAPI takes a quarter of the start

        return framework_application(loaded, tensors.metadata)

    return Front(
        posts, _probes(loaded, name, draining, tensors), Deferred(make),
        executor=executor, max_body=settings.max_body, draining=draining, debug=settings.debug,
    )  # fmt: skip


def _no_signature(loaded: LoadedModel, infer: str) -> BodyHandler:
    reason = loaded.checked.manifest.signature_reason or "nothing was observed in training"
    refusal = Refusal(501, f"the columns of this model are not known ({reason}); {NO_SIGNATURE.format(infer=infer)}")

    def refuse(body: bytes) -> Reply:  # noqa: ARG001  whatever is asked
        return refusal.reply()

    return refuse


def _probes(loaded: LoadedModel, name: str, draining: Draining, tensors: TensorProtocol) -> dict[str, Probe]:
    """Health of process and model. A model that is not ready is never served, so only draining says no."""
    known = {"model": name, "version": tensors.metadata.version, "model_digest": loaded.checked.digest,
             "golden_rows_replayed": loaded.replayed, "engine": loaded.engine.name}  # fmt: skip

    def either(ready: object, not_ready: object) -> Probe:
        yes, no = Reply(200, msgspec.json.encode(ready)), Reply(503, msgspec.json.encode(not_ready))
        return lambda: no if draining.begun else yes

    live, live_v2 = Reply(200, b'{"status":"live"}'), Reply(200, b'{"live":true}')
    status = either({"status": "ready", **known}, {"status": "draining", **known})
    model_ready = either({"name": name, "ready": True}, {"name": name, "ready": False})
    return {
        "/livez": lambda: live,
        "/readyz": either({"status": "ready"}, {"status": "draining"}),
        "/health": status,
        "/v2/health/live": lambda: live_v2,
        "/v2/health/ready": either({"ready": True}, {"ready": False}),
        f"/v2/models/{name}/ready": model_ready,
        **{f"/v2/models/{name}/versions/{version}/ready": model_ready for version in tensors.metadata.known_versions},
    }
