"""``python -m catalog VERB …``: what the scripts in scripts/ call."""

from __future__ import annotations

import importlib
import signal
import sys
import traceback

from catalog.closed_pipe import discard_stdout

WRONG_USAGE, OUR_FAULT, NOBODY_READS = 2, 70, 128 + signal.SIGPIPE


def main() -> int:
    if len(sys.argv) < 2:
        print("usage: python -m catalog VERB [ARGUMENT …]", file=sys.stderr)
        return WRONG_USAGE
    verb = importlib.import_module(f"catalog.{sys.argv[1].replace('-', '_')}")
    try:
        exit_code: int = verb.main(sys.argv[2:])
        sys.stdout.flush()
    except BrokenPipeError:
        discard_stdout()
        return NOBODY_READS
    except Exception:  # noqa: BLE001 - Python's own exit code, 1, says nothing
        traceback.print_exc()
        return OUR_FAULT
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
