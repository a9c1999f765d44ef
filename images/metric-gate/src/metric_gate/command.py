"""The command line of metric-gate."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from metric_gate import __version__
from taskkit.command_line import Arguments, ErrorKind, Option, Outcome, Program, Result, run, say
from taskkit.confined_paths import confined
from taskkit.errors import EXIT_DONE, EXIT_FAILED, EXIT_REJECTED, EXIT_USAGE, UsageError

PROGRAM = Program(
    name="metric-gate",
    summary="Compares a model's metrics with rules and a baseline, and approves the model or refuses it.",
    version=__version__,
    options=(
        Option("model-dir", "The model directory that sklearn-train wrote.", "model"),
        Option("rules", "The rules as YAML, one map per metric, for example `accuracy: {min: 0.9, max_drop: 0.01}`. "
               "Bounds are min, max, max_drop, max_drop_ratio, min_gain; further fields are direction (higher, lower) "
               "and severity (error, warning). Without rules, no metric of known direction may be worse than its "
               "baseline; one that the baseline has and the model lost is named in `summary`, and decides nothing."),
        Option("rules-file", "A file in the workspace with the rules, in place of `rules`."),
        Option("baseline", "A folder with what the model is compared with: one file per metric (a ConfigMap), a "
               "metrics.json, or a whole model directory. Not bound or empty: no baseline. Anything else without a "
               "single number: an error.", workspace=True),
        Option("on-missing-baseline", "What to do where a rule needs a baseline value that is not there: `warn` "
               "approves the model, `fail` refuses it. Its verdict is no-baseline.", "warn", choices=("warn", "fail")),
        Option("on-reject", "What to do with a model that is refused: `fail` ends the run (exit code 10), `report` "
               "succeeds with an empty approval, so that a `when` can decide.", "fail", choices=("fail", "report")),
        Option("override", "A reason to approve a model that fails its rules; it is written into the report."),
        Option("report-dir", "The folder for report.json, report.md and, on approval, baseline.yaml.", "gate"),
    ),
    results=(
        Result("verdict", "`pass`, `fail`, `no-baseline` or `overridden`."),
        Result("approval", "The sha256 of the report, which model-serve-build requires; empty for a refused model."),
        Result("summary", "The reason in one line, and without rules what the model lost of the baseline's metrics."),
    ),
    errors=(
        ErrorKind(EXIT_REJECTED, "the gate said no: accuracy: 0.93 is 0.02 worse than 0.95, and may be worse by 0.01",
                  "Train a better model, change the rules, or give `override` a reason. The report lists every check."),
        ErrorKind(EXIT_REJECTED, "the gate said no: accuracy: there is no baseline",
                  "Bind the workspace `baseline`, or let `on-missing-baseline` be `warn` for the first model."),
        ErrorKind(EXIT_USAGE, "rules line 1: accuracy.max_drop is '0.1', not a number",
                  "The message names the field and the line; write numbers without quotes."),
        ErrorKind(EXIT_USAGE, "my_metric.max_drop needs a direction, and nothing is known of a metric 'my_metric'",
                  "Add `direction: higher` or `direction: lower` to the rule."),
        ErrorKind(EXIT_USAGE, "there is a baseline, but nothing to compare",
                  "Give rules; the message lists the metrics of both sides and a rule to paste."),
        ErrorKind(EXIT_USAGE, "baseline /workspace/baseline holds 'baseline.json' and not one number",
                  "Bind one of the three forms that the message lists, or nothing; it says which file or folder may "
                  "have been meant."),
        ErrorKind(EXIT_USAGE, "accuracy.max_drop_ratio 0.01 means nothing: its baseline is 0",
                  "Use `max_drop`: there is no share of 0."),
        ErrorKind(EXIT_USAGE, "report-dir 'src' holds 'train.py', which is no report",
                  "The folder is replaced as a whole; name one that is the gate's own."),
        ErrorKind(EXIT_USAGE, "report-dir 'reports' holds 'report.md', but no report.json that the gate wrote",
                  "Its files only have the names of the gate's. Name another folder, or empty this one."),
        ErrorKind(EXIT_FAILED, "model directory model has no model.json",
                  "Run sklearn-train first, with the same `model-dir`."),
        ErrorKind(EXIT_FAILED, "model/model.pkl has sha256 …, but model.json says …",
                  "A file changed after the training; train again."),
    ),
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    return run(PROGRAM, work, argv)


def work(arguments: Arguments) -> Outcome:
    from metric_gate.gate import Question, decide
    from metric_gate.report_files import MARKDOWN, own_directory, write_report
    from metric_gate.report_text import reason, screen_lines, summary

    model_directory = _in_workspace(arguments, "model-dir")
    report_directory = own_directory(_in_workspace(arguments, "report-dir"), model_directory)
    question = Question(
        model_directory,
        rules=arguments["rules"],
        rules_file=_in_workspace(arguments, "rules-file") if arguments["rules-file"] else None,
        baseline=arguments["baseline"],
        on_missing_baseline="fail" if arguments["on-missing-baseline"] == "fail" else "warn",
        override=_reason(arguments["override"]),
    )
    report, manifest = decide(question)
    approval = write_report(report, manifest, report_directory)
    for line in screen_lines(report, colours=sys.stdout.isatty() and "NO_COLOR" not in os.environ):
        say(line)
    results = {"verdict": report.verdict, "approval": approval if report.approved else "", "summary": summary(report)}
    if report.approved or arguments["on-reject"] == "report":
        return Outcome(results, EXIT_DONE)
    remedy = "train a better model, change the rules, or override with a reason"
    if report.verdict == "no-baseline":
        remedy = "bind the workspace baseline, or set on-missing-baseline to warn"
    see = f"see {report_directory / MARKDOWN}; {remedy}"
    return Outcome(results, EXIT_REJECTED, f"the gate said no: {reason(report)}; {see}")


def _in_workspace(arguments: Arguments, option: str) -> Path:
    """The path that an option gives, relative to the working directory. Raises UsageError where it leads out of it."""
    here = Path.cwd()
    return confined(here, arguments[option], option).relative_to(here.resolve())


def _reason(given: str) -> str:
    if given and not given.strip():
        raise UsageError("override is blank", "give a reason that the next reader understands, or leave it out")
    return given
