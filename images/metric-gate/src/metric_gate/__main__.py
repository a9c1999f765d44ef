"""``python -m metric_gate``."""

import sys

from metric_gate.command import main

if __name__ == "__main__":
    sys.exit(main())
