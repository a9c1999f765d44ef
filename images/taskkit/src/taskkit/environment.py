"""What runs here: Python, platform, installed distributions."""

from __future__ import annotations

import platform
import re
import sys
from importlib import metadata


def python_version() -> str:
    """For example ``3.13.2``."""
    return platform.python_version()


def platform_name() -> str:
    """Operating system, machine and C library, as far as they decide which wheels fit: ``linux-x86_64-glibc``."""
    libc = platform.libc_ver()[0] or ("musl" if sys.platform == "linux" else "")
    return "-".join(part for part in (platform.system().lower(), platform.machine(), libc) if part)


def canonical_name(distribution: str) -> str:
    """The normalized name of a distribution (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def installed_packages() -> dict[str, str]:
    """Normalized name to version of every distribution on ``sys.path``; the first one found counts, as on import."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            found.setdefault(canonical_name(name), distribution.version)
    return dict(sorted(found.items()))


def describe_environment() -> str:
    """Lines for ``--version``."""
    packages = "\n".join(f"  {name} {version}" for name, version in installed_packages().items())
    return f"Python {python_version()} {platform_name()}\n{packages}"
