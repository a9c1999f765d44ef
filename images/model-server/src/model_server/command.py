"""``model-server``: checks a model directory, then serves it.

Exit codes: 0 ended in order; 2 wrong options or environment; 3 can't serve this model; 70 a fault of ours.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

from model_server.cpu_limits import limit_library_threads, usable_processors
from model_server.scratch import Scratch
from model_server.settings import Settings, read_settings
from model_server.worker_channel import WorkerPlace, own_place, tell_failed
from taskkit.errors import EXIT_DONE, EXIT_FAULT, TaskError


def main(argv: Sequence[str] | None = None) -> int:
    arguments = sys.argv[1:] if argv is None else list(argv)
    debug = "--debug" in arguments
    place = own_place()
    try:
        return run(read_settings(arguments), arguments, place)
    except TaskError as error:
        if debug:
            traceback.print_exc()
        if place is None:
            print(f"model-server: error: {error}", file=sys.stderr, flush=True)
        else:
            tell_failed(place, str(error))
        return error.exit_code
    except Exception as error:  # noqa: BLE001  the one line for whatever is our own fault
        if debug:
            traceback.print_exc()
        detail = " ".join(str(error).split())
        text = f"internal fault: {type(error).__name__}: {detail}; run with --debug for the traceback"
        print(f"model-server: error: {text}", file=sys.stderr, flush=True)
        return EXIT_FAULT


def run(settings: Settings, arguments: Sequence[str], place: WorkerPlace | None) -> int:
    """The exit code. Raises TaskError."""
    limit_library_threads(os.environ)  # before anything imports numpy
    if settings.explain:
        from model_server.trail import explain

        print(explain(settings.model_dir, settings.model_digest))
        return EXIT_DONE
    if settings.workers > 1 and place is None:
        from model_server.workers import Supervisor

        return Supervisor(settings, arguments).run()
    from model_server.serving import stoppable_while_loading

    with stoppable_while_loading(), Scratch() as scratch:
        if settings.model_init_mode == "async":
            from model_server.late_model import await_model

            await_model(settings.model_dir)
        if settings.app:
            from model_server.user_application import serve_application

            serve_application(settings, scratch, place)
        else:
            from model_server.model_service import serve_model

            serve_model(settings, scratch, threads=settings.threads or usable_processors(), place=place)
    return EXIT_DONE
