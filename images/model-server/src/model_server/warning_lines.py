"""Warnings as plain lines on stderr, one each."""

from __future__ import annotations

import sys
from typing import TextIO


def warn(text: str) -> None:
    print(f"model-server: warning: {' '.join(text.split())}", file=sys.stderr, flush=True)


def warn_unless_given(model_digest: str | None) -> None:
    """Without a digest from outside, model.json vouches for itself."""
    if model_digest is None:
        warn("no model digest was given, so files were checked against model.json only; set MODEL_DIGEST")


def warning_line(
    message: Warning | str, category: type[Warning], filename: str, lineno: int,  # noqa: ARG001
    file: TextIO | None = None, line: str | None = None,  # noqa: ARG001
) -> None:  # fmt: skip
    """In place of ``warnings.showwarning``, which prints two lines and a path."""
    warn(f"{category.__name__}: {message}")
