"""``python -m catalog VERB …``: what the scripts in scripts/ call."""

from __future__ import annotations

import importlib
import sys
import traceback

WRONG_USAGE, OUR_FAULT = 2, 70


def main() -> int:
    if len(sys.argv) < 2:
        print("usage: python -m catalog VERB [ARGUMENT …]", file=sys.stderr)
        return WRONG_USAGE
    verb = importlib.import_module(f"catalog.{sys.argv[1].replace('-', '_')}")
    try:
        exit_code: int = verb.main(sys.argv[2:])
    except Exception:  # noqa: BLE001 - Python's own exit code, 1, says nothing
        traceback.print_exc()
        return OUR_FAULT
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
