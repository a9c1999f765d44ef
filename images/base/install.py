"""Installs into /opt/venv what one layer of an image holds; runs in the build stages of the Dockerfiles.

``install.py packages LOCK``                 every requirement of a lock file
``install.py packages LOCK --in OTHER``      … that the other lock has too: the layer that two images share
``install.py packages LOCK --not-in OTHER``  … that the other lock doesn't have: the rest
``install.py program LOCK PROJECT…``         our own packages, built with the build backend of the lock file

Only what runs stays: no tests, headers or static libraries, no pip but where a lock asks for it. Modules are compiled,
because with a read-only root file system that would be done again at every start; the compiled files hold hashes in
place of times, so that the same packages give the same bytes.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

VENV = Path("/opt/venv")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir", "--no-input")

TESTED = (
    "numpy",
    "scipy",
    "sklearn",
    "pandas",
    "pyarrow",
    "onnx",
    "joblib",
    "skops",
    "narwhals",
    "threadpoolctl",
    "dulwich",
    "pip",
)
NEEDED = {
    "numpy/_core/tests": ("__init__.py", "_natype.py")
}  # numpy.testing, which scikit-learn imports, takes a class from it
UNUSED = (
    "onnxruntime/capi/libonnxruntime.so.*",  # for programs in C; the Python module has all of it linked in
    *(
        "onnxruntime/transformers",
        "onnxruntime/quantization",
        "onnxruntime/tools",
    ),  # for making models, not for running them
)
TEST_FOLDERS = ("tests", "test", "conftest.py")
DEVELOPMENT = ("*.pyi", "*.pyx", "*.pxd", "*.pxi", "*.h", "*.hpp", "*.a", "*.c", "*.cpp", "*.proto")


def requirements(lock: Path) -> dict[str, str]:
    """Name to requirement, its marker and hashes included, as lines of a lock file."""
    joined = re.sub(r"\\\n\s*", "", lock.read_text())
    lines = (line.strip() for line in joined.splitlines())
    return {re.split(r"[=<>~! ;\[]", line, maxsplit=1)[0]: line for line in lines if line and not line.startswith("#")}


def chosen(lock: Path, within: Path | None, without: Path | None) -> list[str]:
    """The requirements of one layer."""
    mine = requirements(lock)
    if within:
        theirs = requirements(within)
        mine = {name: line for name, line in mine.items() if theirs.get(name) == line}
    if without:
        theirs = requirements(without)
        mine = {name: line for name, line in mine.items() if theirs.get(name) != line}
    return list(mine.values())


def make_environment() -> Path:
    """The virtual environment; the Python of the base image runs it. Gives its site-packages."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", VENV], check=True)
    return next((VENV / "lib").glob("python3.*/site-packages"))


def pip_install(lines: list[str], python: Path, *options: str) -> None:
    if not lines:
        return
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
        wanted.write("\n".join(lines) + "\n")
        wanted.flush()
        subprocess.run(
            [*PIP, "--python", python, "install", "--no-compile", "--no-deps", *options, "-r", wanted.name], check=True
        )


def _unneeded(packages: Path) -> Iterator[Path]:
    """What only tests and compilers read, and nothing in these images."""
    for pattern in UNUSED:
        yield from packages.glob(pattern)
    for folder, needed in NEEDED.items():
        yield from (path for path in (packages / folder).glob("*") if path.name not in needed)
    for name in TESTED:
        for path in (packages / name).rglob("*"):
            within = path.relative_to(packages)
            is_test = path.name in TEST_FOLDERS and str(within) not in NEEDED
            if is_test or (path.is_file() and any(path.match(pattern) for pattern in DEVELOPMENT)):
                yield path


def prune(packages: Path) -> None:
    for path in list(_unneeded(packages)):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    for activate in (VENV / "bin").glob("[Aa]ctivate*"):
        activate.unlink()


def compile_modules(packages: Path) -> None:
    """Python 2 samples and templates in packages don't compile, which is no error."""
    options = ("-q", "-j", "0", "--invalidation-mode", "unchecked-hash")
    command = [sys.executable, "-m", "compileall", *options, str(packages)]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def install_packages(lock: Path, within: Path | None, without: Path | None) -> None:
    packages = make_environment()
    lines = chosen(lock, within, without)
    pip_install(lines, VENV / "bin" / "python", "--require-hashes", "--only-binary=:all:")
    prune(packages)
    compile_modules(packages)


def install_program(lock: Path, projects: list[Path]) -> None:
    packages = make_environment()
    with tempfile.TemporaryDirectory() as builder:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", builder], check=True)
        python = Path(builder, "bin", "python")
        pip_install(list(requirements(lock).values()), python, "--require-hashes", "--only-binary=:all:")
        wheels = Path(builder, "wheels")
        subprocess.run(
            [*PIP, "--python", python, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, *projects],
            check=True,
        )
        pip_install([str(wheel) for wheel in sorted(wheels.iterdir())], VENV / "bin" / "python")
    for record in packages.glob("*.dist-info/direct_url.json"):
        record.unlink()  # where a wheel lay during the build
    prune(packages)
    compile_modules(packages)


def main() -> None:
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(dest="verb", required=True)
    packages = verbs.add_parser("packages")
    packages.add_argument("lock", type=Path)
    packages.add_argument("--in", dest="within", type=Path)
    packages.add_argument("--not-in", dest="without", type=Path)
    program = verbs.add_parser("program")
    program.add_argument("lock", type=Path)
    program.add_argument("projects", type=Path, nargs="+")
    arguments = parser.parse_args()
    if arguments.verb == "packages":
        install_packages(arguments.lock, arguments.within, arguments.without)
    else:
        install_program(arguments.lock, arguments.projects)


if __name__ == "__main__":
    main()
