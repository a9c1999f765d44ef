"""Where a container's text is code: its script, and what a shell or interpreter is given after ``-c``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from catalog.engine.documents import FieldPath
from catalog.rules.subject import Container

SHELLS = {"sh", "bash", "dash", "ash", "ksh", "zsh"}
_FLAGS = {
    **dict.fromkeys(SHELLS, re.compile(r"-[a-zA-Z]*c")),
    **dict.fromkeys(("python", "python2", "python3"), re.compile(r"-[a-zA-Z]*c")),
    **dict.fromkeys(("perl", "node", "ruby"), re.compile(r"-e|--eval")),
}
_SHEBANG = re.compile(r"#![ \t]*(?P<path>\S+)[ \t]*(?P<arguments>[^\n]*)")


@dataclass(frozen=True, slots=True)
class Code:
    """A text that is run: its place, its language (``sh``, ``bash``, ``python3``, …), and the interpreter's options."""

    where: FieldPath
    text: str
    language: str
    options: str = ""
    is_script: bool = True

    @property
    def is_shell(self) -> bool:
        return self.language in SHELLS

    @property
    def is_python(self) -> bool:
        return re.fullmatch(r"python3?(\.\d+)?", self.language) is not None


def code_of(container: Container) -> Iterator[Code]:
    """All code of a container. A script without a shebang is run by ``sh -e``."""
    if script := container.part.text("script"):
        language, options = _interpreter(script)
        yield Code(container.part.at("script"), script, language, options)
    elements = container.elements()
    if elements and not container.holder("command").texts("command"):
        # Without a command the image's entrypoint gets them, and "-c" is for a shell.
        elements = [((), "sh"), *elements] if elements[0][1] == "-c" else elements
    for index, (_, element) in enumerate(elements):
        name = element.rpartition("/")[2]
        if name in _FLAGS:
            yield from _after_flag(name, elements[index + 1 :])


def _after_flag(language: str, elements: list[tuple[FieldPath, str]]) -> Iterator[Code]:
    for index, (_, element) in enumerate(elements[:-1]):
        if _FLAGS[language].fullmatch(element):
            where, text = elements[index + 1]
            yield Code(where, text, language, " ".join(flag for _, flag in elements[: index + 1]), is_script=False)
            return
        if not element.startswith("-"):
            return


def _interpreter(script: str) -> tuple[str, str]:
    match = _SHEBANG.match(script)
    if not match:
        return "sh", "-e"
    words = [match["path"], *match["arguments"].split()]
    if words[0].endswith("/env"):
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word] or ["sh"]
    return words[0].rpartition("/")[2], " ".join(words[1:])
