"""What builds images here: an engine that is there, else buildah and mmdebstrap, installed where that is possible."""

from __future__ import annotations

import os
import shutil
import sys

from catalog.imaging.engines import Engine, find_engine
from catalog.imaging.errors import ImageError
from catalog.tree import TREE

PACKAGE_OF = {"buildah": "buildah", "mmdebstrap": "mmdebstrap"}
"""Debian packages by the program that they bring."""


def ready_engine(asked: str) -> Engine:
    """The engine asked for, else the first that works, else buildah, installed as root on Debian. Raises ImageError."""
    try:
        engine = find_engine(asked)
    except ImageError:
        if asked or os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise
        _install(PACKAGE_OF)
        return find_engine("buildah")
    return engine


def install_mmdebstrap() -> None:
    """For a base image that can't be pulled. Raises ImageError."""
    if shutil.which("mmdebstrap") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        _install({"mmdebstrap": "mmdebstrap"})


def _install(package_of: dict[str, str]) -> None:
    sys.path.insert(0, str(TREE.root / "test" / "cluster"))  # which needs packages, too
    from testcluster import ClusterError
    from testcluster.packages import install_packages

    try:
        install_packages(package_of)
    except ClusterError as error:
        raise ImageError(str(error)) from error
