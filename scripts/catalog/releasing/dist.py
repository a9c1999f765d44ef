"""The folder with all of a release that is not in a registry: written aside first, and put in place at once."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from taskkit.errors import TaskError


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """An empty folder within ``target``, gone afterwards. Raises TaskError where nothing can be written."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        for left in target.glob(".new-*"):  # by a release that was killed
            shutil.rmtree(left)
        fresh = Path(mkdtemp(prefix=".new-", dir=target))
        fresh.chmod(0o755)
    except OSError as error:
        raise TaskError(f"can't write {error.filename or target} ({error.strerror})", "give another --out") from error
    try:
        yield fresh
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Raises TaskError."""
    try:
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as error:
        raise TaskError(f"can't write {error.filename} ({error.strerror})", "give another --out") from error


def checksums(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}


def put_in_place(fresh: Path, target: Path) -> None:
    """Each file and folder of ``fresh`` takes the place of the one in ``target``; all or, after a failure, none.

    Raises TaskError.
    """
    moved: list[tuple[Path, Path]] = []
    aside = fresh / ".before"
    try:
        aside.mkdir(exist_ok=True)
        for new in sorted(path for path in fresh.iterdir() if path != aside):
            here = target / new.name
            if here.exists():
                moved.append((here, here.rename(aside / new.name)))
            moved.append((new, new.rename(here)))
    except OSError as error:
        for before, now in reversed(moved):
            now.rename(before)
        raise TaskError(f"can't replace what is in {target} ({error.strerror})", "give another --out") from error
