from dataclasses import dataclass

from msgspec.structs import replace

from metric_gate.report_text import SUMMARY_BYTES, markdown, reason, screen_lines, summary
from taskkit.gate_report import Baseline, Check, GateReport, Override


@dataclass
class Given:
    metric: str = "accuracy"
    verdict: str = "fail"
    candidate: str = "0.9"
    message: str = "0.9 is less than 1"


def report(given, verdict="fail"):
    check = Check(given.metric, "min", "1", "higher", "error", given.candidate, "", given.verdict, given.message)
    return GateReport(
        "1", verdict, verdict == "pass", "sha256:" + "0" * 64, {}, (check,), Baseline("none", {}), {}, "rules", "warn",
        notes=("note\nof two lines",),
    )  # fmt: skip


def test_the_table_lines_up_and_ends_with_the_verdict():
    lines = screen_lines(report(Given()))
    assert lines == [
        "metric    candidate  baseline  rule   verdict",
        "accuracy  0.9        -         min 1  fail",
        "note: note of two lines",
        "verdict: fail, refused: accuracy: 0.9 is less than 1",
    ]


def test_colours_come_only_when_asked_for():
    plain, coloured = screen_lines(report(Given())), screen_lines(report(Given()), colours=True)
    assert "\033" not in "".join(plain)
    assert coloured[1].endswith("\033[31mfail\033[0m")


def test_names_from_files_cannot_steer_the_terminal_or_break_the_table():
    given = Given(metric="a\033[2Jb\nc|<b>", message="m\x07\rm")
    assert "\033[2J" not in "".join(screen_lines(report(given)))
    assert all("\n" not in line for line in screen_lines(report(given)))
    rows = [line for line in markdown(report(given)).splitlines() if line.startswith("|")]
    assert [row.replace("\\|", "").count("|") for row in rows] == [7, 7, 7]
    assert "<b>" not in rows[2].replace("\\<", "")


def test_long_cells_are_cut_in_the_table_and_whole_in_the_reason():
    given = Given(metric="m" * 100)
    lines = screen_lines(report(given))
    assert max(len(line) for line in lines[:2]) < 120
    assert "m" * 100 in lines[-1]


def test_the_summary_is_one_short_line():
    text = summary(report(Given(message="é" * 1000)))
    assert len(text.encode()) <= SUMMARY_BYTES
    assert text.endswith("…")
    assert summary(report(Given())) == "fail: accuracy: 0.9 is less than 1"


def test_the_screen_names_the_first_reason_and_counts_the_others():
    one = report(Given())
    many = replace(one, checks=one.checks * 3)
    assert screen_lines(many)[-1] == "verdict: fail, refused: accuracy: 0.9 is less than 1 (and 2 more)"
    assert reason(many).count("is less than 1") == 3
    overridden = replace(many, verdict="overridden", override=Override("we know", "fail"))
    assert summary(overridden) == "overridden: we know; accuracy: 0.9 is less than 1 (and 2 more)"
