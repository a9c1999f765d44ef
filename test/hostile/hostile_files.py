"""Model files that try to do something: each would only create the marker file that it is given.

Assembled from opcodes, so that every protocol and every trick is there whatever Python's own pickler would write.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from assembly import Hostile
from hostile_archives import archives, arrays
from hostile_names import calls, names, nested
from hostile_opcodes import opcodes
from hostile_states import states


def all_files(marker: Path) -> Iterator[Hostile]:
    for family in (calls, names, nested, opcodes, states, arrays, archives):
        yield from family(marker)
