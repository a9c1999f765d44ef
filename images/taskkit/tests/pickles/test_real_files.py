"""Estimators as people save them pass inspection and load unchanged; the project's own names as model.json lists them."""

import functools
import pickle
import sys
import zipfile

import cloudpickle
import joblib
import numpy as np
import pytest
import scipy.stats
import skops.io
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from taskkit.errors import TaskError
from taskkit.pickles import check, inspect, load
from taskkit.pickles.names import locked_names

ROWS, LABELS = load_iris(return_X_y=True)
ESTIMATORS = {
    "pipeline": make_pipeline(FunctionTransformer(np.log1p), StandardScaler(), LogisticRegression()),
    "forest": RandomForestClassifier(n_estimators=3, random_state=0),
    "boosting": HistGradientBoostingClassifier(max_iter=2),
    "search": GridSearchCV(SVC(), {"C": [1, 2]}, scoring="accuracy"),
    "columns": ColumnTransformer([("a", StandardScaler(), make_column_selector("0")), ("b", "passthrough", [1])]),
}
SAVES = {
    **{f"pickle {protocol}": lambda model, path, protocol=protocol: path.write_bytes(pickle.dumps(model, protocol)) for protocol in range(6)},
    **{f"joblib {kind}": lambda model, path, kind=kind: joblib.dump(model, path, compress=kind) for kind in (0, 3, ("gzip", 3), ("xz", 3))},
    "cloudpickle": lambda model, path: path.write_bytes(cloudpickle.dumps(model)),
    "skops": skops.io.dump,
}  # fmt: skip


@functools.cache
def fitted(name):
    return ESTIMATORS[name].fit(ROWS, LABELS)


@pytest.mark.parametrize("save", SAVES.values(), ids=SAVES)
@pytest.mark.parametrize("name", ["pipeline", "forest", "boosting", "search"])
def test_saved_estimators_load_and_answer_the_same(tmp_path, no_project, name, save):
    model = fitted(name)
    path = tmp_path / "model"
    save(model, path)
    assert inspect(path).problems == ()
    loaded = load(path, no_project, tmp_path / "code")
    assert type(loaded) is type(model)
    assert (loaded.predict(ROWS) == model.predict(ROWS)).all()


def test_arrays_keep_order_dtype_and_content(tmp_path, no_project):
    arrays = [
        np.arange(12.0).reshape(3, 4), np.asfortranarray(np.arange(12).reshape(3, 4)), np.array(["a", "äö"]), np.array(5),
        np.zeros((0, 3)), np.arange(3, dtype=">f8"), np.array(["2024-01-01"], "M8[ns]"), np.array([True]),
        np.zeros(2, dtype=[("a", "i4"), ("b", "f8", (2,))]), np.array([None, "x", 1.5], dtype=object), np.zeros(3 << 18),
    ]  # fmt: skip
    joblib.dump(arrays, tmp_path / "m")
    for expected, found in zip(arrays, load(tmp_path / "m", no_project, tmp_path), strict=True):
        assert (found.dtype, found.shape) == (expected.dtype.newbyteorder("="), expected.shape)
        assert (found == expected).all()
        assert found.flags.f_contiguous == expected.flags.f_contiguous


def test_inspection_lists_every_name_without_importing_it(tmp_path):
    path = tmp_path / "m"
    vectorizer = TfidfVectorizer().fit(["a few words"])
    vectorizer.custom = __import__("colorsys").hls_to_rgb
    path.write_bytes(pickle.dumps(vectorizer))
    kept = sys.modules.pop("colorsys")
    try:
        names = [str(name) for name, _ in inspect(path).names]
        assert "colorsys" not in sys.modules
    finally:
        sys.modules["colorsys"] = kept
    assert {"sklearn.feature_extraction.text.TfidfVectorizer", "colorsys.hls_to_rgb", "numpy.dtype"} <= set(names)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project module ``ownfeatures`` in code/, with a model file that names its class."""
    code = tmp_path / "model" / "code"
    code.mkdir(parents=True)
    (code / "ownfeatures.py").write_text(
        "from os import system\nimport numpy as np\nfrom collections import namedtuple\n"
        "class Scale:\n    def __init__(self):\n        self.by = 2\n    class Inner: pass\n"
        "def double(x):\n    return 2 * x\nPoint = namedtuple('Point', 'x y')\nalias = system\n"
    )  # fmt: skip
    monkeypatch.syspath_prepend(str(code))
    monkeypatch.delitem(sys.modules, "ownfeatures", raising=False)
    import ownfeatures

    yield code, ownfeatures
    sys.modules.pop("ownfeatures", None)


def saved(code, value):
    path = code.parent / "model.pkl"
    path.write_bytes(pickle.dumps(value))
    return path


def test_project_classes_load_when_listed_and_defined(project, make_manifest):
    code, module = project
    path = saved(code, [module.Scale(), module.double, module.Point(1, 2)])
    manifest = make_manifest(("ownfeatures.Scale", "ownfeatures.double", "ownfeatures.Point"))
    check(path, manifest, code)
    scale, double, point = load(path, manifest, code)
    assert (scale.by, double(2), point.y) == (2, 4, 2)


def test_project_classes_that_model_json_does_not_list_are_refused(project, make_manifest):
    code, module = project
    path = saved(code, module.Scale())
    for read in (check, load):
        with pytest.raises(TaskError, match=r"names ownfeatures.Scale at byte"):
            read(path, make_manifest(("ownfeatures.double",)), code)


@pytest.mark.parametrize(("listed", "message"), [
    ("ownfeatures.system", "ownfeatures.py does not define system"), ("ownfeatures.alias", "does not define alias"),
    ("ownfeatures.Missing", "does not define Missing"), ("elsewhere.Thing", "holds no module elsewhere"),
    ("os.system", "holds no module os"), ("nodots", "which is no module.name"), ("own features.x", "which is no module.name"),
])  # fmt: skip
def test_what_model_json_lists_must_be_defined_in_code(project, make_manifest, listed, message):
    code, module = project
    path = saved(code, module.Scale())
    for read in (check, load):
        with pytest.raises(TaskError, match=message):
            read(path, make_manifest((listed,)), code)


def test_nested_classes_are_refused_with_the_remedy(project, make_manifest):
    code, module = project
    with pytest.raises(TaskError, match=r"dotted name .*move nested classes to the top of their module"):
        check(saved(code, module.Scale.Inner()), make_manifest(("ownfeatures.Scale",)), code)


def test_code_by_value_is_refused_with_the_remedy(tmp_path, no_project):
    path = tmp_path / "m"
    path.write_bytes(cloudpickle.dumps(FunctionTransformer(lambda x: x)))
    with pytest.raises(TaskError, match=r"cloudpickle.*must lie in a module of the project"):
        check(path, no_project, tmp_path)


def test_a_search_over_distributions_is_refused_with_the_remedy(tmp_path, no_project):
    """Loading one runs its state: ``_parse_arg_template`` goes to exec."""
    path = tmp_path / "m"
    path.write_bytes(pickle.dumps(RandomizedSearchCV(SVC(), {"C": scipy.stats.uniform(1, 2)})))
    with pytest.raises(TaskError, match=r"names scipy\.stats.*save the search's best_estimator_ instead"):
        check(path, no_project, tmp_path)


def test_names_of_wheels_are_allowed_when_a_wheel_holds_their_module(tmp_path, make_manifest):
    (tmp_path / "wheels").mkdir()
    with zipfile.ZipFile(tmp_path / "wheels" / "own-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("own/__init__.py", "")
        wheel.writestr("own/deep.cpython-311-x86_64-linux-gnu.so", "")
        wheel.writestr("own-1.data/purelib/flat.py", "")
    path = tmp_path / "m"
    path.write_bytes(b"\x80\x04(cown\nA\ncown.deep\nB\ncflat\nC\nt.")
    assert check(path, make_manifest((), ("own.A", "own.deep.B", "flat.C")), tmp_path / "code").problems == ()
    with pytest.raises(TaskError, match=r"no wheel in .* holds the module other"):
        check(path, make_manifest((), ("other.A",)), tmp_path / "code")


def test_the_allowed_list_has_no_modules_and_nothing_forbidden():
    allowed = locked_names()
    names = allowed.classes | allowed.values | allowed.functions | allowed.called
    assert len(names) > 500
    assert not [name for name in names if "." in name.name]
    forbidden = {
        "os",
        "posix",
        "sys",
        "subprocess",
        "operator",
        "types",
        "importlib",
        "pickle",
        "_pickle",
        "joblib.memory",
        "scipy.stats",
    }
    assert not [name for name in names if any(f"{name.module}.".startswith(f"{module}.") for module in forbidden)]
    assert not {str(name) for name in names} & {
        "builtins.eval",
        "builtins.getattr",
        "builtins.type",
        "numpy.memmap",
        "numpy.load",
    }


def test_a_missing_class_and_a_failing_constructor_are_one_line_with_the_cause(tmp_path, no_project, monkeypatch):
    path = tmp_path / "m"
    path.write_bytes(pickle.dumps(LogisticRegression()))
    monkeypatch.delattr("sklearn.linear_model._logistic.LogisticRegression")
    with pytest.raises(TaskError, match=r"LogisticRegression, which is not there .*other versions"):
        load(path, no_project, tmp_path)
    path.write_bytes(b"\x80\x04cnumpy\ndtype\n(X\x05\x00\x00\x00wrong\x89\x88tR.")
    with pytest.raises(TaskError, match=r"numpy\.dtype raised TypeError"):
        load(path, no_project, tmp_path)
