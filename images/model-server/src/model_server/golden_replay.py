"""Golden rows given to an engine: does it answer as the model did in training?"""

from __future__ import annotations

import msgspec

from model_server.engine import Engine, RefusedInputError
from taskkit.estimator_io import first_difference
from taskkit.model_signature import GoldenRows


def replay(engine: Engine, golden: GoldenRows) -> str:
    """Where the answers to the golden rows differ: a sentence, empty if nowhere."""
    try:
        answers = engine.answer(golden.rows, probabilities=golden.probabilities is not None)
    except RefusedInputError as refused:
        return f"the golden rows were refused: {refused}"
    except Exception as error:  # noqa: BLE001  whatever project code raises
        return f"the golden rows raised {type(error).__name__}: {' '.join(str(error).split())}"
    if golden.probabilities is not None and answers.probabilities is None:
        return "it gives no probabilities"
    return first_difference(golden, answers.predictions or [], answers.probabilities)


def replay_one_by_one(engine: Engine, golden: GoldenRows) -> str:
    """The same with each row alone."""
    for at, row in enumerate(golden.rows):
        one = msgspec.structs.replace(
            golden, rows=(row,), predictions=golden.predictions[at : at + 1],
            probabilities=golden.probabilities[at : at + 1] if golden.probabilities is not None else None,
        )  # fmt: skip
        if difference := replay(engine, one):
            return difference.replace("row 0", f"row {at} alone", 1)
    return ""
