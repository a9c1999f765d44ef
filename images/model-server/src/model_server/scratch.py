"""A temporary folder that is made only when something needs one: most models run with no writable folder at all."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from taskkit.errors import TaskError

_there: set[Path] = set()
"""Folders of this process."""


def remove_all() -> None:
    """For an end that leaves no block."""
    while _there:
        shutil.rmtree(_there.pop(), ignore_errors=True)


class Scratch:
    """``with Scratch() as scratch``; ``scratch.directory`` makes the folder, the end of the block removes it."""

    def __init__(self) -> None:
        self._made: Path | None = None

    @property
    def directory(self) -> Path:
        """Raises TaskError where no temporary folder is writable."""
        if self._made is None:
            try:
                self._made = Path(tempfile.mkdtemp(prefix="model-server-"))
            except OSError as error:
                raise TaskError(f"no temporary folder can be written ({error.strerror})",
                                "mount an emptyDir on /tmp, or set TMPDIR") from error  # fmt: skip
            _there.add(self._made)
        return self._made

    def remove(self) -> None:
        if self._made is not None:
            shutil.rmtree(self._made, ignore_errors=True)
            _there.discard(self._made)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()
