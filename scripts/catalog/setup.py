"""``./scripts/setup [ENVIRONMENT …]``: makes the virtual environments that are missing or out of date."""

from __future__ import annotations

import argparse
import sys
import time

from catalog.environments import OLDEST_PYTHON, SetupError, make, program_names, specs


def main(argv: list[str]) -> int:
    every = specs()
    parser = argparse.ArgumentParser(prog="./scripts/setup", description=__doc__)
    parser.add_argument("environments", nargs="*", metavar="ENVIRONMENT",
                        help=f"one or more of: {', '.join(every)}, programs (default: all)")  # fmt: skip
    asked = parser.parse_args(argv).environments or list(every)
    names = [name for one in asked for name in (program_names() if one == "programs" else (one,))]
    if unknown := [name for name in names if name not in every]:
        print(f"setup: error: there is no environment '{unknown[0]}'; there are: {', '.join(every)}", file=sys.stderr)
        return 2
    if sys.version_info < OLDEST_PYTHON:
        print(f"setup: error: Python {sys.version.split()[0]} is too old; 3.11 or later is needed", file=sys.stderr)
        return 2
    started = time.monotonic()
    try:
        made = [name for name in names if make(every[name])]
    except SetupError as error:
        print(f"setup: error: {error}", file=sys.stderr)
        return 3
    if made:
        print(f"environments ready: {', '.join(made)} ({time.monotonic() - started:.0f} s)", flush=True)
    return 0
