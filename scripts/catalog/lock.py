"""``./scripts/lock``: writes every lock file anew, with hashes, for all Pythons and platforms, without index addresses.

All programs are resolved together first (tools.lock), then each by itself within that: what train and server share has
one version everywhere.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from catalog.environments import REQUIREMENTS, ROOT, make_uv, program_names, third_party, uv
from catalog.imaging.dockerfiles import image_names, program_in

OPTIONS = ("--quiet", "--universal", "--python-version", "3.11", "--fork-strategy", "fewest", "--generate-hashes",
           "--no-header", "--no-annotate", "--upgrade")  # fmt: skip
TOOLS = REQUIREMENTS / "tools.lock"


def _compile(requirements: list[str], lock: Path, constraints: Path | None = None) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".in") as source:
        source.write("\n".join(requirements) + "\n")
        source.flush()
        within = ("--constraints", str(constraints)) if constraints else ()
        uv("pip", "compile", *OPTIONS, *within, "--output-file", lock, source.name, quiet=True)
    packages = sum("==" in line for line in lock.read_text().splitlines())
    print(f"{lock.relative_to(ROOT)}: {packages} packages", flush=True)


def _lines(name: str) -> list[str]:
    text = (REQUIREMENTS / f"{name}.in").read_text()
    return [line.split("#")[0].strip() for line in text.splitlines() if line.split("#")[0].strip()]


def declared() -> dict[Path, list[str]]:
    """What each lock file must hold, tools.lock, which holds everything, first."""
    images = ROOT / "images"
    taskkit = list(third_party(images / "taskkit"))
    locks = {
        REQUIREMENTS / "bootstrap.lock": _lines("bootstrap"),
        REQUIREMENTS / "engine.lock": [*_lines("engine"), *taskkit],
        **{images / name / "requirements.lock": [*taskkit, *third_party(images / name)] for name in program_names()},
        # An image that is named otherwise than its program holds it without the optional packages.
        **{
            images / name / "requirements.lock": [*taskkit, *third_party(images / program, extras=False)]
            for name in image_names()
            if (program := program_in(name)) != name
        },
    }
    everything = [requirement for requirements in locks.values() for requirement in requirements]
    return {TOOLS: [*_lines("tools"), *everything], **locks}


def main(argv: list[str]) -> int:
    argparse.ArgumentParser(prog="./scripts/lock", description=__doc__).parse_args(argv)
    make_uv()
    for lock, requirements in declared().items():
        _compile(requirements, lock, None if lock == TOOLS else TOOLS)
    return 0
