"""What the log says of a script: its command, and how it ended that did not end well, in one line with what to do."""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Sequence

from sklearn_train.supervised_process import Ended, duration, size
from taskkit.errors import TaskError

_RAISED = re.compile(r"([\w.]+\.)?\w*(Error|Exception|Warning|Interrupt|Exit|Iteration|NotFound)\b.*")
_QUOTED = 300
_REFUSED = re.compile(
    r"unrecognized arguments|the following arguments are required|expected (one|at least one|\d+) argument|"
    r"invalid choice|No such option|no such option|Unknown flag|Missing (option|argument|parameter)|"
    r"Got unexpected extra argument|Could not consume arg|unexpected keyword argument"
)
# What `python -m` says of a name that leads nowhere, or to a package without __main__.
_NO_SUCH_MODULE = re.compile(r": (Error while finding module specification for|No module named) ")


def shown_command(words: Sequence[str]) -> str:
    """On one line, quoted as a shell wants it, long words shortened."""
    short = [word if len(word) <= _QUOTED else f"{word[:_QUOTED]}…" for word in words]
    return f"$ {shlex.join(short)}".replace("\n", "\\n").replace("\r", "\\r")


def failure(script: str, ended: Ended, memory_limit: int) -> TaskError:
    """``memory_limit`` in bytes."""
    last = ended.last_line if len(ended.last_line) <= _QUOTED else ended.last_line[: _QUOTED - 1] + "…"
    last = last.rstrip(". ")
    quoted = f": {last}" if last else ", and wrote nothing"
    took = duration(ended.seconds)
    if ended.stopped_at_memory:
        return TaskError(
            f"script {script} was stopped after {took}, near the memory limit: {size(ended.stopped_at_memory)} of "
            f"{size(memory_limit)} in use", "raise the step's memory limit, or train on less data",
        )  # fmt: skip
    if ended.code < 0:
        name = signal.Signals(-ended.code).name
        remedy = "see its log above"
        if name == "SIGKILL":
            remedy = f"often that is too little memory: it had {size(ended.peak_memory)} at most when last looked at"
        return TaskError(f"script {script} was killed by {name} after {took}{quoted}", remedy)
    if _REFUSED.search(ended.last_line):
        return TaskError(
            f"script {script} does not take the arguments it was given (exit code {ended.code}){quoted}",
            "pass the script's own arguments in args, with {dataset}, {model} and {metrics} where it wants these "
            "paths, or args: [] for none",
        )  # fmt: skip
    if ended.code == 1 and _RAISED.fullmatch(ended.last_line):
        remedy = "mend the script; its traceback is in the log above"
        if last.startswith("EOFError"):
            remedy = "a script that reads stdin finds it empty here; pass what it asks for in args"
        elif "No space left on device" in last:
            remedy = "make room on the volume, or write less to it"
        elif last.startswith("ModuleNotFoundError"):
            remedy = "add the package that holds it to requirements, or the module to the project"
        elif last.startswith("KeyError: 'SM_CHANNEL_"):
            remedy = "the dataset param is the only channel, train and training; let the script split it"
        return TaskError(f"script {script} raised {last}", remedy)
    if _NO_SUCH_MODULE.search(ended.last_line):
        return TaskError(f"script {script} can't be run{quoted}",
                         "name a module as seen from the workspace's root, or the path of a Python file")  # fmt: skip
    return TaskError(f"script {script} ended with exit code {ended.code}{quoted}", "see its log above")
