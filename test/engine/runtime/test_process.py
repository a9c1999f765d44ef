"""Processes: streamed as they print, ended with everything they started."""

from __future__ import annotations

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from catalog.engine.process import Cancellation, run, write_executable


def start(script, tmp_path, **options):
    lines = []
    options.setdefault("cancellation", Cancellation())
    options.setdefault("on_line", lines.append)
    ended = run(["bash", "-c", script], cwd=tmp_path, env=dict(os.environ), **options)
    return ended, lines


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid, within=2.0):
    until = time.monotonic() + within
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.01)
    return not alive(pid)


def test_stdout_and_stderr_come_in_their_order_the_last_line_without_newline_too(tmp_path):
    ended, lines = start("echo one; echo two >&2; printf three", tmp_path)
    assert (ended.code, ended.why, lines) == (0, "", ["one", "two", "three"])


def test_lines_come_while_the_process_still_runs(tmp_path):
    seen = threading.Event()
    began = time.monotonic()
    ended, _ = start(
        f"echo now; while [ ! -e {tmp_path}/go ]; do sleep 0.02; done",
        tmp_path,
        on_line=lambda _: (seen.set(), (tmp_path / "go").touch()),
        timeout=10,
    )
    assert seen.is_set()
    assert ended.why == ""
    assert time.monotonic() - began < 5


def test_of_a_line_that_is_rewritten_the_last_state_is_shown(tmp_path):
    assert start(r"printf '10%%\r50%%\r100%%\r\n'", tmp_path)[1] == ["100%"]


def test_bytes_that_are_no_utf8_and_endless_lines_do_not_harm(tmp_path):
    _, lines = start(r"printf '\xff\xfe\n'; head -c 200000 /dev/zero | tr '\0' x", tmp_path)
    assert lines[0] == "\ufffd\ufffd"
    assert sum(len(line) for line in lines[1:]) == 200000


def test_what_was_left_running_is_ended_even_out_of_its_group(tmp_path):
    ended, lines = start("sleep 50 & echo $!; setsid sleep 51 & sleep 0.1; pgrep -f 'sleep 51' -n; echo done", tmp_path)
    assert ended.seconds < 3
    assert lines[-1] == "done"
    assert all(gone(int(line)) for line in lines[:-1])


@pytest.mark.parametrize("ignoring", ["", "trap '' TERM;"])
def test_a_timeout_ends_the_process_politely_then_hard(tmp_path, monkeypatch, ignoring):
    monkeypatch.setattr("catalog.engine.process._GRACE", 0.2)
    ended, lines = start(f"{ignoring} echo $$; while true; do sleep 0.05; done", tmp_path, timeout=0.2)
    assert ended.why == "timeout"
    assert ended.signal == ("SIGKILL" if ignoring else "SIGTERM")
    assert ended.seconds < 2
    assert gone(int(lines[0]))


def test_a_process_that_uses_its_grace_may_tidy_up(tmp_path):
    ended, lines = start("trap 'echo tidy; exit 4' TERM; sleep 30 & wait", tmp_path, timeout=0.2)
    assert (ended.why, ended.code, lines) == ("timeout", 4, ["tidy"])


def test_a_switch_thrown_from_another_thread_ends_it(tmp_path):
    switch = Cancellation()
    threading.Timer(0.1, switch.throw, ("enough",)).start()
    ended, _ = start("sleep 30", tmp_path, cancellation=switch)
    assert (ended.why, switch.reason) == ("cancelled", "enough")
    assert ended.seconds < 3


def test_a_switch_thrown_before_ends_it_at_once(tmp_path):
    switch = Cancellation()
    switch.throw("before")
    assert start("sleep 30", tmp_path, cancellation=switch)[0].seconds < 3


def test_a_quick_process_is_noticed_quickly(tmp_path):
    times = [start("true", tmp_path)[0].seconds for _ in range(5)]
    assert min(times) < 0.1


def test_no_file_descriptors_are_left_open(tmp_path):
    start("true", tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        start("echo x; exit 3", tmp_path)
        with pytest.raises(FileNotFoundError):
            run(["no-such-program"], cwd=tmp_path, env={"PATH": "/bin"}, on_line=print, cancellation=Cancellation())
    assert len(os.listdir("/proc/self/fd")) == before


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def test_a_script_can_be_executed_although_other_threads_start_processes_meanwhile(tmp_path):
    def write_and_run(number):
        path = tmp_path / f"script-{number}"
        write_executable(path, "#!/bin/sh\nexit 7\n")
        ended = run([str(path)], cwd=tmp_path, env={}, on_line=print, cancellation=Cancellation())
        return ended.code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(write_and_run, range(150))) == {7}
