"""What every transformer of this project does to raw columns first."""

import pandas as pd


def without_negatives(column: pd.Series) -> pd.Series:
    """Negative amounts are typing errors of the old system."""
    return column.where(column.isna() | (column >= 0))
