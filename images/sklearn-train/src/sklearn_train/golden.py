"""Golden rows: a few rows with the model's own answers, replayed wherever the model is loaded.

Real rows may be personal data. Unless they are asked for, each column is shuffled by itself, and a row that is in the
sample is drawn again; texts are made of words that many rows have, and what only few rows have is replaced by made-up
words. Where the data has too few columns or values to make other rows, the golden rows are real ones, and the reason
says how many.
"""

from __future__ import annotations

import random
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from sklearn_train.observation import FREQUENT
from taskkit.estimator_io import answers, estimator_input
from taskkit.model_signature import Column, GoldenRows, Label, Signature

GOLDEN_LIMIT = 32
_POOL = 256
_DRAWS = 8
# Fewer different rows than this prove too little.
_ENOUGH = 8
RELATIVE_TOLERANCE = 1e-6
# Two labels this close in probability (or score) may change places with another processor or library.
MARGIN = 1e-4
_MADE_UP = ("lorem", "ipsum", "dolor", "sit", "amet", "consetetur", "sadipscing", "elitr")

Row = tuple[Label | None, ...]


def golden_rows(
    estimator: Any, signature: Signature, rows: Sequence[Row], choice: Literal["shuffled", "rows", "example"]
) -> tuple[GoldenRows | None, str]:
    """(golden rows, what is to be known of them) or (None, the reason). ``rows`` are observed ones."""
    pool = mixed_rows(signature.columns, rows) if choice == "shuffled" else _spaced(rows, _POOL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            built = estimator_input(signature, pool)
            predictions, probabilities = answers(estimator, built, probabilities=signature.outputs.probabilities)
            clear = _clear_margins(estimator, built, probabilities, len(pool))
            chosen = _spread(predictions, [at for at in range(len(pool)) if clear[at] and _whole(predictions[at])])
            if not chosen:
                return None, "no row has an answer that is clear and finite"
            kept = [pool[at] for at in chosen]
            # Once more for just these rows: some estimators' answers depend on the other rows in the last digit.
            predictions, probabilities = answers(
                estimator, estimator_input(signature, kept), probabilities=signature.outputs.probabilities
            )
    except Exception as error:  # noqa: BLE001 - whatever an estimator raises
        text = " ".join(str(error).split())[:300]
        advice = "; golden: rows takes real rows" if choice == "shuffled" else ""
        return None, f"predicting them failed: {type(error).__name__}: {text}{advice}"
    return GoldenRows(
        choice, tuple(kept), tuple(predictions), None if probabilities is None else tuple(probabilities),
        RELATIVE_TOLERANCE,
    ), _about_real(signature.columns, rows, kept) if choice == "shuffled" else ""  # fmt: skip


def _spaced(rows: Sequence[Row], wanted: int) -> list[Row]:
    if len(rows) <= wanted:
        return list(rows)
    return [rows[at * len(rows) // wanted] for at in range(wanted)]


def mixed_rows(columns: Sequence[Column], rows: Sequence[Row]) -> list[Row]:
    """``shuffled_rows`` without those that were seen, as far as others can be made; the same for the same input.

    Rows of nothing but texts stay as they are made: what they have of a row, many rows have.
    """
    made = shuffled_rows(columns, rows)
    if all(_made_up(column) for column in columns):
        return made
    seen = set(rows)
    for draw in range(1, _DRAWS):
        real = [at for at, row in enumerate(made) if row in seen]
        if not real:
            return made
        again = shuffled_rows(columns, rows, draw)
        for at in real:
            made[at] = again[at]
    others = [row for row in made if row not in seen]
    return others if len(set(others)) >= _ENOUGH else made


def _about_real(columns: Sequence[Column], rows: Sequence[Row], golden: Sequence[Row]) -> str:
    seen = set(rows)
    real = sum(row in seen for row in golden)
    if not real or all(_made_up(column) for column in columns):
        return ""
    return f"{real} of them are rows of the data, which has too few columns or different values to make others"


def _made_up(column: Column) -> bool:
    return column.kind == "string" and column.categories is None


def shuffled_rows(columns: Sequence[Column], rows: Sequence[Row], draw: int = 0) -> list[Row]:
    """Rows whose every value was seen in its column, or is a made-up text; the same for the same input.

    A row may well be one that was seen. ``draw``: another number gives other rows.
    """
    count = min(_POOL, max(len(rows), GOLDEN_LIMIT))
    made: list[list[Any]] = []
    for at, column in enumerate(columns):
        dice = random.Random(f"{at} {draw}" if draw else at)  # noqa: S311 - reproducible, not secret
        values = [row[at] for row in rows]
        if _made_up(column):
            made.append(made_up_texts([str(value) for value in values if value is not None], count, dice))
        else:
            dice.shuffle(values)
            made.append([values[place % len(values)] for place in range(count)])
    return list(zip(*made, strict=True))


def made_up_texts(texts: Sequence[str], count: int, dice: random.Random) -> list[str]:
    """Texts of about the length of the given ones. Whole values, else words, are taken where many rows have them."""
    values = [text for text, times in sorted(Counter(texts).items()) if times >= FREQUENT]
    if values and sum(text in set(values) for text in texts) * 2 > len(texts):
        return [dice.choice(values) for _ in range(count)]
    in_rows = Counter(word for text in texts for word in sorted(set(text.split())))
    words = [word for word, times in sorted(in_rows.items()) if times >= FREQUENT]
    lengths = [min(50, len(text.split())) for text in texts] or [1]
    made = []
    for _ in range(count):
        length = max(1, dice.choice(lengths))
        made.append(" ".join(dice.choice(words if words and dice.random() < 0.8 else _MADE_UP) for _ in range(length)))
    return made


def _clear_margins(estimator: Any, built: Any, probabilities: Sequence[Any] | None, count: int) -> list[bool]:
    """Whether each row's label is clear of the next best one."""
    import numpy as np

    if probabilities is not None:
        table = np.asarray(probabilities, dtype=float)
    elif hasattr(estimator, "decision_function"):
        table = np.asarray(estimator.decision_function(built), dtype=float)
        if table.ndim == 1:
            table = np.stack([table, np.zeros_like(table)], axis=1)
    else:
        return [True] * count
    if table.ndim != 2 or table.shape[1] < 2:
        return [True] * count
    best = np.sort(table, axis=1)
    return list((best[:, -1] - best[:, -2]) > MARGIN)


def _whole(prediction: Any) -> bool:
    """Whether every value of an answer has a form in JSON."""
    return all(value is not None for value in (prediction if isinstance(prediction, tuple) else (prediction,)))


def _spread(predictions: Sequence[Any], usable: Sequence[int]) -> list[int]:
    """Up to GOLDEN_LIMIT positions in order, every answer among them as often as the others, as far as there are."""
    by_answer: dict[str, list[int]] = {}
    for at in usable:
        by_answer.setdefault(repr(predictions[at]), []).append(at)
    chosen: list[int] = []
    groups = list(by_answer.values())
    depth = 0
    while len(chosen) < GOLDEN_LIMIT and any(depth < len(group) for group in groups):
        chosen += [group[depth] for group in groups if depth < len(group)]
        depth += 1
    return sorted(chosen[:GOLDEN_LIMIT])
