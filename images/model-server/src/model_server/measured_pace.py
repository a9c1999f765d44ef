"""How a loaded model is best asked: on the event loop or in threads, each request alone or what waits together.

Measured with rows that the model is known to answer: the golden ones. Without them nothing is known, and requests are
answered in threads, one by one; so are those to models with code of their own.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from model_server.answering import Pace
from model_server.golden_replay import replay_one_by_one
from model_server.loading import LoadedModel

ON_LOOP = 0.002
"""Seconds that one call of the model may take on the event loop."""
MOST_TOGETHER = 64
_ROUNDS = 5


def measured_pace(loaded: LoadedModel) -> Pace:
    golden, engine, manifest = loaded.golden, loaded.engine, loaded.checked.manifest
    if golden is None or not loaded.replayed or manifest.signature is None:
        return Pace()
    if manifest.estimator.project_globals or manifest.estimator.package_globals:
        return Pace()  # code of the project's own may take any time, and mix up rows
    names = [column.name for column in manifest.signature.columns]
    row_bytes = max(len(msgspec.json.encode(dict(zip(names, row, strict=True)))) for row in golden.rows)
    one, all_rows = _seconds(loaded, golden.rows[:1]), _seconds(loaded, golden.rows)
    a_row = max((all_rows - one) / max(1, len(golden.rows) - 1), one / 100)
    fitting = int((ON_LOOP - one) / a_row) if one < ON_LOOP else 0
    together = 1
    if not replay_one_by_one(engine, golden):
        together = max(1, min(MOST_TOGETHER, fitting)) if fitting else MOST_TOGETHER
    return Pace(on_loop=max(row_bytes, fitting * row_bytes) if fitting else 0, together=together)


def _seconds(loaded: LoadedModel, rows: Sequence[Sequence[object]]) -> float:
    """The shortest of a few times: the others were disturbed."""
    times = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        loaded.engine.answer(rows)
        times.append(time.perf_counter() - start)
        if sum(times) > 1:
            break
    return min(times)
