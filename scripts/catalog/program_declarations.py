"""What the programs declare: ``PROGRAM`` in ``<package>/command.py``."""

from __future__ import annotations

import importlib
from typing import Any

from catalog.tree import program_of
from taskkit.command_line import Program


def declared_program(name: str) -> Program | None:
    """The declaration of a program; None where it has none (a library, a server, somebody else's image)."""
    try:
        module = importlib.import_module(f"{name.replace('-', '_')}.command")
    except ModuleNotFoundError as error:
        if error.name and name.replace("-", "_").startswith(error.name.partition(".")[0]):
            return None
        raise
    declared = getattr(module, "PROGRAM", None)
    return declared if isinstance(declared, Program) else None


def program_behind(task: dict[str, Any]) -> Program | None:
    """The program that the (one) step of a Task's body runs."""
    steps = (task.get("spec") or {}).get("steps") or [{}]
    name = program_of(str(steps[0].get("image")))
    return declared_program(name) if name else None
