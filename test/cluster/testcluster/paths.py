"""Where a cluster keeps what it is made of, and its addresses.

Everything lies below the user's cache directory: ``binaries/`` (by version, kept), ``cluster/`` (the state of the one
cluster of this machine; of it only ``registry/`` and ``log/`` outlive the cluster).
"""

from __future__ import annotations

import os
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]


def cache_directory() -> Path:
    """``$XDG_CACHE_HOME/sklearn-catalog``; a relative value is ignored, as the XDG specification asks."""
    told = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(told) if os.path.isabs(told) else Path.home() / ".cache") / "sklearn-catalog"


def binaries_directory() -> Path:
    return cache_directory() / "binaries"


def state_directory() -> Path:
    return cache_directory() / "cluster"


ADDRESS = "10.213.0.1"  # the node; private, since clients take a registry at a private address for plain HTTP
HOST_ADDRESS = "10.213.0.2"  # the other end of the cable, on the host
PREFIX = 30
REGISTRY = f"{ADDRESS}:5000"
INTERFACE = "skcatalog"  # the host's end
UPLINK = "uplink"  # the node's end
CGROUP = "sklearn-catalog-cluster"
