"""``./scripts/images build|push|list``: the images of the programs, as OCI layouts in .images/ and in a registry."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from catalog.imaging.base_root import local_base_images
from catalog.imaging.builders import ready_engine
from catalog.imaging.dockerfiles import default_base, dockerfile, image_names, layers_above_base, program_in
from catalog.imaging.engines import Build, Engine
from catalog.imaging.errors import ImageError
from catalog.imaging.finishing import Contents, finish, labels, sizes
from catalog.imaging.pip_secrets import pip_secrets
from catalog.imaging.publishing import push_layout
from catalog.tree import TREE
from taskkit.errors import TaskError

DONE, WRONG_USAGE, COULD_NOT = 0, 2, 3
MEGABYTE = 1_000_000
BUDGETS = {
    "metric-gate": 25, "model-serve-build": 25, "model-server": 115, "model-server-onnx": 60, "sklearn-train": 175,
}  # fmt: skip
"""Megabytes, compressed, above the Python base."""


def programs() -> tuple[str, ...]:
    """Every image, by name."""
    return image_names()


def project(image: str) -> dict[str, Any]:
    """The metadata of the program in an image: name, version, description."""
    text = (TREE.root / "images" / program_in(image) / "pyproject.toml").read_text(encoding="utf-8")
    found: dict[str, Any] = tomllib.loads(text)["project"]
    return found


def base_images(engine: Engine, asked: str) -> tuple[str, str]:
    """What to run on and what to build on: the image asked for, else the one in the Dockerfiles where it can be pulled,
    else a local one. Raises ImageError."""
    default = default_base()
    if asked and asked != "local":
        return asked, asked
    if not asked and default:
        if engine.has(default) or engine.pull(default):
            return default, default
        print(f"{default} can't be pulled here", flush=True)
    return local_base_images(engine)


def _revision() -> str:
    """The last commit that changed what images are made of; empty outside of a git checkout."""
    command = ["git", "log", "-1", "--format=%H", "--", "images"]
    return subprocess.run(command, cwd=TREE.root, check=False, capture_output=True, text=True).stdout.strip()


def _build(engine: Engine, name: str, base: tuple[str, str], secrets: dict[str, Path]) -> None:
    started = time.monotonic()
    image = f"localhost/sklearn-catalog/{name}:build"
    arguments = {"BASE_IMAGE": base[0], "BUILD_IMAGE": base[1]}
    engine.build(Build(dockerfile(name), TREE.root / "images", image, arguments, secrets))
    about, revision, target = project(name), _revision(), TREE.layout(name)

    def make_labels(contents: Contents) -> dict[str, str]:
        shown = "" if base[0].startswith("localhost/") else base[0]
        return labels(contents, name, about["description"], about["version"], revision, shown)

    identity = engine.identity(image)
    made_of, stamp = "\n".join((identity, base[0], about["version"], revision)), target.with_name(f".{name}.made-of")
    is_there = (target / "index.json").is_file() and stamp.is_file()
    if identity and is_there and stamp.read_text() == made_of:
        (target / "index.json").touch()
        print(f"{name}: .images/{name} is up to date ({time.monotonic() - started:.0f} s)", flush=True)
        return
    target.parent.mkdir(exist_ok=True)
    stamp.unlink(missing_ok=True)
    with TemporaryDirectory(prefix=".built-", dir=target.parent) as built:
        engine.write_layout(image, Path(built, "layout"))
        finish(Path(built, "layout"), target, make_labels, layers_above_base(name))
    stamp.write_text(made_of)
    print(f"{name}: .images/{name} ({time.monotonic() - started:.0f} s)", flush=True)


def build(names: list[str], engine_name: str, base: str) -> None:
    """Raises ImageError."""
    engine = ready_engine(engine_name)
    images = base_images(engine, base)
    with pip_secrets() as secrets:
        for name in names:
            _build(engine, name, images, secrets)


def push(names: list[str], registry: str, tag: str, insecure: bool) -> None:
    for program in names:
        reference = f"{registry}/sklearn-catalog/{program}:{tag or project(program)['version']}"
        print(push_layout(TREE.layout(program), reference, insecure), flush=True)


def show(names: list[str]) -> None:
    """A table; megabytes are compressed ones."""
    print(f"{'image':<20}{'total MB':>9}{'above base':>12}{'budget':>8}{'code MB':>9}  digest")
    for program in names:
        found = sizes(TREE.layout(program))
        if found is None:
            print(f"{program:<20}not built; ./scripts/images build {program}")
            continue
        total, above, code = (size / MEGABYTE for size in (found.total, found.above_base, found.last))
        budget = BUDGETS.get(program)
        over = " over the budget" if budget and above > budget else ""
        print(f"{program:<20}{total:>9.1f}{above:>12.1f}{budget or '-':>8}{code:>9.2f}  {found.digest}{over}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./scripts/images", description="The images of the programs.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="build|push|list")
    building = verbs.add_parser("build", help="build images into .images/")
    engines = ("docker", "podman", "buildah")
    building.add_argument("--engine", default="", choices=engines, help="default: the first that works")
    base = "the Python image; 'local': made from Debian packages; default: the Dockerfile's if it can be pulled"
    building.add_argument("--base", default="", metavar="IMAGE", help=base)
    pushing = verbs.add_parser("push", help="push what was built to REGISTRY/sklearn-catalog/PROGRAM:VERSION")
    pushing.add_argument("registry", metavar="REGISTRY", help="host[:port], with or without a prefix")
    pushing.add_argument("--tag", default="", help="default: the program's version")
    insecure = "plain HTTP; loopback and private addresses are tried so"
    pushing.add_argument("--insecure", action="store_true", help=insecure)
    for verb in (building, pushing, verbs.add_parser("list", help="what was built, with compressed sizes")):
        verb.add_argument("programs", nargs="*", metavar="PROGRAM", help=f"default: all ({', '.join(programs())})")
    return parser


def main(argv: list[str]) -> int:
    arguments = _parser().parse_args(argv)
    names = arguments.programs or list(programs())
    if unknown := [name for name in names if name not in programs()]:
        print(f"images: error: there is no program '{unknown[0]}'; there are: {', '.join(programs())}", file=sys.stderr)
        return WRONG_USAGE
    try:
        if arguments.verb == "build":
            build(names, arguments.engine, arguments.base)
            show(names)
        elif arguments.verb == "push":
            push(names, arguments.registry, arguments.tag, arguments.insecure)
        else:
            show(names)
    except (ImageError, TaskError) as error:
        print(f"images: error: {error}", file=sys.stderr)
        return COULD_NOT
    return DONE
