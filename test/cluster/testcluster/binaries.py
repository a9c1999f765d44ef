"""The parts that are built from Go modules, each once per version, into the user's cache directory.

``go build -mod=mod`` on a small module of our own, not ``go install MODULE@VERSION``: the latter asks for the list of a
module's versions, which many proxies refuse, and ignores ``replace``. Go verifies what it downloads with its checksum
database.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from testcluster.errors import ClusterError
from testcluster.paths import HERE, binaries_directory

MODULES = HERE / "modules"
OLDEST_GO = (1, 21)  # the first that fetches the newer tool chain a module asks for
TEKTON_PROGRAMS = (
    "controller",
    "webhook",
    "resolvers",
    "events",
    "entrypoint",
    "nop",
    "workingdirinit",
    "sidecarlogresults",
)
_REPLACED = {
    # The versions of these that it asks for are not to be had everywhere; those of Tekton v1.9.0 are.
    "v1.12.1": ("github.com/spiffe/spire-api-sdk v1.14.0", "github.com/jenkins-x/go-scm v1.15.16"),
}


@dataclass(frozen=True)
class Part:
    """One module of ``modules/`` and what is built of it.

    ``version`` is that of the ``main_module``; ``packages`` are Go packages; ``data`` are folders of the main module that
    are kept beside the binaries; ``links`` are further names of the binary; ``replaces`` names other versions of modules that it builds on.
    """

    name: str
    main_module: str
    version: str
    packages: tuple[str, ...]
    flags: tuple[str, ...] = ()
    linker: str = ""
    data: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    replaces: tuple[str, ...] = field(default=(), repr=False)  # told by the sources, which the recipe holds

    @property
    def directory(self) -> Path:
        return binaries_directory() / f"{self.name}-{self.version}"

    def sources(self) -> dict[str, str]:
        """The files of our module, the version filled in."""
        texts = {path.name: path.read_text() for path in sorted((MODULES / self.name).iterdir())}
        texts["go.mod"] += "".join(f"\nreplace {each.split()[0]} => {each}\n" for each in self.replaces)
        return {name: text.replace("@VERSION@", self.version) for name, text in texts.items()}

    def recipe(self) -> str:
        """Changes with whatever is built and how."""
        return hashlib.sha256(repr((self, self.sources())).encode()).hexdigest()

    def is_built(self) -> bool:
        stamp = self.directory / "recipe"
        return stamp.is_file() and stamp.read_text() == self.recipe()


def _required(name: str, module: str) -> str:
    """The version of a module that a go.mod of ours asks for."""
    match = re.search(
        rf"^\s*(?:require )?{re.escape(module)} (v\S+)$", (MODULES / name / "go.mod").read_text(), re.MULTILINE
    )
    if match is None:
        raise ClusterError(f"modules/{name}/go.mod doesn't require {module}")
    return match[1]


def kube() -> Part:
    module = "k8s.io/kubernetes"
    version = _required("kube", module)
    major, minor = version.removeprefix("v").split(".")[:2]
    told = "k8s.io/component-base/version"
    values = {f"{told}.gitVersion": version, f"{told}.gitMajor": major, f"{told}.gitMinor": minor,
              f"{told}.gitTreeState": "clean", "k8s.io/client-go/pkg/version.gitVersion": version}  # fmt: skip
    linker = " ".join(f"-X {name}={value}" for name, value in values.items())
    return Part("kube", module, version, (".",), ("-tags", "providerless,dockerless"), linker, links=("kubectl",))


def coredns() -> Part:
    return Part("coredns", "github.com/coredns/coredns", _required("coredns", "github.com/coredns/coredns"), (".",))


def containerd() -> Part:
    module = "github.com/containerd/containerd/v2"
    version = _required("containerd", module)
    packages = tuple(f"{module}/cmd/{program}" for program in ("containerd", "containerd-shim-runc-v2"))
    return Part("containerd", module, version, packages, linker=f"-X {module}/version.Version={version}")


def local_path() -> Part:
    module = "github.com/rancher/local-path-provisioner"
    return Part("local-path", module, _required("local-path", module), (module,), data=("deploy",))


def tkn() -> Part:
    module = "github.com/tektoncd/cli"
    version = _required("tkn", module)
    linker = f"-X {module}/pkg/cmd/version.clientVersion={version.removeprefix('v')}"
    return Part("tkn", module, version, (f"{module}/cmd/tkn",), linker=linker)


def tekton(version: str) -> Part:
    module = "github.com/tektoncd/pipeline"
    packages = tuple(f"{module}/cmd/{program}" for program in TEKTON_PROGRAMS)
    return Part("tekton", module, version, packages, data=("config",), replaces=_REPLACED.get(version, ()))


def parts(tekton_version: str) -> tuple[Part, ...]:
    """Everything that a native cluster with this Tekton is built of. Raises ClusterError for what is no version."""
    if not re.fullmatch(r"v\d+\.\d+\.\d+", tekton_version):
        raise ClusterError(f"'{tekton_version}' is not a version of Tekton Pipelines; give one like v1.15.0")
    return (kube(), containerd(), coredns(), local_path(), tkn(), tekton(tekton_version))


def _check_go() -> None:
    try:
        shown = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        shown = ""
    match = re.match(r"go(\d+)\.(\d+)", shown)
    if match is None or (int(match[1]), int(match[2])) < OLDEST_GO:
        found = shown.strip() or "none"
        raise ClusterError(
            f"building the cluster's programs needs Go 1.21 or later on the PATH (found: {found}); see go.dev/dl"
        )


def _go(module: Path, *arguments: str) -> str:
    env = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    done = subprocess.run(["go", *arguments], cwd=module, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if not line.startswith("go: downloading")]
        raise ClusterError(f"go {arguments[0]} in {module} failed:\n" + "\n".join(lines[-10:]))
    return done.stdout.strip()


def build(part: Part) -> None:
    """Builds one part, unless it is there. Raises ClusterError; a failed or stopped build leaves nothing behind."""
    if part.is_built():
        return
    _check_go()
    parent = binaries_directory()
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{part.name}-", dir=parent) as scratch:
        source, made = Path(scratch, "source"), Path(scratch, "made")
        source.mkdir()
        made.mkdir()
        for name, text in part.sources().items():
            (source / name).write_text(text)
        output = f"{made}/{part.name}" if part.packages == (".",) else f"{made}/"
        _go(source, "build", "-mod=mod", "-trimpath", *part.flags, "-ldflags", f"-s -w {part.linker}".strip(),
            "-o", output, *part.packages)  # fmt: skip
        main_module = Path(_go(source, "list", "-mod=mod", "-m", "-f", "{{.Dir}}", part.main_module))
        for folder in part.data:
            # The module cache is read-only, its files' modes included.
            shutil.copytree(main_module / folder, made / folder, copy_function=shutil.copyfile)
        for link in part.links:
            (made / link).symlink_to(part.name)
        (made / "recipe").write_text(part.recipe())
        for directory in (made, *(path for path in made.rglob("*") if path.is_dir())):
            directory.chmod(0o755)
        shutil.rmtree(part.directory, ignore_errors=True)
        made.rename(part.directory)
