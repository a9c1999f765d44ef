"""Where a cluster keeps what it is made of, and its addresses.

Everything lies below the user's cache directory: ``binaries/`` (by version, kept), ``cluster/`` (the state of the one
cluster of this machine; of it only ``registry/`` and ``log/`` outlive the cluster). ``SKLEARN_CATALOG_CLUSTER=1`` is
another cluster beside it, with a state and addresses of its own, and so on up to 99.
"""

from __future__ import annotations

import os
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]


def _number(told: str) -> int:
    """Which cluster of this machine is meant; what is no number up to 99 is the usual one."""
    return int(told) if told.isascii() and told.isdigit() and len(told) < 3 else 0


NUMBER = _number(os.environ.get("SKLEARN_CATALOG_CLUSTER", ""))
SUFFIX = f"-{NUMBER}" if NUMBER else ""


def cache_directory() -> Path:
    """``$XDG_CACHE_HOME/sklearn-catalog``; a relative value is ignored, as the XDG specification asks."""
    told = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(told) if os.path.isabs(told) else Path.home() / ".cache") / "sklearn-catalog"


def binaries_directory() -> Path:
    return cache_directory() / "binaries"


def state_directory() -> Path:
    return cache_directory() / f"cluster{SUFFIX}"


ADDRESS = f"10.213.{NUMBER}.1"  # the node; private, since clients take a registry at a private address for plain HTTP
HOST_ADDRESS = f"10.213.{NUMBER}.2"  # the other end of the cable, on the host
PREFIX = 30
REGISTRY = f"{ADDRESS}:5000"
INTERFACE = f"skcatalog{SUFFIX}"  # the host's end
UPLINK = "uplink"  # the node's end
CGROUP = f"sklearn-catalog-cluster{SUFFIX}"
