"""The recipe's images, which can't be pulled everywhere: made of programs of this machine, of kaniko's source, by pip."""

from __future__ import annotations

import hashlib
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from testcluster import Cluster
from testcluster.binaries import Part, build
from testcluster.file_images import FileImage, Registry
from testcluster.packages import install_packages

from catalog.images import base_images
from catalog.imaging.builders import ready_engine
from catalog.imaging.engines import Build
from catalog.imaging.pip_secrets import pip_secrets
from catalog.imaging.publishing import push_layout

HERE = Path(__file__).parent
KANIKO = "v1.24.0"
_MODULE = "github.com/GoogleContainerTools/kaniko"
_PACKAGES = {"jq": "jq", "bc": "bc", "/bin/busybox": "busybox-static"}
_SHELL = ("sh", "cat", "echo", "env", "mkdir", "test")


@dataclass(frozen=True)
class Kaniko(Part):
    def sources(self) -> dict[str, str]:
        return {"go.mod": f"module bench/kaniko\n\ngo 1.24.0\n\nrequire {_MODULE} {self.version}\n"}


def pushed(cluster: Cluster) -> dict[str, str]:
    """The images of the recipe by digest, as pods name them. Builds kaniko once (minutes).

    Raises ClusterError, ImageError, TaskError.
    """
    registry = Registry(cluster.registry)
    references = {image.name: registry.push(image) for image in (_kaniko(), _kubectl_jq_bc(cluster))}
    references["bench/recipe-base"] = _base(cluster.registry)
    return {name.rpartition("/")[2]: reference.replace(cluster.registry, cluster.registry_in_pods, 1)
            for name, reference in references.items()}  # fmt: skip


def _base(registry: str) -> str:
    """Python with the recipe's requirements, as pip installs them."""
    engine, image = ready_engine(""), "localhost/sklearn-catalog-bench/recipe-base:build"
    python = base_images(engine, "")[1]
    with pip_secrets() as secrets, tempfile.TemporaryDirectory() as scratch:
        arguments = {"PYTHON_IMAGE": python}
        engine.build(Build(HERE / "base.Dockerfile", HERE / "project", image, arguments, secrets))
        layout = Path(scratch, "layout")
        engine.write_layout(image, layout)
        return push_layout(layout, f"{registry}/bench/recipe-base:latest", insecure=True)


def _kaniko() -> FileImage:
    part = Kaniko("kaniko", _MODULE, KANIKO, (f"{_MODULE}/cmd/executor",))
    if not part.is_built():
        print(f"building kaniko {KANIKO} (once; minutes)", flush=True)
    build(part)
    files = {"/kaniko/executor": part.directory / "executor"}
    return FileImage("bench/kaniko-executor", _tag(files), files, {}, ["/kaniko/executor"], user="0")


def _kubectl_jq_bc(cluster: Cluster) -> FileImage:
    install_packages(_PACKAGES)
    programs = [Path("/usr/bin/jq"), Path("/usr/bin/bc")]
    libraries = {library for program in programs for library in _libraries(program)}
    files = {str(path): path for path in sorted({*programs, *libraries})}
    files |= {"/bin/busybox": Path("/bin/busybox"), "/usr/bin/kubectl": cluster.kubectl_program}
    links = {f"/bin/{applet}": "busybox" for applet in _SHELL}
    return FileImage("bench/kubectl-jq-bc", _tag(files), files, links, ["/bin/sh"])


def _libraries(program: Path) -> list[Path]:
    shown = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return [Path(found) for found in re.findall(r"(/\S+) \(0x", shown)]


def _tag(files: Mapping[str, Path]) -> str:
    """Tells the contents: an image whose tag is there is not pushed again."""
    content = hashlib.sha256()
    for path in files.values():
        with path.open("rb") as file:
            content.update(hashlib.file_digest(file, "sha256").digest())
    return content.hexdigest()[:12]
