"""What goes wrong for users, through the Task's YAML: its exit code, one line with cause and remedy, and nothing left.

Each case is one row of a table: a project that does its part, what is changed in it, and what must be said.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import subprocess
from pathlib import Path

import limited_group
import pytest
from engine_runs import Run, task_file
from failing import (
    GOOD,
    MODEL,
    Case,
    check_failure,
    files,
    leftovers,
    mounts_work,
    project_of,
    read_only,
    record,
    small_disk,
)
from sklearn.linear_model import LinearRegression

from catalog.tree import TREE
from taskkit.model_directory import verify

TRAIN = task_file("sklearn-train")
# Leaves no room for what is written after the script's end.
FILLS = (
    GOOD
    + """
try:
    with open("filler", "wb", buffering=0) as filler:
        while True:
            filler.write(bytes(512))
except OSError:
    pass
"""
)
TOO_LARGE = "open('model.pkl', 'wb').write(bytes(4 << 20))"
ARGS = {"args": ["{model}", "{metrics}"], "onnx": "off"}


def writes(metrics: str) -> str:
    return GOOD.replace('json.dump({"r2": 1.0}, open(metrics, "w"))', f'open(metrics, "w").write({metrics!r})')


def old_model(project: Path) -> None:
    """A model/ that somebody committed, and a model.pkl beside it."""
    files(model__model__pkl=MODEL, model__model__json="{}", model__pkl=MODEL)(project)
    quiet = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
             **{f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}}  # fmt: skip
    for command in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "with a model")):
        subprocess.run(["git", *command], cwd=project, env=quiet, check=True)


SCRIPT = [
    Case("raises", r"script src/train\.py raised ValueError: no rows left; mend the script; its traceback is in the log above",
         "raise ValueError('no rows left')"),
    Case("exits 7", r"script src/train\.py ended with exit code 7: giving up; see its log above",
         "import sys\nprint('giving up')\nsys.exit(7)"),
    Case("is killed", r"script src/train\.py was killed by SIGKILL after .*, and wrote nothing; often that is too little memory: "
         r"it had \d+.* at most when last looked at", "import os\nos.kill(os.getpid(), 9)"),
    Case("crashes", r"script src/train\.py was killed by SIGSEGV after .*; see its log above",
         "import ctypes\nctypes.string_at(0)"),
    Case("runs into the timeout", r"stopped by SIGTERM; the run was cancelled or ran into its timeout; raise it if training needs "
         "longer", "import time\nprint('training', flush=True)\ntime.sleep(300)", stop_after=6, code=1),  # Tekton's own exit code of a TaskRun that was stopped
    Case("reads stdin", r"script src/train\.py raised EOFError: EOF when reading a line; a script that reads stdin finds it empty "
         "here; pass what it asks for in args", "input('C? ')"),
    Case("is missing", r"script 'src/fit\.py' does not exist in the workspace \S.* \(there are: src/train\.py\); give the path of a "
         "Python file, or the name of a module", params={"script": "src/fit.py"}),
    Case("is a missing module", r"script trainer\.task can't be run: .*No module named 'trainer'.*; name a module as seen from the "
         "workspace's root, or the path of a Python file", params={"script": "trainer.task"}),
    Case("is a directory", r"script 'src/' is a directory in the workspace .*; give the path of a Python file, or the name of a module",
         params={"script": "src/"}),
    Case("has a syntax error", r"script src/train\.py raised SyntaxError: .*; mend the script; its traceback is in the log above",
         "def train(:\n    pass"),
    Case("refuses our arguments", r"script src/train\.py does not take the arguments it was given \(exit code 2\): train\.py: error: "
         r"unrecognized arguments: --model-path .*; pass the script's own arguments in args, with .*, or args: \[\] for none",
         "import argparse\nargparse.ArgumentParser().parse_args()",
         params={"args": ["--model-path", "{model}", "--metrics-path", "{metrics}"]}),
    Case("needs arguments", r"script src/train\.py does not take the arguments it was given \(exit code 2\): .*the following arguments "
         r"are required: --data; pass the script's own arguments .*",
         "import argparse\np = argparse.ArgumentParser()\np.add_argument('--data', required=True)\np.parse_args()", params={"args": []}),
    Case("imports what is not there", r"script src/train\.py raised ModuleNotFoundError: No module named 'xgboost'; "
         "add the package that holds it to requirements, or the module to the project", "import xgboost"),
]  # fmt: skip
OUTPUT = [
    Case("no model", r"the script wrote no model; let it save the fitted estimator to the path in \{model\}, or name the file it "
         "writes in model-file", "import sys\nopen(sys.argv[2], 'w').write('{\"r2\": 1}')"),
    Case("no metrics", r'the script wrote no metrics; let it write a JSON object such as \{"accuracy": 0\.95\} to the path in '
         r"\{metrics\}, or name the file it writes in metrics-file", GOOD.replace("json.dump", "(lambda *_: 0)").replace(
         'open(metrics, "w")', "0")),
    Case("metrics are not JSON", r"metrics file metrics\.json is not JSON \(.*\); let the script write a JSON object .*",
         writes("accuracy: 0.9")),
    Case("metrics are nested", r"metrics file metrics\.json has no finite number at its top level \(test: object\); let the script "
         "write a JSON object with numbers at its top level, .*", writes('{"test": {"r2": 1.0}}')),
    Case("metrics are NaN", r"metrics file metrics\.json has no finite number at its top level \(r2: NaN\); .*", writes('{"r2": NaN}')),
    Case("metrics are empty", r"metrics file metrics\.json is empty; let the script write .*", writes("")),
    Case("metrics are an empty object", r"metrics file metrics\.json has no finite number at its top level \(it is empty\); .*",
         writes("{}")),
    Case("metrics are no text", r"metrics file metrics\.json is not JSON \(.*\); let the script write a JSON object .*",
         GOOD.replace('json.dump({"r2": 1.0}, open(metrics, "w"))', 'open(metrics, "wb").write(b"\\xff\\x00")')),
    Case("model is cut short", r"model\.pkl can't be read as a model \(.*\); the file is cut short or no model; .*", GOOD,
         setup=files(fitted__bin=MODEL[:-30])),
    Case("model is empty", r"model\.pkl can't be read as a model \(EOFError: it is empty\); the file is cut short or no model; .*",
         GOOD, setup=files(fitted__bin=b"")),
    Case("model is a dict", r"model\.pkl holds a dict \(keys: model, columns\), not an estimator; save the estimator by itself", GOOD,
         setup=files(fitted__bin=pickle.dumps({"model": 1, "columns": []}))),
    Case("model is an array", r"model\.pkl holds a list, which has no predict; save the estimator that predicts, .*", GOOD,
         setup=files(fitted__bin=pickle.dumps([1.0]))),
    Case("model is not fitted", r"model\.pkl holds a LinearRegression that is not fitted; save it after fit; .*", GOOD,
         setup=files(fitted__bin=pickle.dumps(LinearRegression()))),
    Case("class in __main__", r"model\.pkl needs 'Doubled', which is defined in the script src/train\.py itself \(__main__\), so no "
         "server can load it; move 'Doubled' to a module of its own beside the script and import it from there",
         "import pickle\nclass Doubled:\n    def predict(self, X):\n        return 2 * X\n" + GOOD.replace(
             'open("fitted.bin", "rb").read()', "pickle.dumps(Doubled())")),
    Case("two candidates", r"the script wrote several files that could be the model: encoder\.pkl, tree\.pkl; name one in model-file",
         "for name in ('tree', 'encoder'):\n    open(name + '.pkl', 'wb').write(b'x')"),
    Case("a link out of the workspace", r"model\.pkl is a link that leads out of the workspace; let the script write the file itself",
         "import os, sys\nos.symlink('/etc/hostname', sys.argv[1])"),
    Case("a stale model", r"the script wrote no model \(model\.pkl, model/model\.pkl was there before and does not count\); .*",
         "import sys\nopen(sys.argv[2], 'w').write('{\"r2\": 1}')", setup=old_model,
         kept=("model/model.pkl", "model/model.json", "model.pkl")),
    Case("a stale model by name", r"model-file 'model\.pkl' was there before, and the script did not write it again; .*",
         "import sys\nopen(sys.argv[2], 'w').write('{\"r2\": 1}')", setup=old_model, params={"model-file": "model.pkl"},
         kept=("model/model.pkl", "model/model.json", "model.pkl")),
]  # fmt: skip
PIN = "0" * 64
DATA = [
    Case("missing", r"dataset 'data/rows\.csv' does not exist in the workspace .* \(there are: other\.csv\); give its path",
         params={"dataset": "data/rows.csv"}, setup=files(other__csv="a\n1\n")),
    Case("a directory", r"dataset 'src' is a directory; give the path of one file", params={"dataset": "src"}),
    Case("another digest", rf"dataset 'rows\.csv' has sha256 [0-9a-f]{{64}} \(4 bytes\), but dataset-sha256 is {PIN}; restore the data, "
         "or pin the new digest if it changed on purpose", params={"dataset": "rows.csv", "dataset-sha256": PIN},
         setup=files(rows__csv="a\n1\n")),
    Case("empty", r"dataset 'rows\.csv' is empty; check the step that writes it", params={"dataset": "rows.csv"},
         setup=files(rows__csv="")),
    Case("outside", r"dataset '\.\./rows\.csv' leads out of the workspace; give a path below .*", params={"dataset": "../rows.csv"},
         code=2),
]  # fmt: skip


# Near relatives of others, or told in the tests beside the program as well.
RELATED = {
    "crashes", "is a missing module", "is a directory", "needs arguments", "imports what is not there", "metrics are no text",
    "metrics are an empty object", "model is a dict", "model is an array", "model is not fitted", "model is empty",
    "model is cut short", "a stale model by name", "outside",
}  # fmt: skip
CASES = [
    pytest.param(case, marks=[pytest.mark.slow] if case.name in RELATED else []) for case in (*SCRIPT, *OUTPUT, *DATA)
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_training_that_fails_says_why_and_leaves_nothing(case, tmp_path):
    project = project_of(case, tmp_path / "project")
    kept = {project / name: (project / name).read_bytes() for name in case.kept}
    done = Run(TRAIN, project, {**ARGS, **case.params}, stop_after=case.stop_after).go()
    check_failure(done, "sklearn-train", case.code, case.said, kept=kept, left=["model"] if kept else [])


@pytest.mark.usefixtures("unmounted")
@pytest.mark.skipif(not mounts_work(), reason="needs root that may mount")
@pytest.mark.parametrize("case", [
    Case("read-only", r"can't write .*/project/?\S* \(Read-only file system\); .*", setup=read_only),
    pytest.param(Case("full disk", r"can't write .* \(No space left on device\); make room on the volume", FILLS,
                      setup=small_disk), marks=pytest.mark.slow),
    Case("full disk of the script", r"script src/train\.py raised OSError: \[Errno 28\] No space left on device; "
         "make room on the volume, or write less to it", TOO_LARGE, setup=small_disk),
], ids=lambda case: case.name)  # fmt: skip
def test_a_workspace_that_can_not_be_written_is_named(case, tmp_path):
    project = project_of(case, tmp_path / "project")
    done = Run(TRAIN, project, {**ARGS, **case.params}).go()
    check_failure(done, "sklearn-train", case.code, case.said)


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="needs root that may give up its rights")
def test_a_workspace_of_another_user_says_whose_it_is_and_what_to_set(tmp_path):
    project = project_of(Case("owner", ""), tmp_path / "project")
    for path in (project, *project.rglob("*")):
        os.chown(path, 1234, 5678)
    project.chmod(0o755)
    ordinary = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]  # root without the right to write everywhere
    command = [*ordinary, str(TREE.environment("sklearn-train") / "sklearn-train"), "--", "{model}", "{metrics}"]
    done = subprocess.run(command, cwd=project, text=True, capture_output=True, check=False)
    assert done.returncode == 3, done.stderr
    (line,) = done.stderr.splitlines()
    assert re.fullmatch(
        rf"sklearn-train: error: can't write .* \(Permission denied\); {re.escape(str(project))} belongs to 1234:5678 with mode 755 "
        r"and this step runs as 0:0: set podTemplate\.securityContext\.fsGroup, or make it writable for the group", line,
    ), line  # fmt: skip
    assert not leftovers(project)
    record(3, line)


MEMORY = 700 << 20
NEAR = (
    r"script src/train\.py was stopped after .*, near the memory limit: \d+ MiB of 700 MiB in use; raise the step's memory limit, "
    "or train on less data"
)
KILLED = r"script src/train\.py was killed by SIGKILL after .*; often that is too little memory: it had .* at most when last looked at"


@pytest.mark.skipif(not limited_group.available(), reason="needs root, and control groups that may be made")
@pytest.mark.parametrize(("text", "said"), [
    pytest.param("import time\nheld = []\nwhile True:\n    held.append(bytearray(b'x') * (8 << 20)); time.sleep(0.05)",
                 NEAR, id="takes too much memory, slowly", marks=pytest.mark.slow),
    pytest.param("held = bytearray(b'x') * (2 << 30)", f"{NEAR}|{KILLED}",  # whether the kernel is faster
                 id="takes too much memory, at once"),
])  # fmt: skip
def test_a_script_that_runs_into_the_memory_limit_is_named_with_the_figures(text, said, tmp_path):
    project = project_of(Case("memory", "", text), tmp_path / "project")
    with limited_group.limited(memory=MEMORY) as join:
        done = subprocess.run(
            [*join, str(TREE.environment("sklearn-train") / "sklearn-train"), "--", "{model}", "{metrics}"],
            cwd=project, text=True, capture_output=True, check=False,
        )  # fmt: skip
    assert done.returncode == 3, done.stdout + done.stderr
    line = done.stderr.splitlines()[-1].removeprefix("sklearn-train: error: ")
    assert re.fullmatch(said, line), done.stderr
    record(3, f"sklearn-train: error: {line}")
    assert not leftovers(project)


@pytest.mark.slow
def test_files_of_a_previous_run_are_replaced_as_a_whole_and_what_was_half_done_is_removed(tmp_path):
    project = project_of(Case("again", ""), tmp_path / "project")
    for name in (".model.new-abc", ".model.old-def", ".model.training", "model"):
        files(**{f"{name.replace('.', '')}__x__bin": "of another run"})(project)
        (project / name.replace(".", "")).rename(project / name)
    done = Run(TRAIN, project, ARGS).go()
    assert done.outcome.succeeded, done.explain()
    assert leftovers(project) == ["model"]
    assert verify(project / "model", done.results["model-digest"])


# On a cluster as here, `$$` stands for `$`: Kubernetes reads args so (docs/projects.md).
ODD = {
    "": "", "two\nlines\n": "two\nlines\n", "it's \"quoted\"": "it's \"quoted\"", "$(HOME)": "$(HOME)", "$$(HOME)": "$(HOME)", "$(id)": "$(id)",
    "`id`": "`id`", "--": "--", "; id": "; id", "$HOME ${USER} $$$$": "$HOME ${USER} $$", "-rf": "-rf", "%s\\n": "%s\\n",
    "日本 ü": "日本 ü", "{x}": "{x}", "x" * 100_000: "x" * 100_000,
}  # fmt: skip
TELL = GOOD + "\njson.dump(sys.argv[3:], open('given', 'w'))\n"


def test_odd_args_and_hyperparameters_reach_the_script_as_they_are_and_are_never_run(tmp_path):
    project = project_of(Case("odd", "", TELL), tmp_path / "project")
    named = [f"h{at}={value}" for at, value in enumerate(ODD)]
    done = Run(TRAIN, project, {"onnx": "off", "args": ["{model}", "{metrics}", *ODD], "hyperparameters": named}).go()
    assert done.outcome.succeeded, done.explain()
    words = [
        [f"--h{at}={value}"] if value.startswith("-") else [f"--h{at}", value] for at, value in enumerate(ODD.values())
    ]
    assert json.loads((project / "given").read_text()) == [*ODD.values(), *(word for some in words for word in some)]
    assert "uid=" not in done.log
    record(0, f"{len(ODD)} odd values as args and as hyperparameters arrive as they are")


def test_a_value_of_a_megabyte_is_named_before_anything_runs(tmp_path):
    project = project_of(Case("long", "", TELL), tmp_path / "project")
    done = Run(TRAIN, project, {**ARGS, "hyperparameters": ["x=" + "x" * (1 << 20)]}).go()
    assert done.exit_code == 1, "a container that can't be started has the exit code of Tekton"
    record(1, done.outcome.tasks[0].message)
    assert re.search(
        r"sklearn-train: an argument is longer than the 131071 bytes that Linux takes in one \('x=x+'… of 1048578\); "
        r"put the value into a file of a workspace and pass its path", done.outcome.tasks[0].message
    )  # fmt: skip
    assert (done.log, leftovers(project)) == ("", [])


ODD_PARAMS = [
    ({"script": "-c"}, r"script '-c' does not exist in the workspace .*"),
    ({"script": "two\nlines.py"}, r"script 'two lines\.py' does not exist in the workspace .*"),
    ({"script": "$(id).py"}, r"script '\$\(id\)\.py' does not exist in the workspace .*"),
    ({"script": "--"}, r"script '--' does not exist in the workspace .*"),
    ({"dataset": "; id"}, r"dataset '; id' does not exist in the workspace .*"),
    ({"dataset": "x" * 5000}, r"dataset 'x+…' is longer than a path may be .*"),
    ({"model-dir": "../out"}, r"model-dir '\.\./out' leads out of the workspace; .*"),
    ({"model-file": "/etc/passwd"}, r"model-file '/etc/passwd' leads out of the workspace; .*"),
    ({"golden": "`id`"}, r"--golden is '`id`'; it takes one of: shuffled, rows, none"),
    ({"requirements": ["; id"]}, r"requirement '; id' is none .*"),
    ({"requirements": ["--index-url=x"]}, r"unrecognized arguments: --index-url=x; see `sklearn-train --help`"),
    ({"include": ["a\nb"]}, r"include 'a b' does not exist in the workspace; .*"),
    ({"hyperparameters": ["--", "a"]}, r"--hyperparameters has the element '--', which ends the options; only the last array may hold it"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("params", "said"),
    ODD_PARAMS,
    ids=[f"{name} is {value!r:.30}" for params, _ in ODD_PARAMS for name, value in params.items()],
)
def test_an_odd_param_that_can_not_be_used_is_quoted(params, said, tmp_path):
    project = project_of(Case("odd", ""), tmp_path / "project")
    done = Run(TRAIN, project, {**ARGS, **params}).go()
    assert done.exit_code in (2, 3), done.explain()
    check_failure(done, "sklearn-train", done.exit_code or 0, said)
    assert "uid=" not in done.log
