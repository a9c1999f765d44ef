"""Docker, podman or buildah, whichever works: all three build the same Dockerfiles and give an OCI image layout."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from catalog.imaging.errors import ImageError

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True)
class Build:
    """``secrets``: name → file; they are mounted while a RUN needs them and are in no layer."""

    dockerfile: Path
    context: Path
    image: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Engine:
    """``name`` is the program's. Docker is told apart by its build cache and by how an image leaves it."""

    name: str

    @property
    def is_docker(self) -> bool:
        return self.name == "docker"

    def has(self, image: str) -> bool:
        kind = ["--type", "image"] if self.name == "buildah" else []
        command = ["inspect", *kind] if self.name == "buildah" else ["image", "inspect"]
        return self._run([*command, image], quiet=True).returncode == 0

    def identity(self, image: str) -> str:
        """Changes with whatever is in the image; empty where it is not there."""
        if self.name == "buildah":
            command = ["images", "--quiet", "--no-trunc", "--filter", f"reference={image}"]
        else:
            command = ["image", "inspect", "--format", "{{.Id}}", image]
        done = self._run(command, quiet=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    def pull(self, image: str) -> bool:
        return self._run(["pull", image], quiet=True).returncode == 0

    def build(self, build: Build) -> None:
        """Raises ImageError; what the build printed is on the screen by then."""
        options = ["--file", str(build.dockerfile), "--tag", build.image, *self._options()]
        arguments = {**build.arguments, **{name: os.environ[name] for name in _PROXIES if name in os.environ}}
        for name, value in arguments.items():
            options += ["--build-arg", f"{name}={value}"]
        for name, path in build.secrets.items():
            options += ["--secret", f"id={name},src={path}"]
        done = self._run(["build", *options, str(build.context)], quiet=False)
        if done.returncode:
            raise ImageError(f"{self.name} could not build {build.image} from {build.dockerfile}, see above")

    def _options(self) -> Sequence[str]:
        """Files get the time 0 where the engine can do that, so that the same content is the same layer."""
        if self.is_docker:
            return ["--build-arg", "SOURCE_DATE_EPOCH=0"]
        isolation = ["--isolation", "chroot"] if self.name == "buildah" else []  # works in containers, too
        return ["--layers", "--timestamp", "0", "--quiet", "--jobs", "2", *isolation]

    def write_layout(self, image: str, folder: Path) -> None:
        """Leaves an image as an OCI image layout in an empty folder. Raises ImageError."""
        if not self.is_docker:
            self._must(["push", "--quiet", image, f"oci:{folder}"])
            return
        with tempfile.TemporaryDirectory() as scratch:
            saved = Path(scratch, "saved.tar")
            self._must(["save", "--output", str(saved), image])
            with tarfile.open(saved) as tar:
                tar.extractall(folder, filter="data")
        if not (folder / "index.json").is_file():
            raise ImageError("this Docker saves no OCI image layouts; version 25 or later does")

    def _must(self, arguments: Sequence[str]) -> None:
        done = self._run(arguments, quiet=True)
        if done.returncode:
            complaint = (done.stderr or "it said nothing").strip().splitlines()[-1]
            raise ImageError(f"{self.name} {arguments[0]} failed: {complaint}")

    def _run(self, arguments: Sequence[str], *, quiet: bool) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "DOCKER_BUILDKIT": "1"}
        return subprocess.run([self.name, *arguments], env=env, check=False, capture_output=quiet, text=True)


def find_engine(asked: str = "") -> Engine:
    """The engine asked for, else the first that works. Raises ImageError."""
    for name in (asked,) if asked else ("docker", "podman", "buildah"):
        if shutil.which(name) and subprocess.run([name, "info"], capture_output=True, check=False).returncode == 0:
            return Engine(name)
    wanted = f"{asked} doesn't work here" if asked else "none of docker, podman and buildah works here"
    raise ImageError(f"{wanted}; images are built by one of them (Debian: apt-get install buildah)")
