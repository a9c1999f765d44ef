"""The gate's folder is replaced as a whole: nobody else's files may go with it, and no interruption may lock the gate out."""

import json
import subprocess
import sys
from itertools import count

import pytest

REMEDY = "the folder is replaced as a whole: name one of its own, for example gate, or empty this one"


@pytest.mark.parametrize(
    ("files", "first"),
    [
        ({"report.md": "# What we saw in May"}, "report.md"),
        ({"baseline.yaml": "accuracy: 0.9", "report.md": ""}, "baseline.yaml"),
        ({"report.json": '{"tests": 12}', "report.md": "12 tests"}, "report.json"),
        ({"report.json": "[" * 100_000}, "report.json"),
        ({"report.json": "\xff"}, "report.json"),
        ({"report.json": '["verdict"]'}, "report.json"),
    ],
)  # fmt: skip
def test_files_that_only_have_the_gates_names_are_left_alone(workspace, files, first):
    workspace.model({"accuracy": 0.9})
    (workspace.root / "reports").mkdir()
    for name, content in files.items():
        (workspace.root / "reports" / name).write_text(content, encoding="latin-1")
    run = workspace.gate("--report-dir=reports")
    assert (run.exit_code, run.err) == (
        2, f"metric-gate: error: report-dir 'reports' holds '{first}', but no report.json that the gate wrote; {REMEDY}\n",
    )  # fmt: skip
    there = {path.name: path.read_text(encoding="latin-1") for path in (workspace.root / "reports").iterdir()}
    assert there == files


def test_a_folder_with_the_name_of_a_report_is_left_alone(workspace):
    workspace.model({"accuracy": 0.9})
    workspace.gate()
    (workspace.root / "gate" / "baseline.yaml").unlink()
    (workspace.root / "gate" / "baseline.yaml").mkdir()
    run = workspace.gate()
    assert run.exit_code == 2
    assert "report-dir 'gate' holds 'baseline.yaml', which is no report" in run.err


def test_an_empty_folder_becomes_the_gates(workspace):
    workspace.model({"accuracy": 0.9})
    (workspace.root / "gate").mkdir()
    assert workspace.gate().exit_code == 0
    assert workspace.report_names() == ["baseline.yaml", "report.json", "report.md"]


def test_the_report_of_another_version_of_the_gate_is_replaced(workspace):
    workspace.model({"accuracy": 0.9})
    workspace.gate()
    path = workspace.root / "gate" / "report.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": "9", "new": True}))
    assert workspace.gate("--rules=accuracy: {min: 0.1}").exit_code == 0
    assert json.loads(path.read_text())["schema_version"] == "1"


KILLED_AT = """
import os, signal, sys
from metric_gate.command import main

left = int(sys.argv[1])

def count_down(event, arguments):
    global left
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if writes or event in ("os.mkdir", "os.chmod", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree"):
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count_down)
sys.exit(main([]))
"""


def test_wherever_a_run_is_killed_the_folder_stays_the_gates_and_the_next_run_goes_on(workspace):
    workspace.model({"accuracy": 0.9})
    left = set()
    for step in count(1):
        assert workspace.gate().exit_code == 0
        done = subprocess.run([sys.executable, "-c", KILLED_AT, str(step)], capture_output=True, text=True, check=False)
        left.add(tuple(workspace.report_names()))
        if done.returncode == 0:
            break
        assert (done.returncode, done.stderr) == (-9, "")
    assert left == {("baseline.yaml", "report.json", "report.md"), ()}  # (): between moving the old one and the new one
    assert sorted(path.name for path in workspace.root.iterdir()) == ["gate", "model", "results"]
