"""What is wrong with code inside YAML: values pasted into it, syntax, errors it passes over, what it downloads."""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache

from catalog.engine import references
from catalog.engine.references import Reference
from catalog.rules.code import Code, code_of
from catalog.rules.subject import Container, Subject

_PIPED = re.compile(
    r"\b(?:curl|wget)\b[^|\n;&]*(?:\\\n[^|\n;&]*)*"
    r"\|\s*(?:sudo\s+(?:-\S+\s+)*)?(?:/\S*/)?(?:ba|da|z|k)?sh\b"
)
_INSTALLS = re.compile(
    r"(?:^|[;&|(]|\bthen|\bdo|\bsudo)[ \t]*(?P<command>"
    r"(?:apt|apt-get|dnf|yum|microdnf|tdnf)[ \t]+(?:-\S+[ \t]+)*install\b"
    r"|apk[ \t]+(?:-\S+[ \t]+)*add\b"
    r"|npm[ \t]+(?:install|i)[ \t]+(?:-g|--global)\b"
    r"|go[ \t]+(?:install|get)[ \t]+(?=[\w-]+(?:\.[\w-]+)+/)"
    r"|(?:python3?[ \t]+-m[ \t]+)?pip3?[ \t]+install[ \t]+"
    r"(?:-(?!r\b|-requirement|e\b|-editable)\S+[ \t]+)*(?=[A-Za-z]))",
    re.MULTILINE,
)
_STOPS = re.compile(r"^[^#\n]*\bset[ \t]+(?:-\w+[ \t]+)*(?:-[a-zA-Z]*e|-o[ \t]+errexit|-[a-zA-Z]*o[ \t]+errexit)",
                    re.MULTILINE)  # fmt: skip
_NOTHING = re.compile(r"\s*(?:#.*)?|\s*(?:fi|done|esac|else|then|do|\}|\))\s*;?\s*")
_HARMLESS = re.compile(
    r"(?!.*(?:\$\(|`))(?:(?:(?:export|local|readonly)[ \t]+)?\w+=\S*"
    r"|(?:echo|printf|exit|return|set|unset|shift|true|:)\b.*)"
    r"|(?:if|elif|while|until|for|case)\b.*|[^\s()]+\)"
)
"""Lines of a shell script whose failure nobody misses; conditions are not stopped by ``set -e`` either."""


def check(subject: Subject) -> None:
    for container in subject.containers:
        for code in code_of(container):
            _check_pasted(subject, container, code)
            _check_syntax(subject, container, code)
            _check_downloads(subject, container, code)
        if container.part.text("script"):
            _check_shell_script(subject, container, next(iter(code_of(container))))


def pasted(text: str) -> list[Reference]:
    """The variables in a text whose values other people choose."""
    return [found for found in references.find(text) if found.root in {"params", "tasks", "inputs"} or _of_step(found)]


def _of_step(reference: Reference) -> bool:
    return reference.root == "steps" and "results" in reference.path


def _check_pasted(subject: Subject, container: Container, code: Code) -> None:
    found = pasted(code.text)
    if not found:
        return
    names = list(dict.fromkeys(reference.text for reference in found))
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    rule, what = ("param-in-script", "script") if code.is_script else ("param-in-shell", f"{code.language} -c")
    if references.whole(code.text.strip()):
        message = f"{container.title} runs whatever {shown} says"
        remedy = "name a program and pass it values; where running a user's code is the task, ignore this with a reason"
    else:
        message = f"{container.title} pastes {shown} into its {what}: the value is run as code"
        remedy = _as_variable(names[0], code)
    subject.say(rule, code.where, message, remedy, found[0].start)


def _as_variable(reference: str, code: Code) -> str:
    name = re.sub(r"\W+", "_", references.find(reference)[0].path[-1]).upper()
    used = f'os.environ["{name}"]' if code.is_python else f'"${name}"'
    return f"set 'env: [{{name: {name}, value: {reference}}}]' and write {used} in the code"


def _check_syntax(subject: Subject, container: Container, code: Code) -> None:
    if code.is_shell and code.language in {"sh", "bash", "dash", "ash"}:
        problem = _shell_problem(code.text)
    elif code.is_python:
        problem = _python_problem(code.text)
    else:
        return
    if problem:
        line, message = problem
        offset = sum(len(one) for one in code.text.splitlines(keepends=True)[: line - 1])
        remedy = f"mend it; it is line {line} of the {'script' if code.is_script else 'command'}"
        subject.say("script-syntax", code.where, f"{container.title} cannot run: {message}", remedy, offset)


@cache
def _shell_problem(text: str) -> tuple[int, str] | None:
    """The line and message of what bash, which only reads (-n), does not understand."""
    try:
        done = subprocess.run(
            ["bash", "-n", "-s"],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            env={"LC_ALL": "C"},
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"^[^\n:]*: line (\d+): (.*)", done.stderr, re.MULTILINE)
    if done.returncode == 0 or not match:
        return None
    return min(int(match[1]), len(text.splitlines())), match[2].replace("`", "'").removeprefix("syntax error: ")


@cache
def _python_problem(text: str) -> tuple[int, str] | None:
    # A variable may stand for anything: a name of its length keeps the places.
    filled = references.replace(text, lambda reference: "_" * len(reference.text))
    try:
        ast.parse(filled)
    except SyntaxError as error:
        return error.lineno or 1, f"Python: {error.msg}"
    except ValueError as error:
        return 1, f"Python: {error}"
    return None


def _check_downloads(subject: Subject, container: Container, code: Code) -> None:
    if match := _PIPED.search(code.text):
        message = f"{container.title} runs what it downloads without having seen it"
        remedy = "put the program into the image, or check its digest first"
        subject.say("pipe-to-shell", code.where, message, remedy, match.start())
    if code.is_shell and (match := _INSTALLS.search(code.text)):
        command = " ".join(match["command"].split())
        message = f"{container.title} installs while it runs ({command}): slow, and another thing tomorrow"
        subject.say("install-at-run", code.where, message, "install it in the image", match.start("command"))


def _check_shell_script(subject: Subject, container: Container, code: Code) -> None:
    if not code.text.lstrip().startswith("#!"):
        message = f"the script of {container.title} has no shebang: it runs by /bin/sh -e, if the image has one"
        subject.say("no-shebang", code.where, message, "begin it with #!/bin/sh or another interpreter")
        return
    stops = re.search(r"-[a-zA-Z]*e", code.options) or _STOPS.search(code.text)
    if code.is_shell and not stops and _goes_on(code.text):
        message = f"the script of {container.title} goes on after a command has failed"
        subject.say("no-set-e", code.where, message, "write 'set -e' (or 'set -euo pipefail' for bash) at its top")


def _goes_on(script: str) -> bool:
    """Whether a command that may fail is not the last one."""
    plain = references.replace(script.replace("\\\n", " "), lambda _: "_")
    lines = [line.strip() for line in plain.splitlines() if not _NOTHING.fullmatch(line)]
    return any(not _HARMLESS.fullmatch(line) for line in lines[:-1])
