"""Whether a base image fits the model: the version rules.

A serving base says what is in it by the labels below, which scripts/images sets:

``dev.sklearn-catalog.python``    the Python version, for example ``3.13.2``
``dev.sklearn-catalog.packages``  JSON object of normalized distribution name to version, as installed
``dev.sklearn-catalog.libc``      ``glibc`` (what is assumed without it) or ``musl``

Refused for the runtime sklearn: another scikit-learn; another numpy major, or a numpy older in its minor than
training's; a compiled wheel for another Python minor or platform. Refused for the runtime onnx, which loads nothing
else: an older onnxruntime than training's. Every other difference is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from model_serve_build.runtime import Runtime
from taskkit.errors import TaskError
from taskkit.model_directory import WHEELS
from taskkit.model_manifest import ModelManifest
from taskkit.oci.images import PlatformImage
from taskkit.version_rules import differing, minor, misfits

PYTHON_LABEL = "dev.sklearn-catalog.python"
PACKAGES_LABEL = "dev.sklearn-catalog.packages"
LIBC_LABEL = "dev.sklearn-catalog.libc"

_MACHINES = {
    "amd64": "x86_64",
    "arm64": "aarch64",
    "386": "i686",
    "arm": "armv7l",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
}
_LOADED = ("joblib", "scipy", "pandas", "threadpoolctl", "cloudpickle", "skops", "pyarrow", "onnxruntime")
"""Packages beside scikit-learn and numpy whose classes lie in saved models or decide what they answer."""


@dataclass(frozen=True)
class BaseFacts:
    """What a base image says of itself. ``machine`` as in wheel names, for example ``x86_64``."""

    python: str
    packages: Mapping[str, str]
    libc: str
    machine: str
    shown: str


def base_facts(image: PlatformImage, name: str) -> BaseFacts:
    """Raises TaskError where the base does not say what is in it."""
    labels = image.labels
    shown = f"{name} ({image.platform})"
    missing = [label for label in (PYTHON_LABEL, PACKAGES_LABEL) if label not in labels]
    if missing:
        raise TaskError(
            f"base image {shown} has no label {missing[0]}, so nothing tells whether the model runs on it",
            "build on a model-server image, or set the label on yours",
        )
    try:
        packages = msgspec.json.decode(labels[PACKAGES_LABEL], type=dict[str, str])
    except msgspec.DecodeError as error:
        raise TaskError(
            f"base image {shown} has an unreadable label {PACKAGES_LABEL} ({error})",
            "it must be a JSON object of package names and versions",
        ) from error
    machine = _MACHINES.get(image.platform.architecture, image.platform.architecture)
    return BaseFacts(labels[PYTHON_LABEL], packages, labels.get(LIBC_LABEL, "glibc"), machine, shown)


def check_base(manifest: ModelManifest, base: BaseFacts, runtime: Runtime) -> tuple[str, ...]:
    """Warnings, as lines. Raises TaskError with everything that does not fit."""
    if runtime.name == "onnx":
        problems, warnings = list(_onnx_problems(manifest, base)), list(_differing(("onnxruntime",), manifest, base))
    else:
        problems = [*misfits(manifest.environment.packages, base.packages), *_wheel_problems(manifest, base)]
        warnings = list(_differences(manifest, base))
    if problems:
        raise TaskError(
            f"base image {base.shown} does not fit the model: {'; '.join(problems)}",
            f"give the {runtime.param} of the training image's version, or train again with the base's versions",
        )
    return tuple(warnings)


def _onnx_problems(manifest: ModelManifest, base: BaseFacts) -> Iterator[str]:
    trained, found = manifest.environment.packages.get("onnxruntime", ""), base.packages.get("onnxruntime", "")
    if not found:
        yield "it has no onnxruntime"
    elif minor(found) < minor(trained):
        yield f"onnxruntime {found} is older than training's {trained}"


def _wheel_problems(manifest: ModelManifest, base: BaseFacts) -> Iterator[str]:
    for name in sorted(manifest.files):
        if name.startswith(f"{WHEELS}/") and name.endswith(".whl"):
            wheel = name.rpartition("/")[2]
            if reason := wheel_problem(wheel, base):
                yield f"{wheel} {reason}"


def wheel_problem(wheel: str, base: BaseFacts) -> str:
    """Why a wheel does not run on the base, judged by its name (PEP 427, compressed tags); empty where it does."""
    parts = wheel.removesuffix(".whl").split("-")
    if len(parts) not in (5, 6):
        return "is not named like a wheel"
    pythons, abis, platforms = (part.split(".") for part in parts[-3:])
    if not any(_python_fits(python, abi, minor(base.python)) for python in pythons for abi in abis):
        return f"is for {'.'.join(pythons)}-{'.'.join(abis)}, the base has Python {base.python}"
    if not any(_platform_fits(platform, base) for platform in platforms):
        return f"is for {'.'.join(platforms)}, the base is {base.machine} with {base.libc}"
    return ""


def _python_fits(python: str, abi: str, version: tuple[int, int]) -> bool:
    match = re.fullmatch(r"(py|cp)(\d)(\d*)", python)
    if not match or int(match[2]) != version[0]:
        return False
    least = int(match[3] or 0)
    if abi == "none":
        return (match[1] == "py" and least <= version[1]) or least == version[1]
    if abi == "abi3":
        return match[1] == "cp" and least <= version[1]
    return abi == f"cp{version[0]}{version[1]}"


def _platform_fits(platform: str, base: BaseFacts) -> bool:
    if platform == "any":
        return True
    systems = ("musllinux",) if base.libc == "musl" else ("manylinux", "linux")
    return platform.startswith(systems) and platform.endswith(f"_{base.machine}")


def _differences(manifest: ModelManifest, base: BaseFacts) -> Iterator[str]:
    if minor(manifest.environment.python) != minor(base.python):
        yield f"the base has Python {base.python}, training had {manifest.environment.python}"
    yield from _differing(("numpy", *_LOADED), manifest, base)


def _differing(names: Iterable[str], manifest: ModelManifest, base: BaseFacts) -> Iterator[str]:
    for name, found, trained in differing(names, manifest.environment.packages, base.packages):
        yield f"the base has {name} {found}, training had {trained}"
