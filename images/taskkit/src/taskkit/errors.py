"""The errors a program reports in one line, each with its remedy and exit code.

TaskError                 3   could not do it: data, I/O, network, the user's script
├── UsageError            2   wrong usage or configuration: options, params, rules
└── IntegrityError        3   a file is not what a digest says it is

Everything else that escapes is a fault of the program: exit code 70.
Exit code 1 is never used: Tekton reports it for reasons of its own (missing executable, oversized results, time-out).
"""

from __future__ import annotations

EXIT_DONE = 0
EXIT_USAGE = 2
EXIT_FAILED = 3
EXIT_REJECTED = 10
EXIT_FAULT = 70


class TaskError(Exception):
    """Something that the user can mend. ``problem`` names the value and the place, ``remedy`` says what to do."""

    exit_code = EXIT_FAILED

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        """The error as one line, whatever line breaks the values in it have."""
        text = f"{self.problem}; {self.remedy}" if self.remedy else self.problem
        return " ".join(text.split())


class UsageError(TaskError):
    """The command line, a param or a configuration file is wrong."""

    exit_code = EXIT_USAGE


class IntegrityError(TaskError):
    """A file's content differs from the digest that vouches for it."""
