import io
import os
import sys
import time

import pytest

from sklearn_train.cgroup import MemoryGroup, memory_group, usable_processors
from sklearn_train.process_tree import adopt_orphans
from sklearn_train.script_environment import THREAD_VARIABLES, thread_limits
from sklearn_train.script_failure import failure
from sklearn_train.supervised_process import SupervisedProcess, Watch, duration, size


@pytest.fixture
def supervise(tmp_path):
    def start(code, **watch):
        command = [sys.executable, "-S", "-u", "-c", code]
        with SupervisedProcess(
            command, cwd=tmp_path, environment=dict(os.environ), watch=Watch(**watch), name="script"
        ) as child:
            return child.wait()

    return start


def test_a_silent_child_is_reported_to_be_alive_with_its_memory(supervise, capfd):
    ended = supervise("import time; held = bytearray(60 << 20); time.sleep(1.7)", heartbeat_seconds=0.5)
    beats = [line for line in capfd.readouterr().out.splitlines() if line.startswith("script: still running after ")]
    assert len(beats) >= 2
    assert beats[-1].endswith("MiB at most")
    assert ended.code == 0
    assert ended.peak_memory > 60 << 20


def test_a_child_that_talks_needs_no_heartbeat(supervise, capfd):
    supervise("import time\nfor _ in range(6): print('x', flush=True); time.sleep(0.1)", heartbeat_seconds=0.4)
    assert "still running" not in capfd.readouterr().out


def test_all_of_a_hundred_thousand_lines_arrive_and_streams_stay_apart(supervise, capfd):
    ended = supervise("import sys\nfor i in range(100000): print(i)\nprint('bad', file=sys.stderr)")
    captured = capfd.readouterr()
    assert captured.out.count("\n") == 100000
    assert captured.err == "bad\n"
    assert ended.last_line == "bad"


def test_lines_of_both_streams_stay_whole_and_a_begun_line_does_not_wait_for_its_end(supervise, monkeypatch):
    log = io.BytesIO()  # as a container's, where both streams end up
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(log, write_through=True))
    supervise(
        "import os, time\n"
        "for _ in range(200):\n"
        "    os.write(1, b'a' * 700); time.sleep(0.001); os.write(2, b'b' * 700); os.write(1, b'A\\n'); os.write(2, b'B\\n')\n"
        "os.write(1, b'loading...'); time.sleep(2.5); os.write(2, b'late\\n'); os.write(1, b'done\\n')"
    )
    *lines, late, last = log.getvalue().decode().splitlines()
    assert sorted(lines) == ["a" * 700 + "A"] * 200 + ["b" * 700 + "B"] * 200
    assert (late, last) == ("loading...late", "done")


def test_what_we_say_stands_on_lines_of_its_own(supervise, capfd):
    supervise("import time\nprint('epoch 1 ...', end='', flush=True); time.sleep(1.7)", heartbeat_seconds=0.9)
    supervise("import sys; sys.stderr.write('which file? ')")
    captured = capfd.readouterr()
    first, second = captured.out.splitlines()[:2]
    assert first == "epoch 1 ..."
    assert second.startswith("script: still running after ")
    assert captured.err == "which file? \n"


def test_near_the_memory_limit_the_child_is_stopped_and_the_figures_are_named(supervise, tmp_path):
    (tmp_path / "memory.current").write_text("990000000")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 20000000\n")
    group = MemoryGroup(1_000_000_000, tmp_path / "memory.current", tmp_path / "memory.stat")
    started = time.monotonic()
    ended = supervise("import time; time.sleep(60)", memory=group)
    assert time.monotonic() - started < 20
    assert ended.stopped_at_memory == 970000000
    error = failure("src/train.py", ended, group.limit)
    assert "near the memory limit: 925 MiB of 954 MiB in use; raise the step's memory limit" in str(error)
    assert error.exit_code == 3


def test_leaving_the_context_ends_the_child(tmp_path):
    adopt_orphans()
    with SupervisedProcess(
        [sys.executable, "-c", "import time; time.sleep(60)"], cwd=tmp_path, environment=dict(os.environ),
        watch=Watch(), name="x",
    ) as process:  # fmt: skip
        pass
    assert process.child.returncode == -15


@pytest.mark.parametrize(
    ("files", "processors"),
    [
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({"a/b/cpu.max": "max 100000", "a/cpu.max": "100000 100000"}, 1),
        ({}, None),
    ],
)
def test_the_quota_of_the_cgroup_and_of_those_above_it_counts(tmp_path, files, processors, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "membership").write_text("0::/a/b\n")
    assert usable_processors(tmp_path, tmp_path / "membership") == (processors or 8)


def test_the_tightest_memory_limit_counts_in_both_versions(tmp_path):
    membership = tmp_path / "membership"
    membership.write_text("4:memory:/pod/box\n0::/pod/box\n")
    assert memory_group(tmp_path, membership) is None
    for folder, limit in (("memory/pod", "9223372036854771712"), ("memory/pod/box", "3000")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "memory.limit_in_bytes").write_text(limit)
        (tmp_path / folder / "memory.usage_in_bytes").write_text("500")
    (tmp_path / "memory/pod/box/memory.stat").write_text("total_inactive_file 100\n")
    assert memory_group(tmp_path, membership).limit == 3000
    assert memory_group(tmp_path, membership).working_set() == 400
    (tmp_path / "memory.max").write_text("2000")
    (tmp_path / "memory.current").write_text("7")
    assert memory_group(tmp_path, membership).limit == 2000


def test_thread_limits_leave_what_is_set():
    limits = thread_limits(3, {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": ""})
    assert limits == {**dict.fromkeys(THREAD_VARIABLES, "3"), "OMP_NUM_THREADS": "1"}


def test_sizes_and_times_read_well():
    assert [size(0), size(2048), size(1 << 20), size(5 << 30)] == ["0 B", "2.0 KiB", "1.0 MiB", "5.0 GiB"]
    assert [duration(1.25), duration(42), duration(90), duration(7300)] == ["1.2 s", "42 s", "1 min 30 s", "2 h 1 min"]
