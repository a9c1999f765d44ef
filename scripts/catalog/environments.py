"""The virtual environments below .venvs/: what each holds, how it is made, when it is up to date.

``engine``      what ./scripts/run, ./scripts/demo and ./scripts/lint need
``<program>``   one for every program in images/, isolated, from the very lock file its image is made of
``tools``       all of these together plus linters, type checker and test libraries

Uses only the standard library: it runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENVS = ROOT / ".venvs"
REQUIREMENTS = ROOT / "scripts" / "requirements"
UV = VENVS / "uv" / "bin" / "uv"
OLDEST_PYTHON = (3, 11)
OWN_PREFIX = "sklearn-catalog-"


class SetupError(Exception):
    """Something that the user has to mend, in one line."""


@dataclass(frozen=True)
class EnvironmentSpec:
    """``projects``: our own packages, installed editable; their third-party dependencies are all in ``lock``."""

    name: str
    lock: Path
    projects: tuple[Path, ...]

    @property
    def directory(self) -> Path:
        return VENVS / self.name

    def fingerprint(self) -> str:
        """Changes with whatever the environment is made of: Python, place, lock file, our packages' metadata."""
        sha = hashlib.sha256(f"{sys.version}\n{sys.executable}\n{self.directory}\n".encode())
        for path in (self.lock, *(project / "pyproject.toml" for project in self.projects)):
            sha.update(path.read_bytes())
        return sha.hexdigest()

    def up_to_date(self) -> bool:
        stamp = self.directory / "made-of"
        return stamp.is_file() and stamp.read_text() == self.fingerprint()


def program_names() -> tuple[str, ...]:
    """Every folder of images/ with a package in it, but the library they share."""
    found = (path.parent.name for path in (ROOT / "images").glob("*/pyproject.toml"))
    return tuple(sorted(name for name in found if name != "taskkit"))


def specs() -> dict[str, EnvironmentSpec]:
    taskkit = ROOT / "images" / "taskkit"
    programs = program_names()
    projects = {name: (taskkit, ROOT / "images" / name) for name in programs}
    every_project = (taskkit, *(ROOT / "images" / name for name in programs))
    return {
        "engine": EnvironmentSpec("engine", REQUIREMENTS / "engine.lock", (taskkit,)),
        **{
            name: EnvironmentSpec(name, ROOT / "images" / name / "requirements.lock", projects[name])
            for name in programs
        },
        "tools": EnvironmentSpec("tools", REQUIREMENTS / "tools.lock", every_project),
    }


def third_party(project: Path, *, extras: bool = True) -> tuple[str, ...]:
    """The dependencies that a package of ours declares, without those on other packages of ours.

    ``extras``: the optional ones, too.
    """
    about = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    groups = [about["dependencies"], *(about.get("optional-dependencies", {}).values() if extras else ())]
    return tuple(requirement for group in groups for requirement in group if not requirement.startswith(OWN_PREFIX))


def package_index() -> dict[str, str]:
    """pip's own configuration as environment for uv, which doesn't read it: index, certificates, wheel folders."""
    listing = subprocess.run(
        [VENVS / "uv" / "bin" / "python", "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    settings: dict[str, str] = {}
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        settings[name.rpartition(".")[2]] = value.strip("'\"").replace("\\n", " ").strip()
    wanted = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "cert": "SSL_CERT_FILE",
              "trusted-host": "UV_INSECURE_HOST", "no-index": "UV_NO_INDEX"}  # fmt: skip
    found = {uv: settings[pip] for pip, uv in wanted.items() if settings.get(pip)}
    folders = [folder for folder in settings.get("find-links", "").split() if "://" in folder or Path(folder).is_dir()]
    return found | ({"UV_FIND_LINKS": ",".join(folders)} if folders else {})


def _uv_environment() -> dict[str, str]:
    left_out = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"}
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return {"UV_PYTHON_DOWNLOADS": "never", "UV_HTTP_TIMEOUT": "180", **package_index(), **kept}


def uv(*arguments: str | Path, quiet: bool = False) -> None:
    """Runs uv with pip's configuration. Raises SetupError."""
    done = subprocess.run([UV, *arguments], env=_uv_environment(), check=False, capture_output=quiet, text=True)
    if done.returncode:
        why = (done.stderr or "").strip().splitlines()
        raise SetupError(why[-1] if why else f"uv {arguments[0]} failed (exit code {done.returncode}), see above")


def make_uv() -> None:
    """Installs the pinned installer with the pip that comes with Python. Raises SetupError."""
    lock = REQUIREMENTS / "bootstrap.lock"
    stamp, made_of = VENVS / "uv" / "made-of", hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()
    if UV.exists() and stamp.is_file() and stamp.read_text() == made_of:
        return
    print("environment uv: the installer", flush=True)
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", VENVS / "uv"], check=False, capture_output=True)
    if made.returncode:
        raise SetupError("python3 -m venv failed; on Debian and Ubuntu install the package python3-venv")
    pip = [str(VENVS / "uv" / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    installed = subprocess.run([*pip, "--require-hashes", "-r", lock], check=False)
    if installed.returncode:
        raise SetupError("pip could not install the installer; are the package index and its certificate configured?")
    stamp.write_text(made_of)


def make(spec: EnvironmentSpec) -> bool:
    """Makes or renews one environment; False when it was up to date. Raises SetupError."""
    if spec.up_to_date():
        return False
    make_uv()
    print(f"environment {spec.name}: from {spec.lock.relative_to(ROOT)}", flush=True)
    uv("venv", "--quiet", "--clear", "--python", sys.executable, spec.directory)
    python = spec.directory / "bin" / "python"
    # Compiled now, by all processors, rather than module by module when each is first imported.
    uv("pip", "install", "--python", python, "--compile-bytecode", "--require-hashes", "-r", spec.lock)
    editable = [argument for project in spec.projects for argument in ("-e", str(project))]
    uv("pip", "install", "--quiet", "--python", python, "--no-deps",
       "--build-constraints", REQUIREMENTS / "bootstrap.lock", *editable)  # fmt: skip
    (spec.directory / "made-of").write_text(spec.fingerprint())
    return True
