"""Command lines of Tekton steps, declared once.

A program declares its options and results as data. From this come the parser, the `--help` text, the check that the
Task's YAML mirrors it, and the tables of the generated README. The conventions:

* a string param arrives as one element ``--name=value``; an empty value means "not given";
* an array param arrives as ``--name`` followed by zero or more values, none of which starts with ``-``;
* the one free array, whose values may be anything, comes last, after ``--``;
* ``--result`` is followed by ``name=path`` elements: where to write each declared result.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from taskkit.errors import EXIT_DONE, EXIT_FAILED, EXIT_FAULT, TaskError, UsageError

# Tekton allows 4,096 bytes for all results of a pod's container; a task of ours stays far below (design rule).
RESULTS_LIMIT = 1024


@dataclass(frozen=True)
class Option:
    """A string (``default`` is a str) or an array of strings (``default`` is a tuple)."""

    name: str
    help: str
    default: str | tuple[str, ...] = ""
    required: bool = False
    choices: tuple[str, ...] = ()
    free: bool = False
    """The array that comes after ``--`` and takes any value."""
    workspace: bool = False
    """The value is the path of an optional Tekton workspace of the same name."""
    allows_empty: bool = False
    """An empty value is a value of its own and not the same as leaving the option out."""

    @property
    def is_array(self) -> bool:
        return isinstance(self.default, tuple)


@dataclass(frozen=True)
class Result:
    name: str
    help: str


@dataclass(frozen=True)
class ErrorKind:
    """A line of the README's table of errors: what is seen, its exit code, what to do."""

    exit_code: int
    seen: str
    remedy: str


@dataclass(frozen=True)
class Program:
    name: str
    summary: str
    version: str
    options: tuple[Option, ...]
    results: tuple[Result, ...] = ()
    errors: tuple[ErrorKind, ...] = ()


@dataclass(frozen=True)
class Arguments:
    """What was given: each option of the program by its name; ``result_files`` says where results go."""

    strings: Mapping[str, str]
    arrays: Mapping[str, tuple[str, ...]]
    result_files: Mapping[str, Path] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.strings[name]

    def array(self, name: str) -> tuple[str, ...]:
        return self.arrays[name]


@dataclass(frozen=True)
class Outcome:
    """What a program's work ends with: results, and for an orderly "no" an exit code with its one line."""

    results: Mapping[str, str]
    exit_code: int = EXIT_DONE
    error: str = ""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, f"see `{self.prog} --help`")


class _VersionAction(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from taskkit.environment import describe_environment

        print(f"{parser.prog} {self.const}\n{describe_environment()}")
        parser.exit()


def parser_of(program: Program) -> argparse.ArgumentParser:
    """The argparse parser of everything but the free array."""
    free = next((option for option in program.options if option.free), None)
    parser = _Parser(
        prog=program.name, description=program.summary, allow_abbrev=False,
        epilog=f"After -- come the {free.name}: {free.help}" if free else None,
    )  # fmt: skip
    for option in program.options:
        if option.free:
            continue
        text = option.help.replace("%", "%%")
        if option.is_array:
            parser.add_argument(f"--{option.name}", nargs="*", action="extend", metavar="VALUE", help=text)
        else:
            shown = f" (default: {option.default})" if option.default else ""
            parser.add_argument(f"--{option.name}", metavar="VALUE", help=text + shown.replace("%", "%%"))
    if program.results:
        names = ", ".join(result.name for result in program.results)
        parser.add_argument(
            "--result", nargs="*", action="extend", metavar="NAME=PATH", help=f"files to write results to: {names}"
        )
    parser.add_argument("--debug", action="store_true", help="show a traceback with an error")
    parser.add_argument("--version", action=_VersionAction, nargs=0, const=program.version, help="version, environment")
    return parser


def parse(program: Program, argv: Sequence[str]) -> Arguments:
    """Reads a command line. Raises UsageError that names the option, the value and what is allowed."""
    free = next((option for option in program.options if option.free), None)
    named, rest = list(argv), None
    if "--" in named:
        at = named.index("--")
        named, rest = named[:at], tuple(named[at + 1 :])
    if rest is not None and free is None:
        raise UsageError(f"{program.name} takes nothing after '--'", f"see `{program.name} --help`")
    if rest and "--result" not in named and _result_files(program, _after_result(rest), lenient=True):
        before = next((element for element in reversed(named) if element.startswith("--")), "an option")
        raise UsageError(f"{before} has the element '--', which ends the options", "only the last array may hold it")
    given = vars(parser_of(program).parse_args(named))
    strings: dict[str, str] = {}
    arrays: dict[str, tuple[str, ...]] = {}
    for option in program.options:
        if option.free:
            arrays[option.name] = rest if rest is not None else tuple(option.default)
        elif option.is_array:
            values = given[option.name.replace("-", "_")]
            arrays[option.name] = tuple(option.default) if values is None else tuple(values)
        else:
            strings[option.name] = _string(option, given[option.name.replace("-", "_")])
    return Arguments(strings, arrays, _result_files(program, given.get("result") or ()))


def _string(option: Option, value: str | list[str] | None) -> str:
    if isinstance(value, list):  # argparse before 3.11.8 makes this of ``--name=--`` (python/cpython#109475)
        value = "--"
    if value is None or (value == "" and not option.allows_empty):
        if option.required:
            raise UsageError(f"--{option.name} is required", f"it is: {option.help}")
        value = str(option.default)
    if option.choices and value not in option.choices:
        raise UsageError(f"--{option.name} is '{value}'", f"it takes one of: {', '.join(option.choices)}")
    return value


def _after_result(argv: Sequence[str]) -> list[str]:
    """The elements of ``--result``, read before the rest of a command line is known to be right."""
    found, taking = [], False
    for element in argv:
        taking = element == "--result" or (taking and not element.startswith("--"))
        if taking and element != "--result":
            found.append(element)
    return found


def _result_files(program: Program, elements: Sequence[str], *, lenient: bool = False) -> dict[str, Path]:
    declared = [result.name for result in program.results]
    files = {}
    for element in elements:
        name, equals, path = element.partition("=")
        if lenient and not (path and name in declared):
            continue
        if not equals or not path:
            raise UsageError(f"--result '{element}' is not NAME=PATH", f"names are: {', '.join(declared)}")
        if name not in declared:
            raise UsageError(f"--result names '{name}', which {program.name} does not give",
                             f"names are: {', '.join(declared)}")  # fmt: skip
        files[name] = Path(path)
    return files


def write_results(files: Mapping[str, Path], results: Mapping[str, str]) -> None:
    """Writes each result file that was asked for, empty where there is no value. Raises TaskError."""
    size = sum(len(name.encode()) + len(value.encode()) for name, value in results.items())
    if size > RESULTS_LIMIT:
        raise RuntimeError(f"results take {size} bytes, more than {RESULTS_LIMIT}")
    for name, path in files.items():
        try:
            path.write_text(results.get(name, ""), encoding="utf-8")
        except OSError as error:
            raise TaskError(f"result {name} can't be written to {path} ({error.strerror})",
                            "give --result a path in a folder that exists and is writable") from error  # fmt: skip


def run(program: Program, work: Callable[[Arguments], Outcome], argv: Sequence[str] | None = None) -> int:
    """Parses, works, writes results, reports an error in one line on stderr; returns the exit code.

    Results are first written empty: a declared result exists however the work ends.
    """
    os.umask(0o002)
    argv = sys.argv[1:] if argv is None else list(argv)
    own = argv[: argv.index("--")] if "--" in argv else argv
    debug = "--debug" in own
    try:
        write_results(_result_files(program, _after_result(own) or _after_result(argv), lenient=True), {})
        arguments = parse(program, argv)
        outcome = work(arguments)
        write_results(arguments.result_files, outcome.results)
        if outcome.error:
            say_error(program, outcome.error)
        return outcome.exit_code
    except TaskError as error:
        if debug:
            traceback.print_exc()
        say_error(program, str(error))
        return error.exit_code
    except KeyboardInterrupt:
        say_error(program, "interrupted")
        return 130
    except BrokenPipeError:
        # Python would say so once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        say_error(program, "the output was closed before its end; let what reads the log read all of it")
        return EXIT_FAILED
    except Exception as error:  # noqa: BLE001 - the one place where faults become an exit code
        if debug:
            traceback.print_exc()
        detail = " ".join(str(error).split())
        say_error(program, f"internal fault: {type(error).__name__}: {detail}; run with --debug for the traceback")
        return EXIT_FAULT


def say_error(program: Program, text: str) -> None:
    sys.stdout.flush()
    print(f"{program.name}: error: {text}", file=sys.stderr, flush=True)


def say(text: str) -> None:
    """A plain log line, at once."""
    print(text, flush=True)
