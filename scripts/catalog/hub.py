"""``./scripts/hub``: serves the hub that ./scripts/release wrote, for this machine (or, with --bind, for others)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

from catalog.releasing.objects import CATALOG
from catalog.releasing.serving import HubHandler

DONE, WRONG_USAGE, COULD_NOT = 0, 2, 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./scripts/hub", description="Serves the hub that ./scripts/release wrote.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("dist", "hub"), help="default: %(default)s")
    parser.add_argument("--port", type=int, default=8484, metavar="N", help="0: a free one (default: %(default)s)")
    parser.add_argument("--bind", default="127.0.0.1", metavar="ADDRESS", help="default: %(default)s")
    return parser


def main(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    if not (options.folder / "api").is_dir():
        print(f"hub: error: {options.folder} holds no hub; ./scripts/release writes one", file=sys.stderr)
        return WRONG_USAGE
    handler = partial(HubHandler, directory=str(options.folder))
    try:
        server = ThreadingHTTPServer((options.bind, options.port), handler)
    except (OSError, OverflowError) as error:
        where = f"{options.bind}:{options.port}"
        print(f"hub: error: can't listen on {where} ({error}); give another --port or --bind", file=sys.stderr)
        return COULD_NOT
    server.daemon_threads = True
    url = f"http://{options.bind}:{server.server_address[1]}"
    print(
        f"{url}/\n"
        f"tkn:       ARTIFACT_HUB_API_SERVER={url} tkn hub install task NAME --from {CATALOG}\n"
        f"resolver:  param url {url}, or artifact-hub-urls in the ConfigMap hubresolver-config",
        flush=True,
    )
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
    return DONE
