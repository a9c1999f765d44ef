"""Every classifier and regressor of scikit-learn, trained, converted where it converts, served, and compared.

    .venvs/tools/bin/python test/bench/serve/agreement.py [--only NAME …] [--docs]

Each is fitted on one small data set with its defaults (smaller where those take long). Conversion and its proof are
sklearn-train's, loading and choosing an engine model-server's. Then all rows of the data, and others between them, are
asked of the server's engine and of the estimator: labels must be equal, and the largest difference of a number is told.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import textwrap
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[3] / "images" / "model-server" / "tests"))

import numpy as np
import pandas as pd
import sklearn

from small_models import signature_of, write_model

LONGEST = 120
"""Seconds for one estimator."""
BETWEEN = 300
_GIVEN: dict[str, dict[str, Any]] = {
    "GaussianProcessClassifier": {"max_iter_predict": 20}, "MLPClassifier": {"max_iter": 200}, "MLPRegressor": {"max_iter": 200},
    "NuSVC": {"nu": 0.2}, "RadiusNeighborsClassifier": {"radius": 5.0}, "RadiusNeighborsRegressor": {"radius": 1.0},
    "RandomForestClassifier": {"random_state": 0}, "RandomForestRegressor": {"random_state": 0},
}  # fmt: skip
_INNER = ("ClassifierChain", "FixedThresholdClassifier", "MultiOutputClassifier", "MultiOutputRegressor", "OneVsOneClassifier",
          "OneVsRestClassifier", "OutputCodeClassifier", "RegressorChain", "SelfTrainingClassifier", "StackingClassifier",
          "StackingRegressor", "TunedThresholdClassifierCV", "VotingClassifier", "VotingRegressor")  # fmt: skip


@dataclass
class Agreement:
    name: str
    kind: str
    engine: str = ""
    not_converted: str = ""
    """Why; empty where it was proved."""
    rows: int = 0
    labels_differ: int = 0
    largest_difference: float = 0.0
    """Of numbers and probabilities, relative to max(1, |expected|)."""
    problem: str = ""


def estimators() -> Iterator[tuple[str, str, Any]]:
    """Name, classifier or regressor, and an instance."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
    from sklearn.utils import all_estimators

    for kind in ("classifier", "regressor"):
        one, two = (LogisticRegression(max_iter=500), DecisionTreeClassifier(random_state=0)) if kind == "classifier" else (
            Ridge(), DecisionTreeRegressor(random_state=0))  # fmt: skip
        for name, found in all_estimators(kind):
            options = dict(_GIVEN.get(name, {}))
            if name in _INNER:
                several = name.startswith(("Stacking", "Voting"))
                options |= {"estimators": [("one", one), ("two", two)]} if several else {"estimator": one}
            yield name, kind, found(**options)


def data_for(name: str, kind: str) -> tuple[pd.DataFrame, Any]:
    from sklearn.datasets import load_diabetes, load_iris

    if kind == "classifier":
        iris = load_iris(as_frame=True)
        frame = iris.data.rename(columns=lambda column: column.removesuffix(" (cm)"))
        target = pd.Series(iris.target_names[iris.target])
        if name in {"FixedThresholdClassifier", "TunedThresholdClassifierCV"}:
            return frame, (target == "virginica").astype(int)
        if name in {"MultiOutputClassifier", "ClassifierChain"}:
            return frame, np.column_stack([iris.target > 0, iris.target > 1]).astype(int)
        return frame, target
    diabetes = load_diabetes(as_frame=True, scaled=False)
    frame, target = diabetes.data.iloc[:200, :6].astype(float), diabetes.target[:200] / 100
    if name.startswith(("MultiTask", "MultiOutput", "RegressorChain", "CCA", "PLSCanonical")):
        return frame, np.column_stack([target, target**2])
    return (frame.iloc[:, :1] if name == "IsotonicRegression" else frame), target


def agreement(name: str, kind: str, estimator: Any, folder: Path) -> Agreement:
    from model_server.checked_files import check_files
    from model_server.loading import load_model
    from sklearn_train.onnx_conversion import convert
    from taskkit.estimator_io import answers, estimator_input

    found = Agreement(name, kind)
    frame, target = data_for(name, kind)
    try:
        estimator.fit(frame, target)
    except Exception as error:  # noqa: BLE001  some take other data
        found.problem = f"not fitted: {one_line(error)}"
        return found
    signature = signature_of(estimator, frame)
    rows = [tuple(row) for row in frame.to_numpy().tolist()]
    content = None
    try:
        content, proof = convert(estimator, signature, rows)
        found.not_converted = proof.reason
    except Exception as error:  # noqa: BLE001  the converter raises what it likes
        found.not_converted = one_line(error)
    loaded = load_model(check_files(write_model(folder, estimator, frame, onnx=content), None), golden_check="fail")
    found.engine = loaded.engine.name.partition(" 1.")[0]
    random = np.random.default_rng(0)
    columns = [
        random.permutation(frame[column].to_numpy())[random.integers(0, len(frame), BETWEEN)] for column in frame
    ]
    asked = [*rows, *map(tuple, (np.column_stack(columns) + random.normal(0, 0.05, (BETWEEN, len(columns)))).tolist())]
    expected = answers(estimator, estimator_input(signature, asked), probabilities=signature.outputs.probabilities)
    served = loaded.engine.answer(asked)
    found.rows = len(asked)
    if kind == "classifier":
        found.labels_differ = sum(tuple_of(one) != tuple_of(other) for one, other in
                                  zip(served.predictions or (), expected[0], strict=True))  # fmt: skip
        numbers = (served.probabilities, expected[1])
    else:
        numbers = (served.predictions, expected[0])
    if numbers[0] is not None and numbers[1] is not None:
        one, other = (np.asarray(values, float) for values in numbers)
        both = ~np.isnan(one) & ~np.isnan(other)  # neighbours that are not there, for example
        if (np.isnan(one) != np.isnan(other)).any():
            found.problem = "one gives a number, the other none"
        found.largest_difference = float(np.max(np.abs(one - other)[both] / np.maximum(1, np.abs(other[both]))))
    return found


def tuple_of(label: Any) -> Any:
    return tuple(label) if isinstance(label, list | tuple) else label


def one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


class TooLongError(Exception):
    """One estimator takes longer than LONGEST."""


def bounded(name: str, kind: str, estimator: Any, folder: Path) -> Agreement:
    def stop(*_: object) -> None:
        raise TooLongError(f"longer than {LONGEST} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(LONGEST)
    try:
        return agreement(name, kind, estimator, folder)
    except Exception as error:  # noqa: BLE001
        return Agreement(name, kind, problem=one_line(error))
    finally:
        signal.alarm(0)


PAGE = Path(__file__).parents[3] / "docs" / "estimators.md"
_HEAD = """\
# Estimators

Made by `test/bench/serve/agreement.py`: every classifier and regressor of scikit-learn {version}, fitted on a small table
(iris, diabetes), converted and proved by `sklearn-train`, loaded by `model-server`, and asked about all rows of its data and
{between} between them. What is not converted is served by scikit-learn itself. A difference of numbers or probabilities is
relative to max(1, |what scikit-learn gives|).

{served} of {count} served, {proved} of them by ONNX Runtime; {wrong} with a label that differs.
"""


def text(everything: list[Agreement]) -> str:
    """A page of Markdown."""
    served = [one for one in everything if one.engine]
    head = _HEAD.format(
        version=sklearn.__version__, between=BETWEEN, count=len(everything), served=len(served),
        proved=sum(one.engine.startswith("ONNX") for one in served), wrong=sum(one.labels_differ > 0 for one in served),
    )  # fmt: skip
    lines = ["| estimator | engine | rows asked | labels that differ | largest difference | why not by ONNX Runtime |",
             "|---|---|--:|--:|--:|---|"]  # fmt: skip
    for one in everything:
        difference = f"{one.largest_difference:.0e}" if one.largest_difference else "0"
        numbers = f"{one.rows} | {one.labels_differ} | {difference}" if one.engine else "| | "
        lines.append(f"| {one.name} | {one.engine or 'not served'} | {numbers} | {shortened(one)} |")
    return "\n".join([head, *lines]) + "\n"


def shortened(found: Agreement) -> str:
    reason = (found.problem or found.not_converted).partition("; ")[0]
    if reason.startswith("MissingShapeCalculator"):
        return "skl2onnx has no converter"
    return textwrap.shorten(reason.replace("|", "/").replace("<", "&lt;"), 100, placeholder=" …")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--docs", action="store_true", help="write docs/estimators.md anew")
    given = parser.parse_args()
    if given.docs and given.only:
        parser.error("--docs shows all estimators; leave out --only")
    warnings.simplefilter("ignore")
    everything = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, kind, estimator in estimators():
            if given.only and name not in given.only:
                continue
            began = time.monotonic()
            found = bounded(name, kind, estimator, Path(scratch, name))
            everything.append(found)
            print(
                f"{name}: {found.engine or found.problem} ({time.monotonic() - began:.0f} s)",
                file=sys.stderr,
                flush=True,
            )
    page = text(everything)
    print(page)
    if given.docs:
        PAGE.write_text(page, encoding="utf-8")
    return 3 if any(one.labels_differ for one in everything) else 0


if __name__ == "__main__":
    sys.exit(main())
