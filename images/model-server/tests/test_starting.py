"""What keeps a server from starting: one line that names the value, the place and the remedy, and the exit code."""

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import warnings

import joblib
import msgspec
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from model_server import __version__
from model_server.command import main
from model_server.cpu_limits import limit_library_threads, usable_processors
from model_server.late_model import await_model
from model_server.settings import read_settings
from taskkit.canonical import digest_of
from taskkit.errors import UsageError


@pytest.fixture
def refused(capsys, monkeypatch):
    """Runs the command in this process; gives (exit code, the one line on stderr)."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for name in ("MODEL_DIR", "MODEL_DIGEST", "MODEL_NAME", "APP", "PORT", "AIP_HTTP_PORT", "GOLDEN_CHECK"):
        monkeypatch.delenv(name, raising=False)

    def run(*options):
        code = main(["--host", "127.0.0.1", "--port", "0", *map(str, options)])
        output = capsys.readouterr()
        [line] = output.err.splitlines()
        assert output.out == ""
        return code, line

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_changed_file_is_refused_with_both_digests(refused, make_model):
    model = make_model()
    (model / "model.pkl").write_bytes(b"swapped")
    code, line = refused("--model-dir", model)
    assert code == 3
    assert f"model-server: error: {model}/model.pkl has sha256 " in line
    assert "but model.json says" in line


def test_the_version_comes_with_the_environment(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    first, python, *packages = capsys.readouterr().out.splitlines()
    assert first == f"model-server {__version__}"
    assert python.startswith(f"Python {sys.version.split()[0]} linux-")
    assert f"  numpy {np.__version__}" in packages


def test_another_digest_than_the_images_is_refused(refused, make_model):
    code, line = refused("--model-dir", make_model(), "--model-digest", "sha256:" + "0" * 64)
    assert code == 3
    assert "has digest sha256:" in line
    assert "but sha256:0000" in line


def test_a_file_that_nobody_vouches_for_is_refused(refused, make_model):
    model = make_model()
    (model / "extra.py").write_text("")
    assert refused("--model-dir", model)[1].endswith("extra.py is not listed in model.json; remove it, or train again")


def test_a_folder_without_a_model_says_what_makes_one(refused, tmp_path):
    code, line = refused("--model-dir", tmp_path)
    assert (code, line) == (
        3,
        (
            f"model-server: error: model directory {tmp_path} has no model.json (No such file or directory); "
            "run sklearn-train first, with the same model-dir"
        ),
    )


def test_a_model_behind_a_link_is_taken_by_the_name_that_was_given(refused, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "models").symlink_to(tmp_path / "elsewhere")
    code, line = refused("--model-dir", tmp_path / "models")
    assert code == 3
    assert f"model directory {tmp_path / 'models'} has no model.json" in line


def test_a_model_that_comes_later_is_waited_for_where_kserve_says_so(start, model_dir, tmp_path):
    late = tmp_path / "models"
    server = start("--model-dir", str(late), environment={"MODEL_INIT_MODE": "async"})
    server.line_with(f"waiting for a model in {late}")
    late.symlink_to(model_dir("iris"))
    assert server.ready().get("/readyz").status == 200


def test_waiting_for_a_model_ends_with_a_signal(start, tmp_path):
    server = start("--model-dir", str(tmp_path), environment={"MODEL_INIT_MODE": "async"})
    server.line_with("waiting for a model")
    assert server.stop() == 0
    assert server.output[-1] == "model-server: SIGTERM before being ready, ended"


def test_a_model_is_not_waited_for_forever(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("model_server.late_model.PATIENCE", 0)
    await_model(tmp_path)
    assert capsys.readouterr().out == f"model-server: waiting for a model in {tmp_path}\n"


def test_a_shell_is_started_as_kserves_modelcar_asks_for_it():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "model_server", "sh", "-c", "echo $$; exit 7"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 7
    assert int(done.stdout) > 0
    assert b"msgspec" not in done.stderr  # imports are too much for the memory and the hundredth of a core it gets


def test_another_scikit_learn_is_refused_before_anything_is_loaded(refused, make_model):
    model = make_model(
        packages={"scikit-learn": "1.5.2", "numpy": "2.0.0"}, save=lambda _, file: file.write_bytes(b"no pickle")
    )
    assert refused("--model-dir", model) == (
        3,
        (
            "model-server: error: what is installed here does not fit the model: scikit-learn 1.9.1, training had "
            "1.5.2; serve with the packages it was trained with, or train again with these"
        ),
    )


@pytest.mark.parametrize(
    ("numpy", "is_"),
    [("3.0.0", "another major version than"), ("2.99.1", "older than"), ("1.26.4", "another major version than")],
)
def test_an_older_or_another_numpy_is_refused(refused, make_model, numpy, is_):
    code, line = refused("--model-dir", make_model(packages={"scikit-learn": "1.9.1", "numpy": numpy}))
    assert code == 3
    assert f"numpy {np.__version__} is {is_} training's {numpy}; serve with" in line


def test_a_file_that_is_no_model_is_refused(refused, make_model):
    model = make_model(save=lambda _, file: file.write_bytes(b"no pickle"))
    code, line = refused("--model-dir", model)
    assert code == 3
    assert f"{model}/model.pkl" in line


class Hostile:
    def __reduce__(self):
        return os.system, ("touch hostile-was-here",)


def test_a_pickle_that_names_anything_else_than_estimators_is_refused_and_not_run(
    refused, make_model, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    code, line = refused("--model-dir", make_model(save=lambda _, file: file.write_bytes(pickle.dumps(Hostile()))))
    assert code == 3
    assert "model.pkl" in line
    assert "posix.system" in line
    assert not (tmp_path / "hostile-was-here").exists()


def test_an_estimator_that_does_not_predict_is_refused(refused, make_model):
    def save_scaler(_, file):
        joblib.dump(StandardScaler(), file)

    code, line = refused("--model-dir", make_model(save=save_scaler))
    assert code == 3
    assert "has no predict; save an estimator that predicts, for example a whole Pipeline" in line


def test_other_answers_than_in_training_are_refused_with_the_row(refused, make_model):
    model = make_model(
        change=lambda golden: msgspec.structs.replace(
            golden, predictions=("Setosa", "Virginica", *golden.predictions[2:])
        )
    )
    assert refused("--model-dir", model) == (
        3,
        (
            "model-server: error: the model answers differently than in training: row 1: predict gave 'Setosa', golden answer "
            "is 'Virginica'; serve with the packages it was trained with; if its answers move with the clock, set "
            "GOLDEN_CHECK=warn"
        ),
    )


def test_other_probabilities_beyond_the_tolerance_are_refused(refused, make_model):
    def change(golden):
        first, *rest = golden.probabilities
        return msgspec.structs.replace(golden, probabilities=(tuple(value + 1e-4 for value in first), *rest))

    assert "row 0: predict_proba gave [" in refused("--model-dir", make_model(change=change))[1]


def test_golden_rows_that_can_not_be_replayed_only_warn_when_asked(make_model, own_client):
    model = make_model(change=lambda golden: msgspec.structs.replace(golden, predictions=("Virginica",) * 4))
    client = own_client(model, "--golden-check", "warn")
    assert client.loaded.replayed == 0
    assert client.loaded.warnings == (
        "the model answers differently than in training: row 0: predict gave 'Setosa', golden answer is 'Virginica' (GOLDEN_CHECK=warn)",
    )
    assert client.get("/readyz").status == 200


def test_a_port_that_is_taken_is_told_before_the_model_is_loaded(refused, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert refused("--model-dir", tmp_path, "--port", port) == (
            3,
            f"model-server: error: can't listen on 127.0.0.1 port {port} (Address already in use); give another --host or --port",
        )


def test_a_gate_report_about_another_model_is_refused(refused, make_model):
    model = make_model()
    report = {
        "schema_version": "1", "verdict": "pass", "approved": True, "model_digest": "sha256:" + "1" * 64, "metrics": {},
        "checks": [], "baseline": {"kind": "none", "metrics": {}}, "rules": {}, "rules_from": "default",
        "on_missing_baseline": "warn",
    }  # fmt: skip
    (model / "gate-report.json").write_text(json.dumps(report))
    code, line = refused("--model-dir", model)
    assert code == 3
    assert "gate-report.json is about sha256:1111" in line


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--port", "http"], "port is 'http'; it must be a whole number from 0 to 65535"),
        (["--port", "65536"], "port is '65536'; it must be a whole number from 0 to 65535"),
        (["--threads", "0"], "threads is '0'; it must be a whole number from 1 to 1024"),
        (["--max-body", "nan"], "max-body is 'nan'; it must be a number from 0.001 to 4096"),
        (["--model-digest", "sha256:12"], "model-digest is 'sha256:12'; it must be sha256:<64 hex digits>"),
        (["--model-name", "a/b"], "model-name is 'a/b'; it may hold letters, digits, '.', '_' and '-'"),
        (["--golden-check", "off"], "golden-check is 'off'; it takes one of: fail, warn"),
        (
            ["--app", "serve:app"],
            "app is 'serve:app'; write the file and the name of the application in it: src/serve.py:app",
        ),
        (["--app", "../serve.py:app"], "app is '../serve.py:app'; write the file"),
        (
            ["--predict-route", "/x", "--health-route", "/x"],
            "health-route is '/x', and so is predict-route; give two paths",
        ),
        (["--speed", "9"], "unrecognized arguments: --speed 9; see `model-server --help`"),
    ],
)
def test_wrong_options_exit_with_2_and_name_what_is_allowed(refused, options, line):
    code, said = refused(*options)
    assert code == 2
    assert said.startswith(f"model-server: error: {line}")


def test_options_come_before_the_environment_and_empty_means_not_given():
    environment = {"PORT": "9000", "AIP_HTTP_PORT": "9001", "MODEL_NAME": "", "MODEL_DIR": "/elsewhere"}
    settings = read_settings(["--model-dir", "here"], environment)
    assert (settings.port, settings.model_name, str(settings.model_dir)) == (9000, "model", "here")
    assert read_settings([], {"AIP_HTTP_PORT": "9001"}).port == 9001
    assert read_settings([], {}).port == 8080
    with pytest.raises(UsageError, match="port is 'x'"):
        read_settings([], {"PORT": "x"})


@pytest.mark.parametrize("options", [["serve"], ["serve", "--port", "1"]])
def test_the_word_that_sagemaker_starts_images_with_changes_nothing(options):
    assert read_settings(options, {}) == read_settings(options[1:], {})


def test_another_word_is_no_option(refused):
    assert refused("train") == (
        2, "model-server: error: unrecognized arguments: train; see `model-server --help`"
    )  # fmt: skip


def test_processors_are_those_of_the_cgroup(tmp_path):
    (tmp_path / "cpu.max").write_text("50000 100000")
    assert usable_processors(tmp_path) == 1
    (tmp_path / "cpu.max").write_text("max 100000")
    unlimited = usable_processors(tmp_path)
    assert unlimited == usable_processors(tmp_path / "no-cgroup")
    version_1 = tmp_path / "v1" / "cpu"
    version_1.mkdir(parents=True)
    (version_1 / "cpu.cfs_quota_us").write_text("100000")
    (version_1 / "cpu.cfs_period_us").write_text("100000")
    assert usable_processors(tmp_path / "v1") == 1
    (version_1 / "cpu.cfs_quota_us").write_text("-1")
    assert usable_processors(tmp_path / "v1") == unlimited


def test_libraries_get_one_thread_unless_the_user_says_otherwise():
    environment = {"OMP_NUM_THREADS": "4"}
    limit_library_threads(environment)
    assert environment["OMP_NUM_THREADS"] == "4"
    assert environment["OPENBLAS_NUM_THREADS"] == environment["LOKY_MAX_CPU_COUNT"] == "1"


def test_explain_prints_the_trail_back_to_the_commit(make_model, capsys):
    model = make_model()
    manifest = (model / "model.json").read_bytes()
    digest = digest_of(manifest)
    report = {
        "schema_version": "1", "verdict": "overridden", "approved": True, "model_digest": digest, "metrics": {"accuracy": "0.97"},
        "checks": [{"metric": "accuracy", "rule": "max_drop", "bound": "0", "direction": "higher", "severity": "error",
                    "candidate": "0.97", "baseline": "0.98", "verdict": "fail", "message": "worse by 0.01"}],
        "baseline": {"kind": "metric-files", "metrics": {"accuracy": "0.98"}}, "rules": {}, "rules_from": "default",
        "on_missing_baseline": "warn", "override": {"reason": "new labels", "replaced": "fail"},
    }  # fmt: skip
    (model / "gate-report.json").write_text(json.dumps(report))
    assert main(["--explain", "--model-dir", str(model), "--model-digest", digest]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"model       {digest} (as given from outside)"
    assert (
        lines[3] == f"gate        overridden, approved, report {digest_of((model / 'gate-report.json').read_bytes())}"
    )
    assert [line.strip() for line in lines[4:]] == [
        "accuracy 0.97: max_drop 0, baseline 0.98: fail",
        "overridden: new labels",
        "metrics     accuracy 0.97",
        f"data        data/iris.csv sha256:{'ab' * 32} (1234 bytes)",
        f"commit      {'c0ffee' * 6}c0ff of https://example.com/iris.git",
        "script      src/train.py with C=1.0",
        next(line for line in lines if line.startswith("trained on  Python 3.") and "scikit-learn 1.9.1" in line),
    ]
    (model / "model.pkl").write_bytes(b"")
    assert main(["--explain", "--model-dir", str(model)]) == 3


def test_an_estimator_of_the_projects_own_code_that_is_not_there_is_named(refused, make_model, tmp_path, monkeypatch):
    (tmp_path / "gone.py").write_text(
        "from sklearn.linear_model import LogisticRegression\nclass Own(LogisticRegression):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import gone

    own = gone.Own().fit([[0.0], [1.0]], [0, 1])
    model = make_model(estimator=own, inputs=np.array([[0.0], [1.0]]), golden=0)
    del sys.modules["gone"]
    (tmp_path / "gone.py").unlink()
    code, line = refused("--model-dir", model)
    assert code == 3
    assert "gone" in line
    assert isinstance(own, LogisticRegression)
