"""What ``fit`` was given as X: container, columns, ranges, and a bounded sample of rows.

Runs inside the user's script, so the effort is bounded by the number of cells, not by the clock (which would make two
runs differ), and only libraries that made X are used.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

SAMPLE_ROWS = 1_000
SAMPLE_CELLS = 100_000
COLUMNS_LIMIT = 5_000
# Of more cells than this, ranges are taken from evenly spaced rows.
_CELLS_LOOKED_AT = 20_000_000
_TEXTS_LOOKED_AT = 100_000
# Categories are listed only where no value can point to a single person's row.
CATEGORIES_LIMIT = 50
FREQUENT = 5


@dataclass(frozen=True)
class SeenColumn:
    """``minimum`` and ``maximum`` are plain values, None without any; datetimes as ISO 8601 text.

    ``counts``: how often each text occurs, None where there are too many different ones. ``categories``: of a pandas
    column of that dtype, all in order.
    """

    name: str
    dtype: str
    kind: str
    nullable: bool
    minimum: float | int | str | None = None
    maximum: float | int | str | None = None
    counts: dict[str, int] | None = None
    categories: tuple[Any, ...] | None = None


@dataclass
class Seen:
    """``container`` is one of the signature's, or empty with the reason in ``problem``."""

    container: str
    columns: tuple[SeenColumn, ...] = ()
    rows: int = 0
    sample: Any = None
    """Evenly spaced rows, in the container they came in; None when it was given up to save memory."""
    problem: str = ""

    def merged(self, later: Seen) -> Seen:
        """This and a later part of the same data, with the larger sample of the two."""
        if self.problem or later.problem:
            return self if self.problem else later
        names = [column.name for column in self.columns]
        if self.container != later.container or names != [column.name for column in later.columns]:
            return Seen("", problem="it was fitted on parts of different columns or containers")
        columns = tuple(_merged(one, other) for one, other in zip(self.columns, later.columns, strict=True))
        parts = [part.sample for part in (self, later) if part.sample is not None]
        sample = max(parts, key=len) if parts else None
        return _checked(Seen(self.container, columns, self.rows + later.rows, sample))

    def widened(self, given: Any) -> Seen:
        """This and a further X of the same data. Where all is numbers, only columns that go beyond are looked at."""
        table = _table_like(self, given)
        if table is None:
            return self.merged(look(given))
        columns = list(self.columns)
        for at, low, high, missing in _beyond(self.columns, table) if len(table) else ():
            one = columns[at]
            if self.container == "dataframe" and one.kind == "integer":
                other = _look_at_series(given.iloc[:, at], one.name)  # in the table it may be a rounded float
            else:
                other = SeenColumn(one.name, one.dtype, one.kind, missing, _plain(low), _plain(high))
            columns[at] = _merged(one, other)
        return replace(self, columns=tuple(columns), rows=self.rows + int(given.shape[0]))


def _merged(one: SeenColumn, other: SeenColumn) -> SeenColumn:
    """Of kinds that don't go together nothing is left; whole numbers are numbers too."""
    if one.kind != other.kind:
        if {one.kind, other.kind} != {"integer", "number"}:
            return SeenColumn(one.name, f"{one.dtype} and {other.dtype}", "", nullable=True)
        other = replace(other, kind="number", dtype=one.dtype if one.kind == "number" else other.dtype)

    def both(values: list[Any], pick: Any) -> Any:
        there = [value for value in values if value is not None]
        return pick(there) if there else None

    counts = None
    if one.counts is not None and other.counts is not None:
        counts = dict(Counter(one.counts) + Counter(other.counts))
    categories = other.categories
    if one.categories is not None and other.categories is not None:
        categories = tuple(dict.fromkeys(one.categories + other.categories))
    return replace(
        other,
        nullable=one.nullable or other.nullable,
        minimum=both([one.minimum, other.minimum], min),
        maximum=both([one.maximum, other.maximum], max),
        # More are no categories, and must not grow with every part.
        counts=counts if counts is None or len(counts) <= CATEGORIES_LIMIT else None,
        categories=categories,
    )


def _table_like(seen: Seen, given: Any) -> Any:
    """X as an array where it is of the columns that were seen, these are numbers, and the sample needs no more rows."""
    pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")
    shape: tuple[int, ...] = getattr(given, "shape", ())
    columns = seen.columns
    if numpy is None or len(shape) != 2 or shape[1] != len(columns):
        return None
    if any(column.kind not in ("number", "integer") for column in columns):
        return None
    if seen.sample is not None and len(seen.sample) < min(shape[0], _sample_rows(shape[1])):
        return None
    if pandas is not None and isinstance(given, pandas.DataFrame):
        dtypes = given.dtypes.tolist()
        names = {dtype: str(dtype) for dtype in set(dtypes) if isinstance(dtype, numpy.dtype)}
        alike = seen.container == "dataframe" and all(
            str(name) == column.name and names.get(dtype) == column.dtype
            for name, dtype, column in zip(given.columns.tolist(), dtypes, columns, strict=True)
        )
        # As floats, integers beyond this are equal to others.
        bounds: list[Any] = [one for column in columns for one in (column.minimum, column.maximum)
                             if column.kind == "integer" and one is not None]  # fmt: skip
        exact = all(-(1 << 53) <= one <= 1 << 53 for one in bounds)
        table = given.to_numpy() if alike and exact else None
        return table if table is not None and table.dtype.kind in _DTYPE_KINDS else None
    if isinstance(given, numpy.ndarray):
        table = given
    elif hasattr(given, "tocsr"):
        table = given.tocsr()[_spaced(shape[0], _sample_rows(shape[1]))].toarray()
    else:
        return None
    dtype = str(table.dtype)
    return table if seen.container == "array-2d" and all(one.dtype == dtype for one in columns) else None


def _beyond(columns: tuple[SeenColumn, ...], table: Any) -> list[tuple[int, Any, Any, bool]]:
    """(position, minimum, maximum, whether values are missing) of the columns of a table of numbers that leave the
    range that was seen, or have the first missing value."""
    import numpy as np

    floats = table.dtype.kind == "f"
    lowest = np.array([np.nan if one.minimum is None else one.minimum for one in columns],
                         dtype=float if floats else table.dtype)  # fmt: skip
    highest = np.array([np.nan if one.maximum is None else one.maximum for one in columns], dtype=lowest.dtype)
    with np.errstate(all="ignore"):
        low, high = np.fmin.reduce(table), np.fmax.reduce(table)
        missing = np.isnan(np.add.reduce(table)) if floats else np.zeros(len(columns), dtype=bool)
        if missing.any():  # or infinity of both signs
            missing = np.isnan(table).any(axis=0)
        nullable = np.array([one.nullable for one in columns], dtype=bool)
        beyond = ~((low >= lowest) & (high <= highest)) | (missing & ~nullable)
    return [(int(at), low[at], high[at], bool(missing[at])) for at in np.flatnonzero(beyond)]


def quick_look(given: Any) -> tuple[tuple[Any, ...], int]:
    """(what kind of X it is, rows), in no time."""
    shape = getattr(given, "shape", None)
    if not isinstance(shape, tuple) or not shape:
        return (type(given).__name__,), len(given) if hasattr(given, "__len__") else 0
    columns = getattr(given, "columns", None)
    return (type(given).__name__, shape[1:], None if columns is None else hash(tuple(columns))), int(shape[0])


def look(given: Any) -> Seen:
    """Everything about X that a signature needs. Never changes it."""
    pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")
    if pandas is not None and isinstance(given, pandas.DataFrame):
        return _look_at_frame(given)
    if pandas is not None and isinstance(given, pandas.Series):
        column = _look_at_series(given, "x0" if given.name is None else str(given.name))
        sample = given.iloc[_spaced(len(given), SAMPLE_ROWS)].copy()
        return _checked(Seen("series", (column,), len(given), sample))
    if numpy is not None and isinstance(given, numpy.ndarray):
        return _look_at_array(given)
    if isinstance(given, (list, tuple)):
        return _look_at_list(list(given))
    if hasattr(given, "tocsr") and len(given.shape) == 2:  # a sparse matrix
        if given.shape[1] > COLUMNS_LIMIT:
            return Seen("", problem=f"it was fitted on a sparse matrix of {given.shape[1]} columns")
        seen = _look_at_array(given.tocsr()[_spaced(given.shape[0], _sample_rows(given.shape[1]))].toarray())
        return replace(seen, rows=int(given.shape[0]))
    return Seen("", problem=f"it was fitted on {_kind_of(given)}, which has no form in JSON")


def _kind_of(given: Any) -> str:
    name = type(given).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _checked(seen: Seen) -> Seen:
    """A column of values that have no form in JSON spoils the whole."""
    if len(seen.columns) > COLUMNS_LIMIT:
        return Seen("", problem=f"it was fitted on {len(seen.columns)} columns, more than {COLUMNS_LIMIT}")
    for column in seen.columns:
        if not column.kind:
            return Seen("", problem=f"column '{column.name}' holds values of type {column.dtype}, "
                                    "which have no form in JSON")  # fmt: skip
    return seen


def _sample_rows(columns: int) -> int:
    return max(32, min(SAMPLE_ROWS, SAMPLE_CELLS // max(1, columns)))


def _spaced(rows: int, wanted: int) -> list[int]:
    """Evenly spaced positions, without drawing random numbers."""
    if rows <= wanted:
        return list(range(rows))
    return [at * rows // wanted for at in range(wanted)]


def _look_at_frame(frame: Any) -> Seen:
    rows, width = frame.shape
    if width > COLUMNS_LIMIT:
        return Seen("", problem=f"it was fitted on {width} columns, more than {COLUMNS_LIMIT}")
    limit = max(SAMPLE_ROWS, _CELLS_LOOKED_AT // max(1, width))
    part = frame if rows <= limit else frame.iloc[_spaced(rows, limit)]
    columns = tuple(_look_at_series(part.iloc[:, at], str(name)) for at, name in enumerate(frame.columns))
    sample = frame.iloc[_spaced(rows, _sample_rows(width))].copy()
    return _checked(Seen("dataframe", columns, rows, sample))


def _look_at_series(series: Any, name: str) -> SeenColumn:
    dtype = str(series.dtype)
    nullable = bool(series.isna().any())
    if dtype == "category":
        categories = tuple(getattr(value, "item", lambda value=value: value)() for value in series.cat.categories)
        return SeenColumn(name, dtype, _kind_of_values(categories)[0], nullable, categories=categories)
    kind = _DTYPE_KINDS.get(series.dtype.kind, "")
    if kind in ("number", "integer", "datetime"):
        low, high = _range(series.dropna() if nullable else series)
        return SeenColumn(name, dtype, kind, nullable, low, high)
    if kind == "boolean":
        return SeenColumn(name, dtype, kind, nullable)
    part = series if len(series) <= _TEXTS_LOOKED_AT else series.iloc[_spaced(len(series), _TEXTS_LOOKED_AT)]
    return _look_at_objects(part.dropna().tolist(), name, dtype, nullable=nullable)


_DTYPE_KINDS = {"f": "number", "i": "integer", "u": "integer", "b": "boolean", "M": "datetime"}


def _range(series: Any) -> tuple[Any, Any]:
    """(minimum, maximum) as plain values. Infinity has no form in JSON and counts as no range."""
    if len(series) == 0:
        return None, None
    return _plain(series.min()), _plain(series.max())


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if type(value).__name__ == "datetime64":
        return str(value)
    value = value.item() if hasattr(value, "item") else value
    finite = not isinstance(value, float) or value - value == 0
    return value if finite else None


def _look_at_objects(values: list[Any], name: str, dtype: str, *, nullable: bool) -> SeenColumn:
    """A column of Python objects; ``values`` without the missing ones."""
    kind, shown = _kind_of_values(values)
    if not kind:
        return SeenColumn(name, shown, "", nullable)
    if kind in ("number", "integer"):
        return SeenColumn(name, dtype, kind, nullable, _plain(min(values)), _plain(max(values)))
    if kind == "string":
        return SeenColumn(name, dtype, kind, nullable, counts=_counts(values))
    return SeenColumn(name, dtype, kind, nullable)


def _counts(values: list[Any]) -> dict[str, int] | None:
    counts = Counter(map(str, values))
    return dict(counts) if len(counts) <= max(CATEGORIES_LIMIT, len(values) // FREQUENT) else None


def _kind_of_values(values: Any) -> tuple[str, str]:
    """(kind, '') of plain values, or ('', the name of the type that spoils it)."""
    types = {type(value) for value in values}
    if not types or all(issubclass(kind, str) for kind in types):
        return "string", ""
    names = {kind.__name__ for kind in types}
    if names <= {"bool", "bool_"}:
        return "boolean", ""
    if all(issubclass(kind, int) or kind.__name__.startswith(("int", "uint")) for kind in types - {bool}):
        return "integer", ""
    if all(issubclass(kind, (int, float)) or kind.__name__.startswith(("int", "uint", "float")) for kind in types):
        return "number", ""
    return "", " and ".join(sorted(names))


def _look_at_array(array: np.ndarray[Any, Any]) -> Seen:
    if array.ndim not in (1, 2):
        return Seen("", problem=f"it was fitted on an array of {array.ndim} dimensions")
    rows = len(array)
    table = array.reshape(rows, -1) if rows else array.reshape(0, 1 if array.ndim == 1 else array.shape[1])
    width = table.shape[1]
    if width > COLUMNS_LIMIT:
        return Seen("", problem=f"it was fitted on {width} columns, more than {COLUMNS_LIMIT}")
    limit = max(SAMPLE_ROWS, _CELLS_LOOKED_AT // max(1, width))
    part = table if rows <= limit else table[_spaced(rows, limit)]
    columns = tuple(_look_at_vector(part[:, at], f"x{at}") for at in range(width))
    sample = array[_spaced(rows, _sample_rows(width))].copy()
    return _checked(Seen("array-1d" if array.ndim == 1 else "array-2d", columns, rows, sample))


def _look_at_vector(vector: Any, name: str) -> SeenColumn:
    kind = _DTYPE_KINDS.get(vector.dtype.kind, "")
    dtype = str(vector.dtype)
    if not kind:
        values = vector[_spaced(len(vector), _TEXTS_LOOKED_AT)].tolist()
        # A fixed width would cut longer texts when rows are rebuilt.
        dtype = "object" if vector.dtype.hasobject else "str" if vector.dtype.kind == "U" else dtype
        there = [value for value in values if value is not None and value == value]  # noqa: PLR0124 - NaN
        return _look_at_objects(there, name, dtype, nullable=len(there) < len(values))
    if kind == "boolean":
        return SeenColumn(name, dtype, kind, nullable=False)
    there = vector[vector == vector]  # noqa: PLR0124 - NaN and NaT
    low, high = (_plain(there.min()), _plain(there.max())) if len(there) else (None, None)
    return SeenColumn(name, dtype, kind, len(there) < len(vector), low, high)


def _look_at_list(values: list[Any]) -> Seen:
    rows = len(values)
    kept = [values[at] for at in _spaced(rows, SAMPLE_ROWS)]
    if all(isinstance(value, (list, tuple)) for value in kept) and len({len(value) for value in kept}) == 1:
        columns = tuple(_look_at_objects([row[at] for row in kept if row[at] is not None], f"x{at}", "object",
                                         nullable=any(row[at] is None for row in kept))
                        for at in range(len(kept[0])))  # fmt: skip
    elif kept and all(isinstance(value, str) for value in kept):
        columns = (_look_at_objects([str(value) for value in kept], "x0", "object", nullable=False),)
    else:
        return Seen("", problem=f"it was fitted on a list of {', '.join(sorted({type(v).__name__ for v in kept}))}")
    return _checked(Seen("list", columns, rows, kept))
