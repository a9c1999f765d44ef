"""The observer inside a script's process: what it sees, and that the script can't tell."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import sklearn_train

STARTUP = Path(sklearn_train.__file__).parent / "startup"

SCRIPT = '''
import cloudpickle, hashlib, inspect, os, pickle, random, subprocess, sys, traceback, warnings
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from own import Own

class Local(ClassifierMixin, BaseEstimator):
    """By value."""
    def fit(self, X, y=None):
        """Fits."""
        warnings.warn("from fit", UserWarning, stacklevel=2)
        if y is None:
            raise ValueError("no y")
        self.classes_ = np.unique(y)
        return self
    def predict(self, X):
        return np.repeat(self.classes_[:1], len(X))

def show(*values):
    print(*values, flush=True)

X = pd.DataFrame({"a": np.arange(40.0), "b": np.arange(40) % 7, "c": list("xyz" * 13) + ["x"]})
X.loc[3, "a"] = np.nan
y = np.arange(40) % 2
numbers = X[["b"]]
try:
    Local().fit(X)
except ValueError:
    show(traceback.format_exc())
try:
    Local().fit()
except TypeError:
    show(traceback.format_exc())
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    local = Local().fit(X, y)
show([(w.filename, w.lineno, str(w.message)) for w in caught])
show(inspect.signature(Local.fit), inspect.getsource(Local.fit), Local.fit.__doc__, Local.fit.__qualname__)
show(len(cloudpickle.dumps(local)), b"observ" in cloudpickle.dumps(local))  # it holds a random id
show(sys.path, sys.argv, __name__, os.environ.get("PYTHONPATH"), "SKLEARN_TRAIN_OBSERVATIONS" in os.environ)
search = GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [0.1, 1.0]}, cv=2)
search.fit(numbers, y)
show(cross_val_score(LogisticRegression(), numbers, y, cv=3).round(6).tolist())
show(Pipeline([("s", StandardScaler()), ("o", Own())]).fit_transform(X[["b"]].to_numpy()).tolist()[:2])
stream = SGDClassifier(random_state=0)
for part in (slice(0, 10), slice(10, 40)):
    stream.partial_fit(numbers[part], y[part], classes=[0, 1])
show(random.random() if random.seed(1) is None else 0, np.random.RandomState(0).rand(), np.random.rand() >= 0)
show(subprocess.run([sys.executable, "-c", "import sys, os; print('sklearn_train.fit_observer' in sys.modules)"],
                    capture_output=True, text=True).stdout)
with open(sys.argv[1], "wb") as file:
    pickle.dump((search, search.best_estimator_, stream), file)
show(hashlib.sha256(pickle.dumps((search.best_estimator_, stream))).hexdigest())
'''
OWN = """
from sklearn.base import BaseEstimator, TransformerMixin

class Own(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.offset_ = X.min()
        return self

    def transform(self, X):
        return X - self.offset_
"""


@pytest.fixture(scope="module")
def observed(tmp_path_factory):
    """(observations, output with the observer, output without it, saved objects)."""
    folder = tmp_path_factory.mktemp("observed")
    (folder / "script.py").write_text(SCRIPT)
    (folder / "own.py").write_text(OWN)
    base = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")}
    watched = {**base, "PYTHONPATH": str(STARTUP), "SKLEARN_TRAIN_OBSERVATIONS": str(folder / "observations")}
    outputs = [
        subprocess.run(
            [sys.executable, "script.py", "saved.pkl"], cwd=folder, env=environment, capture_output=True, text=True,
            check=False,
        )
        for environment in (base, watched)
    ]  # fmt: skip
    for done in outputs:
        assert done.returncode == 0, done.stderr
    seen = pickle.loads((folder / "observations").read_bytes())
    sys.path.insert(0, str(folder))
    try:
        saved = pickle.loads((folder / "saved.pkl").read_bytes())
    finally:
        sys.path.remove(str(folder))
    return seen, outputs[1], outputs[0], saved


def test_the_script_can_not_tell_that_it_is_observed(observed):
    _, watched, alone, _ = observed
    assert watched.stdout == alone.stdout
    assert watched.stderr == alone.stderr
    assert "from fit" in watched.stdout
    assert "sklearn_train" not in watched.stdout + watched.stderr.replace("b'sklearn_train'", "")


def test_only_outermost_fits_are_seen(observed):
    seen, *_ = observed
    names = [record.class_name for record in seen["fits"]]
    assert names.count("sklearn.model_selection._search.GridSearchCV") == 1
    # The search's best estimator, and a fit_transform, which scikit-learn hides behind a descriptor.
    assert names.count("sklearn.pipeline.Pipeline") == 2
    assert names.count("sklearn.linear_model._logistic.LogisticRegression") == 3  # cross_val_score is no fit itself
    assert "sklearn.preprocessing._data.StandardScaler" not in names
    assert names.count("__main__.Local") == 1
    assert seen["problem"] == ""


def test_containers_columns_and_missing_values_are_written_down(observed):
    seen, *_ = observed
    local = next(record.seen for record in seen["fits"] if record.class_name == "__main__.Local")
    a, b, c = local.columns
    assert (local.container, local.rows, len(local.sample)) == ("dataframe", 40, 40)
    assert (a.name, a.kind, a.nullable, a.minimum, a.maximum) == ("a", "number", True, 0.0, 39.0)
    assert (b.kind, b.dtype, b.maximum, b.nullable) == ("integer", "int64", 6, False)
    assert (c.kind, c.counts) == ("string", {"x": 14, "y": 13, "z": 13})
    *_, piped = [record.seen for record in seen["fits"] if record.class_name == "sklearn.pipeline.Pipeline"]
    assert (piped.container, [column.name for column in piped.columns]) == ("array-2d", ["x0"])


def test_parts_that_were_fitted_one_after_the_other_add_up(observed):
    seen, *_ = observed
    streams = [r.seen for r in seen["fits"] if r.class_name.endswith("SGDClassifier")]
    assert [(stream.rows, stream.columns[0].minimum, stream.columns[0].maximum) for stream in streams] == [(40, 0, 6)]


def test_saved_objects_are_matched_to_their_fits(observed):
    from sklearn_train.signature_of import matching_fit

    seen, _, _, (search, best, stream) = observed
    assert matching_fit(search, seen["fits"])[0].class_name.endswith("GridSearchCV")
    found, _ = matching_fit(best, seen["fits"])
    assert found.class_name == "sklearn.pipeline.Pipeline"
    assert found.seen is matching_fit(search, seen["fits"])[0].seen, "what the search saw, its best estimator saw"
    assert matching_fit(stream, seen["fits"])[0].class_name.endswith("SGDClassifier")
    stream.coef_ = stream.coef_ + 1
    assert matching_fit(stream, seen["fits"])[0].class_name.endswith("SGDClassifier"), "changed after fit: by its class"
    nothing = (None, "no fit of this estimator was seen in the script's process")
    assert matching_fit(object(), seen["fits"]) == nothing


def test_modules_of_the_project_are_listed(observed):
    seen, *_ = observed
    assert Path(seen["modules"]["own"]).name == "own.py"


THREADS = """
import pickle, sys, threading
from concurrent.futures import ThreadPoolExecutor
import joblib
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

class Slow(ClassifierMixin, BaseEstimator):
    both = threading.Barrier(2)
    def fit(self, X, y):
        self.both.wait(60)  # until two threads are in fit
        StandardScaler().fit(X * 1000)
        self.mean_ = X.mean()
        self.both.wait(60)
        return self

X, y = np.random.RandomState(0).rand(60, 3), np.arange(60) % 2
X[0] = 1.0
with ThreadPoolExecutor(2) as pool:
    models = list(pool.map(lambda factor: Slow().fit(X * factor, y), [1, 100]))
with joblib.parallel_backend("threading", n_jobs=2):
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=3).fit(X, y)
    vote = VotingClassifier([("a", LogisticRegression()), ("b", LogisticRegression(C=2))], n_jobs=2).fit(X * 7, y)
with open(sys.argv[1], "wb") as file:
    pickle.dump((search, search.best_estimator_, vote), file)
"""


@pytest.fixture
def observe(tmp_path):
    """Runs a script under the observer; (what was observed, what it saved to its first argument)."""

    def run(text):
        (tmp_path / "script.py").write_text(text)
        environment = {**os.environ, "PYTHONPATH": str(STARTUP),
                       "SKLEARN_TRAIN_OBSERVATIONS": str(tmp_path / "observations")}  # fmt: skip
        done = subprocess.run([sys.executable, "script.py", "saved.pkl"], cwd=tmp_path, env=environment,
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        seen = pickle.loads((tmp_path / "observations").read_bytes())
        assert seen["problem"] == "", "the observer must not fail unseen"
        return seen, pickle.loads((tmp_path / "saved.pkl").read_bytes())

    return run


def test_fits_of_several_threads_are_told_apart_and_the_outer_one_is_described(observe):
    from sklearn_train.signature_of import matching_fit

    seen, (search, best, vote) = observe(THREADS)
    slow = [record for record in seen["fits"] if record.class_name == "__main__.Slow"]
    assert sorted(round(record.seen.columns[0].maximum) for record in slow) == [1, 100], "neither fit was dropped"
    assert sorted(record.overlapping for record in slow) == [False, True]
    assert not any("StandardScaler" in record.class_name for record in seen["fits"]), "a fit inside a fit of its thread"
    for model, rows, most in ((search, 60, 1), (best, 60, 1), (vote, 60, 7)):
        found, _ = matching_fit(model, seen["fits"])
        assert (found.seen.rows, round(found.seen.columns[0].maximum)) == (rows, most), type(model).__name__
        assert not found.overlapping, "a fit inside another thread's stands for nothing but itself"
    inner, _ = matching_fit(vote.estimators_[0], seen["fits"])
    assert (inner.overlapping, round(inner.seen.columns[0].maximum)) == (True, 7)


REGIONS = """
import copy, pickle, sys
import joblib, skops.io
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

class Keeper(LogisticRegression):
    def __getstate__(self):
        return vars(self).copy()  # asks nothing of scikit-learn

def train():
    X, y = np.linspace(0, 1, 120).reshape(40, 3), np.arange(40) % 2
    def fits(kind):
        return [kind().fit(X * factor, y) for factor in (1, 100)]
    pickled, joblibbed, skopsed, tree, keeper = (fits(kind)[0] for kind in (
        LogisticRegression, LogisticRegression, LogisticRegression, lambda: DecisionTreeClassifier(max_depth=1), Keeper))
    for model in (pickled, joblibbed, skopsed, tree, keeper):
        model.threshold = 0.7
    joblib.dump(joblibbed, "m.joblib")
    skops.io.dump(skopsed, "m.skops")
    pickle.dumps(tree)
    with open(sys.argv[1], "wb") as file:
        pickle.dump((pickled, copy.deepcopy(joblibbed), vars(skopsed), tree), file)
    return keeper

kept = train()
kept.threshold = 0.9
"""


def test_what_was_changed_after_its_fit_is_matched_by_the_state_it_was_saved_in(observe):
    from sklearn.linear_model import LogisticRegression

    from sklearn_train.signature_of import matching_fit

    seen, (pickled, joblibbed, state, tree) = observe(REGIONS)
    skopsed = LogisticRegression()
    vars(skopsed).update(state)
    for name, model in (("pickle", pickled), ("joblib", joblibbed), ("skops", skopsed), ("tree", tree)):
        found, reason = matching_fit(model, seen["fits"])
        assert model.threshold == 0.7
        assert found is not None, f"{name}: {reason}"
        assert found.seen.columns[0].maximum < 1, f"{name}: described by the fit of the other region"
    keepers = [record for record in seen["fits"] if record.class_name == "__main__.Keeper"]
    assert sorted(len(record.fingerprints) for record in keepers) == [1, 2], "what is alive is looked at in the end"


def test_an_unknown_state_is_described_only_where_all_fits_of_its_class_saw_the_same():
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    from sklearn_train.fit_observer import FitRecord
    from sklearn_train.observation import look
    from sklearn_train.signature_of import matching_fit

    X = np.linspace(0, 1, 60).reshape(20, 3)
    model = LogisticRegression().fit(X, np.arange(20) % 2)
    name = "sklearn.linear_model._logistic.LogisticRegression"

    def records(*given, saved=None):
        return [FitRecord(name, look(X), saved=at == saved) for at, X in enumerate(given)]

    same = records(X, X.copy())
    assert matching_fit(model, same) == (same[1], "")
    other = records(X, X[:, :2])
    assert matching_fit(model, other) == (other[0], ""), "a fit on two columns is not this one"
    reason = (
        "2 fits of a LogisticRegression were seen, on different data, and the saved one is in a state that none of them "
        "was seen in"
    )
    for unlike in (X * 100, X.astype("float32"), X[:15]):
        assert matching_fit(model, records(X, unlike)) == (None, reason)
    saved = records(X, X * 100, saved=0)
    assert matching_fit(model, saved) == (saved[0], ""), "only one of them was ever pickled"


def test_two_trees_of_as_many_nodes_are_told_apart():
    import numpy as np
    from sklearn.tree import DecisionTreeRegressor

    from sklearn_train.fingerprint import fingerprint

    X = np.arange(20.0).reshape(-1, 1)
    trees = [DecisionTreeRegressor(max_depth=1).fit(X * factor, X.ravel()) for factor in (1, 2, 1)]
    one, other, again = (fingerprint(tree) for tree in trees)
    assert (one == other, one == again) == (False, True)


STREAM = """
import pickle, sys
import numpy as np
import pandas as pd
from sklearn.linear_model import SGDRegressor
from sklearn.naive_bayes import GaussianNB

def stream():
    arrays, frames = SGDRegressor(), GaussianNB()
    for at in range(500):
        X = np.linspace(0, at + 1, 20).reshape(10, 2)
        arrays.partial_fit(X, X[:, 0])
        frames.partial_fit(pd.DataFrame({"a": X[:, 0], "n": np.arange(10) - at}), np.arange(10) % 2, classes=[0, 1])
    for at in range(250):
        SGDRegressor().partial_fit(X, X[:, 0])
    with open(sys.argv[1], "wb") as file:
        pickle.dump((arrays, frames), file)

stream()
"""


def test_every_part_of_a_long_stream_counts(observe):
    from sklearn_train.signature_of import matching_fit

    seen, (arrays, frames) = observe(STREAM)
    found, reason = matching_fit(arrays, seen["fits"])
    assert found is not None, reason
    assert (found.seen.rows, found.parts) == (5000, 500)
    assert [column.maximum for column in found.seen.columns] == [pytest.approx(500 * 18 / 19), 500]
    found, reason = matching_fit(frames, seen["fits"])
    assert found is not None, reason
    a, n = found.seen.columns
    assert (found.seen.rows, a.dtype, a.minimum, n.dtype, n.minimum, n.maximum) == (
        5000, "float64", 0.0, "int64", -499, 9
    )  # fmt: skip
