"""The model directory: the contract between the tasks. What lies where, how it is checked, how it is put in place."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from taskkit.canonical import digest_of, hash_file, is_json_object
from taskkit.confined_paths import relative_name
from taskkit.errors import IntegrityError, TaskError
from taskkit.model_manifest import MANIFEST, FileEntry, ModelManifest, parse_manifest

METRICS = "metrics.json"
GOLDEN = "golden.json"
ONNX = "model.onnx"
CODE = "code"
WHEELS = "wheels"
REQUIREMENTS = "requirements.lock"


def files_below(directory: Path) -> Iterator[str]:
    """Paths of all files below a directory with forward slashes, sorted.

    Raises IntegrityError for anything that is neither a regular file nor a directory: links, devices, sockets.
    """
    names = []
    for folder, folders, files in os.walk(directory):
        for name in (*folders, *files):
            path = Path(folder, name)
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                names.append(path.relative_to(directory).as_posix())
            elif not stat.S_ISDIR(mode):
                raise IntegrityError(f"{path} is a link or a special file, which a model directory may not hold",
                                     "train again")  # fmt: skip
    yield from sorted(names)


def file_entries(directory: Path) -> dict[str, FileEntry]:
    """sha256 and size of every file below a directory but the manifest itself."""
    return {
        name: FileEntry(*hash_file(directory / name)) for name in files_below(directory) if name != MANIFEST
    }  # fmt: skip


def is_model_directory(directory: Path) -> bool:
    """Whether sklearn-train made it: its model.json is a manifest, of whatever schema version."""
    return is_json_object(directory / MANIFEST, {"schema_version", "files", "estimator"})


def read_manifest(directory: Path) -> tuple[ModelManifest, str]:
    """(manifest, model digest) of a model directory; checks nothing else. Raises TaskError."""
    path = directory / MANIFEST
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TaskError(f"model directory {directory} has no {MANIFEST} ({error.strerror})",
                        "run sklearn-train first, with the same model-dir") from error  # fmt: skip
    return parse_manifest(content, str(path)), digest_of(content)


def verify(
    directory: Path, model_digest: str | None = None, *, besides: Collection[str] = ()
) -> tuple[ModelManifest, str]:
    """(manifest, model digest) after every file was checked against the manifest, and the manifest against a digest.

    ``besides`` names files that may lie there without being listed, as an image's gate report does.
    Raises IntegrityError that names the first file that differs, is missing, or is not listed.
    """
    manifest, found = read_manifest(directory)
    if model_digest is not None and found != model_digest:
        raise IntegrityError(f"{directory / MANIFEST} has digest {found}, but {model_digest} was approved",
                             "the model directory changed after approval; run the gate again")  # fmt: skip
    present = set(files_below(directory)) - {MANIFEST, *besides}
    for name, entry in sorted(manifest.files.items()):
        if not relative_name(name):
            raise IntegrityError(
                f"{directory / MANIFEST} lists '{name}', which is not a plain relative path", "train again"
            )
        if name not in present:
            raise IntegrityError(f"{directory / name} is missing, but {MANIFEST} lists it", "train again")
        sha256, size = hash_file(directory / name)
        if (sha256, size) != (entry.sha256, entry.size):
            raise IntegrityError(
                f"{directory / name} has sha256 {sha256} ({size} bytes), but {MANIFEST} says {entry.sha256} "
                f"({entry.size} bytes)", "the file changed after training; train and run the gate again",
            )  # fmt: skip
    if extra := sorted(present - set(manifest.files)):
        raise IntegrityError(f"{directory / extra[0]} is not listed in {MANIFEST}", "remove it, or train again")
    return manifest, found


@contextmanager
def replacing(directory: Path) -> Iterator[Path]:
    """Yields a new empty directory beside ``directory`` that takes its place when the block ends without an error.

    What was there before stays until then, and is whole or gone, never mixed. After an error, or when the process is
    killed, only a hidden leftover ``.<name>.new-*`` may remain; the next run removes it. Raises TaskError.
    """
    parent, name = directory.parent, directory.name
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(parent, name)
        fresh = Path(tempfile.mkdtemp(prefix=f".{name}.new-", dir=parent))
    except OSError as error:
        raise _not_writable(parent, error) from error
    try:
        fresh.chmod(0o775)
        yield fresh
        old = Path(tempfile.mkdtemp(prefix=f".{name}.old-", dir=parent))
        if directory.is_symlink() or directory.exists():
            os.replace(directory, old / name)
        os.replace(fresh, directory)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        if error.errno not in _WRITE_ERRORS:
            raise
        raise _not_writable(parent, error) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _remove_leftovers(parent: Path, name: str) -> None:
    for prefix in (f".{name}.new-", f".{name}.old-"):
        for leftover in parent.glob(f"{prefix}*"):
            shutil.rmtree(leftover, ignore_errors=True)


_SPACE_ERRORS = {errno.ENOSPC, errno.EDQUOT}
_WRITE_ERRORS = _SPACE_ERRORS | {errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG}


def _not_writable(directory: Path, error: OSError) -> TaskError:
    where = error.filename or directory
    return TaskError(f"can't write {where} ({error.strerror})", writing_remedy(error, directory))


def writing_remedy(error: OSError, directory: Path) -> str:
    """What to do where writing to a directory failed."""
    return "make room on the volume" if error.errno in _SPACE_ERRORS else ownership_hint(directory)


def ownership_hint(directory: Path) -> str:
    """Whose a directory is, who we are, and what to do: the remedy where something may not be written."""
    try:
        status = directory.stat()
    except OSError:
        return "check that the workspace is bound and writable"
    whose = f"{directory} belongs to {status.st_uid}:{status.st_gid} with mode {status.st_mode & 0o777:o}"
    who = f"this step runs as {os.getuid()}:{os.getgid()}"
    return f"{whose} and {who}: set podTemplate.securityContext.fsGroup, or make it writable for the group"


def why_not_converted(manifest: ModelManifest) -> str:
    """Why the model can't be served from model.onnx alone; empty where it can."""
    if manifest.onnx.status != "proved" or ONNX not in manifest.files:
        return manifest.onnx.reason or f"there is no {ONNX} that training proved equal"
    if manifest.signature is None:
        return f"its columns are not known ({manifest.signature_reason or 'nothing was observed in training'})"
    if manifest.golden.rows and not manifest.golden.replays:
        return f"the model does not answer the same twice: {manifest.golden.reason}"
    return ""
