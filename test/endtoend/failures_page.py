"""Writes docs/failures.md: ``.venvs/tools/bin/python test/endtoend/failures_page.py`` runs the tests of projects and failures
and takes down what each of them saw. Takes minutes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "failures.md"
sys.path[:0] = [str(ROOT / "scripts"), str(Path(__file__).parent)]

HEAD = """# What goes wrong, and what is said

Look up the last line of the log that begins with a program's name and `error:`; what is in the way is named first, what to do about it after the semicolon.
Nothing of a failed run is left as its output, and what lay in the workspace before is still there.

| exit code | means |
|---|---|
| 0 | done |
| 2 | wrong usage or configuration: a param, a rule |
| 3 | could not do it: data, files, network, or your script failed |
| 10 | the gate said no |
| 70 | a fault of this catalog |
| 1 | Tekton's own: a timeout, a command line that is too long, an image that can't be pulled |

This page is made from the tests themselves, by `test/endtoend/failures_page.py`: each line was really printed. Which projects work, and the traps: [projects](projects.md).

Besides these, programs are killed at random moments (`python test/endtoend/interrupts.py 200`), pushes go through random sequences of faults (`./scripts/test --slow taskkit`), and hostile model files through
build and server (`python test/hostile/programs.py FOLDER`), each with every case looked at.
"""


@dataclass(frozen=True)
class Seen:
    """What one case of a test came to."""

    test: str
    case: str
    code: int
    text: str

    @property
    def name(self) -> str:
        """The case, or the test's own sentence; pytest escapes what is in a case twice."""
        return self.case.replace("\\\\", "\\") or self.test.removeprefix("test_").replace("_", " ")


@dataclass(frozen=True)
class Section:
    """``cases`` picks some of the tests' cases, None takes them all; of them those that fail, or those that work."""

    title: str
    tests: tuple[str, ...]
    cases: frozenset[str] | None = None
    about: str = ""
    works: bool = False

    def rows(self, every: Iterable[Seen]) -> list[Seen]:
        return [
            one
            for one in every
            if one.test in self.tests
            and (one.code == 0) == self.works
            and (self.cases is None or one.case in self.cases)
        ]


def sections() -> tuple[Section, ...]:
    from test_failures import DATA, OUTPUT, SCRIPT

    training = ("test_training_that_fails_says_why_and_leaves_nothing",)

    def named(cases: Collection[object]) -> frozenset[str]:
        return frozenset(case.name for case in cases)  # type: ignore[attr-defined]

    return (
        Section("Your script", (*training, "test_a_script_that_runs_into_the_memory_limit_is_named_with_the_figures"),
                named(SCRIPT) | {"takes too much memory, slowly", "takes too much memory, at once"}),
        Section("What your script wrote", training, named(OUTPUT)),
        Section("Data", training, named(DATA)),
        Section("Params", ("test_an_odd_param_that_can_not_be_used_is_quoted", "test_a_value_of_a_megabyte_is_named_before_anything_runs",
                           "test_a_requirement_that_would_replace_scikit_learn_is_refused")),
        Section("Workspace", ("test_a_workspace_that_can_not_be_written_is_named", "test_a_workspace_of_another_user_says_whose_it_is_and_what_to_set",
                              "test_gate_and_build_say_what_they_can_not_write", "test_gate_and_build_say_whose_the_workspace_is")),
        Section("The gate", ("test_a_gate_that_can_not_decide_or_says_no_leaves_no_approval",
                             "test_arrays_without_names_with_two_outputs_are_judged_by_an_error_that_must_not_grow")),
        Section("The build", ("test_a_build_that_fails_leaves_no_image",)),
        Section("Registries", ("test_a_registry_that_does_not_take_the_image",), None,
                "After pauses that double, or that the registry asks for, two minutes of them at most."),
        Section("Model files that ask for more than a model needs", ("test_the_programs_themselves_refuse",), None,
                "Said by the build, and by the server where a file was swapped later. What this protects against: [trust](trust.md)."),
        Section("Serving", ("test_answers_that_move_with_the_clock_are_served_while_they_agree_and_refused_a_year_later",)),
        Section("Projects that work", ("test_a_project_becomes_an_image_that_answers_what_is_known", "test_a_transformer_of_a_third_party_comes_from_a_folder_of_wheels_without_internet",
                                       "test_a_script_that_prints_much_and_leaves_a_process_behind_ends_with_all_of_its_output",
                                       "test_a_script_that_is_silent_for_long_is_reported_to_be_alive",
                                       "test_a_container_with_a_quota_of_one_processor_trains_with_one_thread",
                                       "test_arrays_without_names_with_two_outputs_are_judged_by_an_error_that_must_not_grow",
                                       "test_answers_that_move_with_the_clock_are_served_while_they_agree_and_refused_a_year_later",
                                       "test_odd_args_and_hyperparameters_reach_the_script_as_they_are_and_are_never_run"), None,
                "Each from its script to an image that was started and asked for rows whose answers are known.", works=True),
    )  # fmt: skip


# Values that differ from run to run, as others of the same form.
_STEADY = (
    (re.compile(r"/\S+/bin/(?=python: )"), ""),
    (
        re.compile(r"HTTPConnection\(host='127\.0\.0\.1', port=\d+\)"),
        "HTTPConnection(host='registry.example.com', port=80)",
    ),
    (re.compile(r"(?<![\w/])/\S*?/(?:project|my projects [^/]*/[^/]*)(?=[/ ;')]|$)"), "/source"),
    (re.compile(r"(?<![\w/])/tmp/\S*?(?=/model/)"), "/source"),
    (re.compile(r"\b(?!0{64})[0-9a-f]{64}\b"), "0123456789abcdef" * 4),
    (re.compile(r"(?<=after )\d+(?:\.\d+)? s"), "12.3 s"),
    (re.compile(r"\b\d+ MiB(?! in use| of)"), "123 MiB"),
    (re.compile(r"\b\d+ MiB(?= of)"), "660 MiB"),
    (re.compile(r"127\.0\.0\.1:\d+"), "registry.example.com"),
    (re.compile(r"\.new-\w+"), ".new-abcd1234"),
)


def steady(text: str) -> str:
    for pattern, value in _STEADY:
        text = pattern.sub(value, text)
    return text


def shown(text: str) -> str:
    """For a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def page(every: Sequence[Seen]) -> str:
    lines = [HEAD]
    for section in sections():
        lines += [f"## {section.title}", ""] + ([section.about, ""] if section.about else [])
        lines += ["| what | exit code | what is said |", "|---|---|---|"]
        for one in section.rows(every):
            lines.append(f"| {shown(one.name)} | {one.code} | {code_span(shown(steady(one.text)))} |")
        lines.append("")
    return "\n".join(lines)


def code_span(text: str) -> str:
    """Text as it is, with backticks in it."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def rows_of(text: str) -> Iterator[tuple[str, str, int, str]]:
    """(section, what, exit code, what is said) of a page."""
    section = ""
    for line in text.splitlines():
        section = line.removeprefix("## ") if line.startswith("## ") else section
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 3 and cells[1].isdigit() and section:
            yield section, cells[0].replace("\\|", "|"), int(cells[1]), cells[2].strip("`").strip().replace("\\|", "|")


def seen_in_tests() -> list[Seen]:
    """Runs them all. Raises CalledProcessError where one fails."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "seen"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-m",
            "",
            "test/endtoend",
            "test/hostile/test_hostile_files.py",
        ]
        subprocess.run(command, cwd=ROOT, env={**os.environ, "FAILURES_TABLE": str(table)}, check=True)
        return [Seen(**json.loads(line)) for line in table.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    PAGE.write_text(page(seen_in_tests()), encoding="utf-8")
