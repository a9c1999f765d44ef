"""Wheels made by hand (binary distribution format, PEP 427): third-party packages that no index has."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

SIGNED_LOG = '''
import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from signedlog_tables import BASE


class SignedLog(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """log1p that keeps the sign."""

    def fit(self, X, y=None):
        self.n_features_in_ = np.shape(X)[1]
        return self

    def transform(self, X):
        X = np.asarray(X, dtype=float)
        return np.sign(X) * np.log1p(np.abs(X)) / np.log(BASE)
'''


def wheel(
    folder: Path,
    name: str,
    version: str,
    source: str,
    requires: Sequence[str] = (),
    more: Mapping[str, str] | None = None,
) -> Path:
    """A wheel with one module, and ``more`` files by their names."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files = {
        f"{name}.py": source,
        **(more or {}),
        f"{info}/METADATA": metadata + "".join(f"Requires-Dist: {requirement}\n" for requirement in requires),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for file, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{file},sha256={digest},{len(text.encode())}\n"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(file, text)
    return path


def signed_log(folder: Path) -> Path:
    """A folder with a transformer and what it needs, as a site with no internet has it."""
    wheel(folder, "signedlog", "1.3", SIGNED_LOG, ["signedlog_tables>=2", "numpy", "scikit-learn"])
    wheel(folder, "signedlog_tables", "2.0", "BASE = 2.718281828459045\n")
    return folder
