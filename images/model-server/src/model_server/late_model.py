"""A model that comes after the server: KServe starts its modelcar beside the server, on a hundredth of a core."""

from __future__ import annotations

import time
from os.path import exists  # unlike Path.exists, False also where a link leads to a place that may not be seen
from pathlib import Path

from taskkit.model_manifest import MANIFEST

PATIENCE = 300
"""Seconds until a model is missing and not late."""
_PAUSE = 0.2


def await_model(directory: Path) -> None:
    """Returns when a model is there, or is missing: whoever reads it then says so."""
    manifest = directory / MANIFEST
    if exists(manifest):
        return
    print(f"model-server: waiting for a model in {directory}", flush=True)
    until = time.monotonic() + PATIENCE
    while not exists(manifest) and time.monotonic() < until:
        time.sleep(_PAUSE)
