"""``python -m catalog VERB …``: what the scripts in scripts/ call."""

from __future__ import annotations

import importlib
import sys


def main() -> int:
    if len(sys.argv) < 2:
        print("usage: python -m catalog VERB [ARGUMENT …]", file=sys.stderr)
        return 2
    verb = importlib.import_module(f"catalog.{sys.argv[1].replace('-', '_')}")
    exit_code: int = verb.main(sys.argv[2:])
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
