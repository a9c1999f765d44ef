"""``./scripts/run`` as its users call it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from catalog import run, task_tests

SCRIPTS = Path(run.__file__).parents[1]
GREET = """
    apiVersion: tekton.dev/v1
    kind: Task
    metadata: {name: greet}
    spec:
      params: [{name: who, default: world}, {name: more, type: array, default: []}]
      workspaces: [{name: w, optional: true}]
      results: [{name: said}]
      steps:
        - name: say
          image: busybox
          command: [sh, -c, 'echo "hello $*"; printf %s "$*" > $(results.said.path)', sh]
          args: [$(params.who), "$(params.more[*])"]
    """
FAILS = """
    apiVersion: tekton.dev/v1
    kind: TaskRun
    metadata: {name: fails}
    spec: {taskSpec: {steps: [{name: s, image: busybox, script: "echo no; exit 10"}]}}
    """


@pytest.fixture
def write(tmp_path):
    def put(*texts, name="given.yaml"):
        path = tmp_path / name
        path.write_text("\n---\n".join(textwrap.dedent(text) for text in texts))
        return str(path)

    return put


def test_a_task_alone_is_run_with_params_of_the_command_line(write, capsys):
    code = run.main([write(GREET), "--param", "who=you", "--param", 'more=["and", "me too"]'])
    out = capsys.readouterr().out
    assert code == 0
    assert "[greet] hello you and me too\n" in out
    assert "TaskRun greet: Succeeded in" in out
    assert "said=you and me too" in out


def test_a_value_that_kubernetes_would_take_for_a_variable_is_noted_before_anything_runs(write, capsys):
    with_home = GREET.replace("image: busybox", "image: busybox\n          env: [{name: HOME, value: /root}]")
    assert run.main([write(with_home), "--param", 'more=["$(HOME) $$(USER) $(id -u) $(params.who)", "$(HOME)"]']) == 0
    out = capsys.readouterr().out
    (note,) = [line for line in out.splitlines() if "has such a variable" in line]
    assert note.startswith("note: param more holds $(HOME): ")
    assert note.endswith("; write $$(HOME) for the text itself")
    assert "hello world /root $(USER) $(id -u) $(params.who) /root" in out


def test_a_variable_that_no_step_has_stays_as_it_is_written(write, capsys):
    assert run.main([write(GREET), "--param", 'more=["$(HOME)"]']) == 0
    out = capsys.readouterr().out
    assert "hello world $(HOME)" in out
    assert "has such a variable" not in out


def test_an_argument_longer_than_linux_takes_is_named_with_its_remedy(write, capsys):
    assert run.main([write(GREET), "--param", f"who={'x' * 131072}"]) == 3
    said = (
        f"an argument is longer than the 131071 bytes that Linux takes in one ('{'x' * 40}'… of 131072); put the value"
    )
    assert said in " ".join(capsys.readouterr().out.split())


def test_results_json_is_all_there_is_on_stdout(write, capsys):
    assert run.main([write(GREET), "--results", "json"]) == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert document["status"] == "Succeeded"
    assert document["results"] == {"said": "world"}
    assert document["tasks"][0]["steps"][0]["exit_code"] == 0
    assert "hello world" in captured.err


def test_a_failed_run_exits_with_3_and_says_which_step_and_its_last_line(write, capsys):
    assert run.main([write(FAILS)]) == 3
    out = capsys.readouterr().out
    assert "StepFailed, exit code 10" in out
    assert "fails: step s exited with code 10\nfails: its last line: no\n" in out


def test_several_runs_are_run_one_after_the_other_and_only_picks_one(write, capsys):
    ok = FAILS.replace("fails", "passes").replace("exit 10", "exit 0")
    path = write(FAILS, ok)
    assert run.main([path, "--results", "json"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert (document["status"], [each["status"] for each in document["runs"]]) == ("Failed", ["Failed", "Succeeded"])
    assert run.main([path, "--only", "passes"]) == 0


def test_everything_wrong_is_told_at_once_with_file_and_line_before_anything_runs(write, capsys, tmp_path):
    bad = FAILS.replace("steps: [{", f"stpes: [], steps: [{{script: touch {tmp_path}/ran, image: x}}, {{nmae: x, ")
    assert run.main([write(bad), write(GREET, name="other.yaml")]) == 2
    error = capsys.readouterr().err
    assert "given.yaml:5" in error
    assert "stpes" in error
    assert "nmae" in error
    assert "nothing was run" in error
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--param", "ghost=1"], "--param ghost=1: there is no param ghost; declared are: more, who"),
        (["--param", "who"], "--param who: write it as name=value"),
        (["--param", "more=a"], "more is an array; write JSON such as"),
        (["--workspace", "w"], "--workspace w: write it as name=folder"),
        (["--workspace", "ghost=."], "there is no workspace ghost; declared are: w"),
        (["--workspace", "w=/no/such/folder"], "there is no such folder; create it first"),
        (["--only", "ghost"], "no TaskRun, PipelineRun, Pipeline or Task named ghost"),
    ],
)
def test_a_wrong_option_exits_with_2_and_says_what_is_right(write, capsys, options, message):
    assert run.main([write(GREET), *options]) == 2
    assert message in capsys.readouterr().err


def test_a_file_that_is_not_there_exits_with_2(capsys):
    assert run.main(["/no/such/file.yaml"]) == 2
    assert "no such file" in capsys.readouterr().err


def test_a_task_that_nobody_knows_is_refused_by_name(write, capsys):
    text = FAILS.replace(
        'taskSpec: {steps: [{name: s, image: busybox, script: "echo no; exit 10"}]}', "taskRef: {name: ghost}"
    )
    assert run.main([write(text)]) == 2
    assert "ghost" in capsys.readouterr().err


def test_a_param_given_on_the_command_line_satisfies_a_run_that_lacks_it(write, capsys):
    needy = GREET.replace("name: who, default: world", "name: who")
    text = "apiVersion: tekton.dev/v1\nkind: TaskRun\nmetadata: {name: r}\nspec: {taskRef: {name: greet}}"
    assert run.main([write(needy, text)]) == 2
    assert "who" in capsys.readouterr().err
    assert run.main([write(needy, text), "--param", "who=you"]) == 0


def test_a_dry_run_prints_the_plan_and_runs_nothing(write, capsys, tmp_path):
    text = FAILS.replace("echo no", f"touch {tmp_path}/ran")
    assert run.main([write(text), "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "TaskRun fails" in out
    assert "task fails: at once, timeout 1h00m" in out
    assert "step s: script, 1 line" in out
    assert not (tmp_path / "ran").exists()
    assert run.main([write(text), "--dry-run", "--results", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["tasks"][0]["images"] == ["busybox"]


def test_keep_keeps_the_folder_and_says_where(write, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run.main([write(GREET), "--keep"]) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("kept: ")]
    folder = Path(line.removeprefix("kept: "))
    assert list(folder.rglob("results/said"))


def test_a_folder_is_used_in_place(write, capsys, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    text = GREET.replace("printf %s", "touch $(workspaces.w.path)/here; printf %s")
    assert run.main([write(text), "--workspace", f"w={folder}"]) == 0
    assert (folder / "here").exists()


def test_ctrl_c_ends_the_steps_reports_and_exits_with_130(write, tmp_path):
    text = FAILS.replace("echo no; exit 10", f"echo $$ > {tmp_path}/pid; sleep 60")
    process = subprocess.Popen(
        [sys.executable, "-m", "catalog", "run", write(text), "--results", "json"],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    pid_file = tmp_path / "pid"
    until = time.monotonic() + 20
    while not (pid_file.exists() and pid_file.read_text().strip()) and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert json.loads(out)["tasks"][0]["reason"] == "TaskRunCancelled"
    assert "stopping after SIGINT" in err
    assert not Path("/proc", pid_file.read_text().strip()).exists()


TEST = """
    apiVersion: tekton.dev/v1
    kind: TaskRun
    metadata:
      name: reads-source
      annotations:
        test/source: project
        test/expect-status: Failed
        test/expect-exit-code: "4"
        test/expect-message: content of a
        test/expect-files: made
    spec:
      workspaces: [{name: source, volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}}}]
      taskSpec:
        workspaces: [{name: source}]
        steps: [{name: s, image: busybox, workingDir: $(workspaces.source.path), script: "cat a; touch made; exit 4"}]
    """


@pytest.fixture
def project(tmp_path):
    (tmp_path / "project").mkdir()
    (tmp_path / "project/a").write_text("content of a\n")
    return tmp_path / "project"


def test_a_test_that_fails_as_expected_passes_and_leaves_its_source_alone(write, capsys, project):
    assert task_tests.main([write(TEST)]) == 0
    assert "1 of 1 tests passed" in capsys.readouterr().out
    assert [path.name for path in project.iterdir()] == ["a"]


def test_a_test_that_does_not_is_explained_with_its_log_and_how_to_run_it_again(write, capsys, project):
    assert task_tests.main([write(TEST.replace('"4"', '"5"'))]) == 3
    out = capsys.readouterr().out
    assert "expected exit code 5, got 4" in out
    assert "| [reads-source] content of a" in out
    assert "--only reads-source" in out
    assert "0 of 1 tests passed" in out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("test/source: project", "test/source: ghost"), "ghost is no folder beside"),
        (("test/expect-files", "test/expect-fiels"), "test/expect-fiels is not known"),
    ],
)
def test_a_test_that_cannot_be_run_exits_with_2(write, capsys, project, change, message):
    assert task_tests.main([write(TEST.replace(*change))]) == 2
    assert message in capsys.readouterr().err
