"""Everything that scikit-learn offers, fitted, passes inspection and loads: the list is not too short."""

import io
import pickle
import sys
import warnings
from pathlib import Path

import joblib
import pytest
import skops.io
from threadpoolctl import threadpool_limits

from taskkit.pickles import inspect, load

SCRIPTS = str(Path(__file__).parents[4] / "scripts")


@pytest.fixture(scope="module")
def corpus():
    sys.path.insert(0, SCRIPTS)
    try:
        from catalog import pickle_corpus

        with threadpool_limits(1):  # tiny fits by many threads only wait for each other
            yield pickle_corpus
    finally:
        sys.path.remove(SCRIPTS)


def skops_bytes(value):
    """None for what skops itself can't save."""
    try:
        return skops.io.dumps(value)
    except Exception:  # noqa: BLE001 - its savers raise what they like
        return None


def joblib_bytes(value):
    joblib.dump(value, stream := io.BytesIO())
    return stream.getvalue()


def test_every_estimator_that_fits_a_toy_set_is_inspected_and_loaded(corpus, tmp_path, no_project):
    path = tmp_path / "model"
    names = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, estimator in corpus.fitted_estimators():
            for content in (pickle.dumps(estimator), joblib_bytes(estimator)):
                path.write_bytes(content)
                assert not inspect(path).problems, name
                assert type(load(path, no_project, tmp_path)) is type(estimator), name
            names.add(name)
    assert len(names) > 190


@pytest.mark.slow
@pytest.mark.parametrize("protocol", [0, 2, 3, 4, 5, "skops"])
def test_every_estimator_in_every_form_that_it_can_be_saved_in(corpus, tmp_path, no_project, protocol):
    path, saved = tmp_path / "model", 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, estimator in corpus.fitted_estimators():
            content = skops_bytes(estimator) if protocol == "skops" else pickle.dumps(estimator, protocol)
            if content is not None:
                path.write_bytes(content)
                assert not inspect(path).problems, name
                assert type(load(path, no_project, tmp_path)) is type(estimator), name
                saved += 1
    assert saved > 180


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_values_that_parameters_and_states_hold_are_inspected_and_loaded(corpus, tmp_path, no_project):
    path = tmp_path / "model"
    for kind, value in corpus.values():
        path.write_bytes(pickle.dumps(value))
        assert not inspect(path).problems, (kind, value)
        assert type(load(path, no_project, tmp_path)) is type(pickle.loads(path.read_bytes()))


@pytest.mark.slow
def test_the_list_is_what_the_locked_packages_give(corpus, capsys):
    from catalog import pickle_names

    assert corpus
    assert pickle_names.main(["--check"]) == 0, capsys.readouterr().err
