"""Files that ask for more than an estimator needs: refused by name and place, by the rules and by the programs; nothing of them runs."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import hostile_files
import pytest
from failing import record
from programs import PROGRAMS, approved, installed

from taskkit.errors import TaskError
from taskkit.pickles import check, load

HERE = Path(__file__).parent
SAMPLE = (
    "os.system, protocol 0", "joblib ('gzip', 3): a call after array bytes", "dotted sklearn.utils.os.system", "INST", "a state that answers pop with a command",
    "skops: os.system as FunctionNode",
)  # fmt: skip


@pytest.fixture(scope="module")
def marker(tmp_path_factory):
    return tmp_path_factory.mktemp("marker") / "marker"


@pytest.fixture(scope="module")
def files(marker):
    return list(hostile_files.all_files(marker))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("read", [check, load])
def test_every_file_is_refused_in_one_line_by_name_and_place_and_none_does_anything(files, marker, tmp_path, read):
    manifest = approved(tmp_path / "any", b"").manifest
    path, wrong = tmp_path / "model.pkl", []
    for hostile in files:
        path.write_bytes(hostile.content)
        try:
            read(path, manifest, tmp_path / "code")
            wrong.append(f"{hostile.name}: not refused")
        except TaskError as error:
            message = str(error)
            placed = " at " in message or hostile.name.startswith("skops")
            if hostile.refused not in message or str(path) not in message or not placed or "\n" in message:
                wrong.append(f"{hostile.name}: {message}")
        if marker.exists():
            marker.unlink()
            wrong.append(f"{hostile.name}: it did what it wanted")
    assert wrong == []
    assert len(files) > 350


@pytest.mark.skipif(not installed(), reason="the programs' environments are not made; run ./scripts/setup")
@pytest.mark.parametrize("name", SAMPLE)
def test_the_programs_themselves_refuse(files, marker, tmp_path, name):
    hostile = next(one for one in files if one.name == name)
    workspace = approved(tmp_path / "workspace", hostile.content)
    for program, run in PROGRAMS.items():
        ended = run(workspace)
        assert (ended.code, len(ended.error.splitlines())) == (3, 1), ended.error
        assert hostile.refused in ended.error
        assert ended.error.startswith(f"{program}: error: ")
        assert not marker.exists()
    record(3, ended.error.strip())


def test_what_would_reach_beyond_memory_is_stopped_even_where_the_rules_let_it_pass(tmp_path):
    from taskkit.pickles import effects

    inner = {
        "os.system": lambda: os.system("true"), "to open a file for writing": lambda: (tmp_path / "x").write_text(""), "subprocess.Popen": lambda: subprocess.run(["true"], check=True),
        "os.remove": (tmp_path / "gone").unlink, "socket": lambda: __import__("socket").create_connection(("127.0.0.1", 9)),
    }  # fmt: skip
    (tmp_path / "gone").write_text("")

    def swallowed(act):
        try:
            act()
        except OSError:
            return

    for what, act in inner.items():
        with pytest.raises(effects.EffectError, match=f"tries {what}"), effects.stopped():
            swallowed(act)
    assert (tmp_path / "gone").exists()
    assert not (tmp_path / "x").exists()
    with effects.stopped():
        assert (tmp_path / "gone").read_text() == ""
    (tmp_path / "x").write_text("afterwards all is as before")


def test_random_pickles_reach_nothing_beyond_memory_and_are_read_alike_by_build_and_server():
    """``python test/hostile/fuzz.py 0 100000`` takes longer."""
    done = subprocess.run(
        [sys.executable, HERE / "fuzz.py", "0", "200"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    crashes = [finding for finding in told["findings"] if f"crashed by signal {signal.SIGSEGV.value}" in finding]
    assert [finding for finding in told["findings"] if finding not in crashes] == []
    assert told["executions"] == 200
    assert min(told["loaded"], told["refused"], told["malformed"]) > 10
