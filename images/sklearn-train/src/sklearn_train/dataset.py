"""The data file: its digest, the digest it must have, and a folder that holds it alone."""

from __future__ import annotations

from pathlib import Path

from taskkit.canonical import hash_file
from taskkit.errors import IntegrityError, TaskError
from taskkit.model_manifest import Dataset


def read_dataset(file: Path, name: str, pinned: str) -> Dataset:
    """One pass over the file. ``name`` is its path as given, ``pinned`` the plain hex it must have, or empty.

    Raises TaskError where it is empty or can't be read, IntegrityError where the digest differs.
    """
    try:
        sha256, size = hash_file(file)
    except OSError as error:
        raise TaskError(f"dataset '{name}' can't be read ({error.strerror})", "check its owner and mode") from error
    if size == 0:
        raise TaskError(f"dataset '{name}' is empty", "check the step that writes it")
    if pinned and sha256 != pinned:
        raise IntegrityError(f"dataset '{name}' has sha256 {sha256} ({size} bytes), but dataset-sha256 is {pinned}",
                             "restore the data, or pin the new digest if it changed on purpose")  # fmt: skip
    return Dataset(path=name, sha256=sha256, size=size)


def stage_alone(file: Path, folder: Path) -> None:
    """A folder with one link to the file, for scripts that read every file of a folder."""
    folder.mkdir(parents=True)
    (folder / file.name).symlink_to(file)
