"""From what an engine built to the image that is used: labels, read from the image itself.

The labels of ``dev.sklearn-catalog.`` are what model-serve-build compares a model's environment with.
"""

from __future__ import annotations

import gzip
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from catalog.imaging.errors import ImageError
from taskkit.canonical import canonical_json
from taskkit.environment import canonical_name
from taskkit.oci.content import Blob, described, file_chunks
from taskkit.oci.images import Addition, PlatformImage, append, read_base
from taskkit.oci.layout import Layout
from taskkit.oci.publishing import write_to_layout

OWN = "dev.sklearn-catalog."
OCI = "org.opencontainers.image."
SOURCE = "https://github.com/sklearn-catalog/sklearn-catalog"
_DISTRIBUTION = re.compile(
    r"opt/venv/lib/python3\.\d+/site-packages/(?P<name>[^/]+)-(?P<version>[^-/]+)\.dist-info/METADATA"
)
_ENVIRONMENT = "opt/venv/pyvenv.cfg"
PLAIN_LAYER = "application/vnd.oci.image.layer.v1.tar"
GZIP_LAYER = f"{PLAIN_LAYER}+gzip"


@dataclass(frozen=True)
class Contents:
    """``python``: its version; ``packages``: normalized names and versions of the installed distributions."""

    python: str
    packages: dict[str, str]
    libc: str


def read_contents(image: PlatformImage) -> Contents:
    """Raises ImageError when there is no virtual environment at /opt/venv."""
    python, packages, libc = "", {}, "glibc"
    for layer in image.layers:
        for entry, tar in _entries(layer):
            if found := _DISTRIBUTION.fullmatch(entry.name):
                packages[canonical_name(found["name"])] = found["version"]
            elif entry.name == _ENVIRONMENT and (content := tar.extractfile(entry)):
                python = _python_version(content.read().decode())
            elif re.match(r"(usr/)?lib/ld-musl-", entry.name):
                libc = "musl"
    if not python:
        raise ImageError(f"the image has no {_ENVIRONMENT}; is its Dockerfile one of this tree?")
    return Contents(python, dict(sorted(packages.items())), libc)


def _entries(layer: Blob) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    with TemporaryDirectory() as scratch:
        path = Path(scratch, "layer")
        with path.open("wb") as out:
            for chunk in layer.checked():
                out.write(chunk)
        with tarfile.open(path) as tar:
            for entry in tar:
                entry.name = entry.name.removeprefix("./")
                yield entry, tar


def _python_version(text: str) -> str:
    match = re.search(r"^version\s*=\s*(\S+)", text, re.MULTILINE)
    if match is None:
        raise ImageError(f"{_ENVIRONMENT} in the image tells no version")
    return match[1]


def labels(contents: Contents, title: str, description: str, version: str, revision: str, base: str) -> dict[str, str]:
    """Everything an image says of itself; no time, so the same content is the same image."""
    values = {
        OCI + "title": title,
        OCI + "description": description,
        OCI + "version": version,
        OCI + "revision": revision,
        OCI + "source": SOURCE,
        OCI + "licenses": "Apache-2.0",
        OCI + "vendor": "sklearn-catalog",
        OCI + "base.name": base,
        OWN + "python": contents.python,
        OWN + "libc": contents.libc,
        OWN + "packages": canonical_json(contents.packages).decode().strip(),
    }
    return {name: value for name, value in values.items() if value}


def _squeezed(layer: Blob, scratch: Path) -> Blob:
    """A layer as it travels: Docker saves them as plain archives."""
    if layer.descriptor.media_type != PLAIN_LAYER:
        return layer
    path = scratch / layer.digest.partition(":")[2]
    with path.open("wb") as out, gzip.GzipFile("", "wb", 6, out, mtime=0) as squeezing:
        for chunk in layer.checked():
            squeezing.write(chunk)
    return described(lambda: file_chunks(str(path)), GZIP_LAYER)


MakeLabels = Callable[[Contents], dict[str, str]]


def finish(built: Path, target: Path, make_labels: MakeLabels, layers_above_base: int) -> None:
    """Puts the labels on the one image of the layout ``built`` and leaves it as the layout ``target``, alone there.

    Raises ImageError, TaskError.
    """
    source = Layout(built)
    entry = source.find()
    if entry is None:
        raise ImageError(f"the engine left no image in {built}")
    base = read_base(source, source.manifest(entry))
    with TemporaryDirectory(dir=built) as scratch:
        image = base.platforms[0]
        image = replace(image, layers=tuple(_squeezed(layer, Path(scratch)) for layer in image.layers))
        named = make_labels(read_contents(image))
        annotations = {name: value for name, value in named.items() if name.startswith(OCI)}
        annotations[OWN + "layers-above-base"] = str(layers_above_base)
        addition = Addition(layers=(), created_by=(), env={}, labels=named, annotations=annotations)
        made = append(replace(base, is_index=False, platforms=(image,)), lambda _: addition)
        fresh = target.with_name(f".new-{target.name}")
        shutil.rmtree(fresh, ignore_errors=True)
        write_to_layout(made, Layout(fresh), "", "move")
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)


@dataclass(frozen=True)
class Sizes:
    """Compressed bytes: the whole image, what is above the Python base, the last layer (our own code)."""

    digest: str
    platform: str
    total: int
    above_base: int
    last: int
    layers: tuple[str, ...]


def sizes(folder: Path) -> Sizes | None:
    """Of the image in a layout that `finish` left; None where there is none."""
    layout = Layout(folder)
    entry = layout.find()
    if entry is None:
        return None
    image = read_base(layout, layout.manifest(entry)).platforms[0]
    layers = image.manifest.layers
    above = int(image.manifest.annotations.get(OWN + "layers-above-base", len(layers)))
    return Sizes(
        digest=entry.digest,
        platform=str(image.platform),
        total=sum(layer.size for layer in layers),
        above_base=sum(layer.size for layer in layers[len(layers) - above :]),
        last=layers[-1].size,
        layers=tuple(layer.digest for layer in layers),
    )
