"""The git commit that the workspace was checked out from, read without a git binary and without ownership checks.

(git itself refuses a checkout that belongs to another user, which on a shared volume is the usual case.)
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from taskkit.model_manifest import Source

if TYPE_CHECKING:
    from dulwich.repo import Repo

NO_SOURCE = Source()


def read_source(workspace: Path, script: Path | None) -> tuple[Source, str]:
    """(source, a note for the log). A repository above the workspace counts only where it tracks the script.

    Files that git does not track don't make it dirty. A repository that can't be read is a note, never an error.
    """
    from dulwich.errors import NotGitRepository
    from dulwich.repo import Repo

    try:
        repository = Repo.discover(str(workspace))
    except NotGitRepository:
        return NO_SOURCE, "the workspace is no git checkout, so no commit is recorded"
    except Exception as error:  # noqa: BLE001 - whatever a broken repository makes dulwich raise
        return NO_SOURCE, f"the git repository can't be read ({type(error).__name__}: {error}); no commit is recorded"
    with repository:
        try:
            return _source(repository, workspace, script)
        except Exception as error:  # noqa: BLE001
            note = f"the git repository can't be read ({type(error).__name__}: {error}); no commit is recorded"
            return NO_SOURCE, note


def _source(repository: Repo, workspace: Path, script: Path | None) -> tuple[Source, str]:
    root = Path(repository.path).resolve()
    try:
        commit = repository.head().decode()
    except KeyError:
        return NO_SOURCE, "the git repository has no commit yet"
    index = repository.open_index()
    tracked = script is None or (script.is_relative_to(root) and script.relative_to(root).as_posix().encode() in index)
    if not tracked and root != workspace:
        return NO_SOURCE, "the workspace is no git checkout, so no commit is recorded"
    dirty = _dirty(repository, root)
    note = "" if tracked else f"{script} is not in the commit"
    return Source(url=_url(repository), commit=commit, dirty=dirty), note


def _dirty(repository: Repo, root: Path) -> bool:
    """Whether a tracked file differs from the commit, staged or not."""
    from dulwich.index import get_unstaged_changes

    index = repository.open_index()
    tree = repository[repository.head()].tree  # type: ignore[attr-defined]
    if any(True for _ in index.changes_from_tree(repository.object_store, tree)):
        return True
    normalizer = repository.get_blob_normalizer()
    changes = get_unstaged_changes(index, str(root), normalizer.checkin_normalize)
    return any(True for _ in changes)


def _url(repository: Repo) -> str:
    try:
        url = repository.get_config().get((b"remote", b"origin"), b"url")
    except KeyError:
        return ""
    return without_credentials(url.decode("utf-8", "replace"))


def without_credentials(url: str) -> str:
    """A remote's URL as it may be published; empty for a path of the machine.

    The user of an ssh address is no secret and is needed; everything before the @ of another one may be a token.
    """
    if re.fullmatch(r"[\w.+-]+@[\w.-]+:(?!//).+", url):
        return url
    parts = urlsplit(url)
    if parts.scheme in ("", "file") or not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    try:
        host += f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    user = f"{parts.username}@" if parts.scheme.endswith("ssh") and parts.username else ""
    return urlunsplit((parts.scheme, user + host, parts.path, "", ""))
