"""A model of the project's own class, which is asked in threads and takes its time."""

import base64
import hashlib
import zipfile

SLOW = """
import time
from pathlib import Path
from factor import FACTOR
from sklearn.linear_model import LinearRegression

class SlowRegression(LinearRegression):
    "Takes as many seconds as its first value says."
    def predict(self, X):
        time.sleep(X[0, 0])
        return super().predict(X) * FACTOR
"""


def make_wheel(folder, name, content):
    """A wheel with one module, as an installer wants it."""
    file = folder / f"{name}-1.0-py3-none-any.whl"
    members = {
        f"{name}.py": content,
        f"{name}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{name}-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},{len(text)}\n"
        for path, text in members.items()
    )
    with zipfile.ZipFile(file, "w") as archive:
        for path, text in members.items():
            archive.writestr(path, text)
        archive.writestr(f"{name}-1.0.dist-info/RECORD", record + f"{name}-1.0.dist-info/RECORD,,\n")
    return file.read_bytes()
