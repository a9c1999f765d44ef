from datetime import datetime

import numpy as np


def age(years):
    """How old something is now."""
    return datetime.now().year - np.asarray(years, dtype=float)
