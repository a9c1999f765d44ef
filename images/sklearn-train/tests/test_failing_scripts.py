"""What the program says, with which exit code, when the script does not do its part. None of these imports scikit-learn.

Most of it is told through the Task's YAML in ``test/endtoend``; here is what is not.
"""

import os
import signal
import subprocess
import sys
import time
from collections import namedtuple

import pytest

from sklearn_train.command import PROGRAM, work
from taskkit import command_line

NO_ARGS = ("--",)
Run = namedtuple("Run", "project code output error results")  # noqa: PYI024
GOOD = "open('model.pkl', 'wb').write(b'x')\nopen('metrics.json', 'w').write('{\"accuracy\": 1}')\n"


def failed(done, code=3):
    """The one line on stderr that is the program's own, the last one."""
    assert done.code == code, done.error
    assert not (done.project / "model").exists()
    assert not [path for path in done.project.iterdir() if path.name.startswith(".model")]
    last = done.error.strip().splitlines()[-1]
    assert last.startswith("sklearn-train: error: ")
    assert "Traceback" not in last
    return last.removeprefix("sklearn-train: error: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "open('/dev/full', 'wb', buffering=0).write(b'x')",
            "OSError: [Errno 28] No space left on device; make room on the volume",
        ),
        (
            "import nosuch",
            "raised ModuleNotFoundError: No module named 'nosuch'; add the package that holds it to requi",
        ),
        (
            "import os; os.environ['SM_CHANNEL_TEST']",
            "raised KeyError: 'SM_CHANNEL_TEST'; the dataset param is the only channel, train and training; let the",
        ),
    ],
)
def test_a_script_that_fails_is_quoted(run, script, text, said):
    assert said in failed(run(script(text)))


def test_a_script_that_is_missing_is_named_with_what_is_there(run, script):
    project = script(GOOD)
    message = failed(run(project, "--script", "train.py"))
    assert message.startswith("script 'train.py' does not exist in the workspace ")
    assert "(there are: src/train.py)" in message


@pytest.mark.parametrize("module", ["trainer.task", "trainer", "nowhere.task"])
def test_a_module_that_can_not_be_run_is_told_from_a_script_that_fails(run, script, module):
    project = script(GOOD)
    (project / "trainer").mkdir()
    (project / "trainer" / "__init__.py").touch()
    message = failed(run(project, "--script", module))
    assert message.startswith(f"script {module} can't be run: ")
    assert message.endswith("; name a module as seen from the workspace's root, or the path of a Python file")


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        (GOOD, ("--model-file", "other.pkl"),
         "model-file 'other.pkl' was not written by the script (it wrote model.pkl); give the path"),
        ("open('model.pkl', 'wb').write(b'x')\nopen('metrics.json', 'w').write('[1]')", (),
         "metrics file metrics.json holds a list, not an object; "),
        ("open('model.pkl', 'wb').write(b'x')\nopen('metrics.json', 'w').write('{\"a\": NaN, \"b\": {}, \"c\": true}')", (),
         "has no finite number at its top level (a: NaN, b: object, c: true or false); let the script write"),
        ("open('model.pkl', 'wb').write(b'x')\nopen('metrics.json', 'w').write('{\"acc\\\\ud800\": 1}')", (),
         "metrics file metrics.json names 'acc\\ud800', which holds half a character; let the script write"),
    ],
)  # fmt: skip
def test_what_the_script_should_have_written_is_named(run, script, text, options, said):
    assert said in failed(run(script(text), *options, *NO_ARGS))


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--dataset", "data/none.csv"), 3, "dataset 'data/none.csv' does not exist in the workspace "),
        (("--dataset", "src"), 3, "dataset 'src' is a directory; give the path of one file"),
        (("--dataset", "empty.csv"), 3, "dataset 'empty.csv' is empty"),
        (("--dataset", "rows.csv", "--dataset-sha256", "sha256:" + "0" * 64), 3,
         "dataset 'rows.csv' has sha256 492d5ea496056f1a6a6592241032fab764c321596317930b4fa0e1e8bc3b7470 (8 bytes), but"),
        (("--dataset", "rows.csv", "--dataset-sha256", "12"), 2, "dataset-sha256 is '12'; it takes 64 hexadecimal digits"),
        (("--dataset", "../rows.csv"), 2, "dataset '../rows.csv' leads out of the workspace"),
        (("--hyperparameters", "C"), 2, "hyperparameter 'C' is not name=value"),
        (("--hyperparameters", "C=1", "C=2"), 2, "hyperparameter 'C' is given twice"),
        (("--hyperparameters", "$(id)=1"), 2, "hyperparameter '$(id)=1' is not name=value"),
        (("--model-dir", "."), 2, "model-dir is the workspace itself; name a folder in it"),
        (("--model-dir", "src"), 2, "model-dir 'src' holds the script, and it is replaced by each run"),
        (("--model-dir", "data"), 2,
         "model-dir 'data' holds 'rows.csv' and is no model directory, and it is replaced by each run; name another folder"),
        (("--model-dir", "booster"), 2, "model-dir 'booster' holds 'trees' and is no model directory"),
        (("--golden", "some"), 2, "--golden is 'some'; it takes one of: shuffled, rows, none"),
        (("--script", "../train.py"), 2, "script '../train.py' leads out of the workspace"),
        (("--", "--data", "{dataset}"), 2, "args use {dataset}, but dataset is empty"),
        (("--requirements", "numpy<2"), 3, "requirement 'numpy<2' would replace the image's numpy "),
        (("--requirements", "; id"), 2, "requirement '; id' is none (Expected package name at the start"),
        (("--dataset", "x" * 5000), 2, f"dataset '{'x' * 40}…' is longer than a path may be (5000 characters)"),
        (("--requirements", "needs.txt"), 3, "requirements file 'needs.txt' does not exist in the workspace"),
        (("--requirements", "requirements.txt"), 3, "requirements.txt: requirement 'scikit-learn==1.0' would replace"),
        (("--include", "src/broken.py:app"), 3, "broken.py can't be read as Python ("),
        (("--include", "src/none.py"), 3, "include 'src/none.py' does not exist in the workspace"),
    ],
)  # fmt: skip
def test_a_wrong_param_is_named_before_the_script_runs(script, options, code, said, monkeypatch, capsys):
    project = script("raise SystemExit('it ran')", broken="def f(:")
    monkeypatch.chdir(project)
    (project / "rows.csv").write_text("a,b\n1,2\n")
    (project / "empty.csv").touch()
    (project / "data").mkdir()
    (project / "data" / "rows.csv").touch()
    (project / "booster" / "trees").mkdir(parents=True)
    (project / "booster" / "model.json").write_text('{"learner": {}, "version": [2, 0, 3]}')
    (project / "requirements.txt").write_text("scikit-learn==1.0  # old\n")
    ended = command_line.run(PROGRAM, work, options)
    output = capsys.readouterr()
    assert said in failed(Run(project, ended, output.out, output.err, {}), code)
    assert "$ python" not in output.out


def test_a_digest_that_fits_lets_the_script_run(run, script):
    project = script("import os\nraise SystemExit(f'it ran with {os.listdir(os.environ[\"SM_CHANNEL_TRAINING\"])}')")
    (project / "rows.csv").write_text("a,b\n1,2\n")
    (project / "other.csv").write_text("x")
    pin = "492d5ea496056f1a6a6592241032fab764c321596317930b4fa0e1e8bc3b7470"
    assert "it ran with ['rows.csv']" in failed(run(project, "--dataset", "rows.csv", "--dataset-sha256", pin))


def test_params_are_passed_on_as_they_are_and_never_run(run, script):
    project = script("import json, os, sys\nprint(json.dumps(sys.argv[1:]))\nprint(os.environ['SM_HPS'])\nsys.exit(4)")
    odd = ["a b", "$(id)", "`id`", "; id", "'\"", "-x", "line\nline", "ü日", "{model-dir}/{other}"]
    done = run(project, "--hyperparameters", "a=-1", "b=$(HOME)", "c=", "--", *odd)
    failed(done)
    assert (
        '"a b", "$(id)", "`id`", "; id", "\'\\"", "-x", "line\\nline", "\\u00fc\\u65e5", ".model.training/{other}", '
        '"--a=-1", "--b", "$(HOME)", "--c", ""]'
    ) in done.output
    assert '{"a": -1, "b": "$(HOME)", "c": ""}' in done.output


def test_values_that_are_too_long_for_a_process_are_named_or_left_out_of_the_environment(script, monkeypatch, capsys):
    monkeypatch.chdir(
        script("import os, sys\nraise SystemExit(f'{len(sys.argv[2])} {\"SM_USER_ARGS\" in os.environ}')")
    )
    command_line.run(PROGRAM, work, ["--hyperparameters", f"a={'x' * 100_000}", "b=two\nlines", "--"])
    output = capsys.readouterr()
    (command,) = [line for line in output.out.splitlines() if line.startswith("$ python")]
    assert command.endswith("…' --b 'two\\nlines'")
    assert "ended with exit code 1: 100000 True" in output.err
    command_line.run(PROGRAM, work, ["--", "-a", "x" * 100_000, "y" * 100_000])
    output = capsys.readouterr()
    assert "note: too long for the environment, and left out of it: SM_USER_ARGS\n" in output.out
    assert "ended with exit code 1: 100000 False" in output.err
    assert command_line.run(PROGRAM, work, ["--", "x" * 200_000]) == 2
    said = "the arguments of script src/train.py are longer than the system allows; put long values into a file"
    assert said in capsys.readouterr().err


def test_what_the_script_leaves_running_is_ended_and_its_output_not_waited_for(run, script):
    project = script(
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "away = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(61)'], start_new_session=True)\n"
        "open('pids', 'w').write(f'{child.pid} {away.pid}')\n"
    )
    started = time.monotonic()
    done = run(project)
    assert time.monotonic() - started < 30
    assert "the script wrote no model" in failed(done)
    assert done.output.count("ended a process that the script left behind") == 2
    for pid in map(int, (project / "pids").read_text().split()):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_sigterm_is_passed_on_and_nothing_stays(script):
    project = script(
        "import signal, sys, time\n"
        "def stop(*_):\n    print('saving', flush=True)\n    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\nprint('ready', flush=True)\ntime.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "sklearn_train"], cwd=project, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    for line in process.stdout:
        if line == "ready\n":
            break
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 3
    assert error.startswith("sklearn-train: error: stopped by SIGTERM; the run was cancelled or ran into its timeout")
    assert sorted(path.name for path in project.iterdir()) == ["src"]


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_workspace_that_is_not_writable_says_whose_it_is(run, script):
    project = script(GOOD)
    project.chmod(0o555)
    try:
        assert "set podTemplate.securityContext.fsGroup" in failed(run(project))
    finally:
        project.chmod(0o755)
