"""Example rows that a user gives: ``input-example``, or ``input_example.json`` or ``.csv`` beside the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sklearn_train.observation import Seen, look
from taskkit.errors import TaskError

_REMEDY = (
    'write a CSV file with a header, or JSON: a list of objects, a list of rows, or {"columns": [...], "data": [...]}'
)


def read_example(file: Path) -> Seen:
    """What an estimator fitted on such rows would have seen. Raises TaskError."""
    try:
        given = _read_csv(file) if file.suffix.lower() == ".csv" else _frame_of(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise TaskError(f"input example {file.name} can't be read ({error})", _REMEDY) from error
    seen = look(given)
    if not seen.container or not seen.rows:
        raise TaskError(f"input example {file.name} is no table of rows: {seen.problem or 'it is empty'}", _REMEDY)
    return seen


def _read_csv(file: Path) -> Any:
    import pandas as pd

    return pd.read_csv(file)


def _frame_of(document: Any) -> Any:
    """A frame where columns have names, else an array or a list of texts."""
    import numpy as np
    import pandas as pd

    if isinstance(document, dict):
        document = document.get("dataframe_split", document.get("dataframe_records", document))
    if isinstance(document, dict) and {"columns", "data"} <= document.keys():
        return pd.DataFrame(document["data"], columns=document["columns"])
    if isinstance(document, dict):
        return pd.DataFrame([document])
    if isinstance(document, list) and document and all(isinstance(row, dict) for row in document):
        return pd.DataFrame(document)
    if isinstance(document, list) and document and all(isinstance(row, list) for row in document):
        return np.asarray(document)
    if isinstance(document, list) and all(isinstance(row, str) for row in document):
        return document
    raise ValueError("it is neither a table nor a list of texts")
