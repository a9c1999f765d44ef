"""A base image for machines that can't pull one: Debian with Python, made from packages by mmdebstrap.

Two of them: what runs, and the same with pip for the build stages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from catalog.imaging.builders import install_mmdebstrap
from catalog.imaging.engines import Build, Engine
from catalog.imaging.errors import ImageError

SUITE = "trixie"  # Python 3.13, as in the official image that stands in the Dockerfiles
PACKAGES = ("python3", "ca-certificates")
BUILD_PACKAGES = (*PACKAGES, "python3-pip")
UNNEEDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
NAME = f"localhost/sklearn-catalog/python-{SUITE}"


def local_base_images(engine: Engine) -> tuple[str, str]:
    """The images to run on and to build on; made once and kept by the engine. Raises ImageError."""
    run, build = f"{NAME}:run", f"{NAME}:build"
    packages_of = {run: PACKAGES, build: BUILD_PACKAGES}
    wanted = {image: packages for image, packages in packages_of.items() if not engine.has(image)}
    if wanted:
        install_mmdebstrap()
    for image in wanted:
        print(f"making the base image {image} with mmdebstrap", flush=True)
    with ThreadPoolExecutor() as pool:  # most of the time one of them waits for the network or for dpkg's single thread
        for made in [pool.submit(_make, engine, image, packages) for image, packages in wanted.items()]:
            made.result()
    return run, build


def _make(engine: Engine, image: str, packages: tuple[str, ...]) -> None:
    if shutil.which("mmdebstrap") is None or os.geteuid() != 0:
        raise ImageError("the base image can't be pulled, and making one needs root and the Debian package mmdebstrap;"
                         " or give --base an image that is there")  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        options = ["--quiet", "--variant=minbase", "--skip=output/dev", f"--include={','.join(packages)}"]
        options += [f"--dpkgopt=path-exclude={path}" for path in UNNEEDED]
        command = ["mmdebstrap", *options, SUITE, str(folder / "root.tar")]
        env = {**os.environ, "SOURCE_DATE_EPOCH": "0"}
        done = subprocess.run(command, env=env, check=False, capture_output=True, text=True)
        if done.returncode:
            complaint = (done.stderr.strip() or "it said nothing").splitlines()[-1]
            raise ImageError(f"mmdebstrap could not make a root file system of {SUITE}: {complaint}")
        dockerfile = folder / "Dockerfile"
        dockerfile.write_text("FROM scratch\nADD root.tar /\n")
        engine.build(Build(dockerfile, folder, image))
