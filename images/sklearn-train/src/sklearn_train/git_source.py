"""The git commit that the workspace was checked out from, read without a git binary and without ownership checks.

(git itself refuses a checkout that belongs to another user, which on a shared volume is the usual case.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import msgspec

from taskkit.model_manifest import Source

if TYPE_CHECKING:
    from dulwich.repo import Repo

NO_SOURCE = Source()
_NO_CHECKOUT = "the workspace is no git checkout, so no commit is recorded"
_SHOWN = 10


@dataclass(frozen=True)
class Checkout:
    """What is known before the script runs. ``note`` is for the log. ``tracked``: paths in the commit or staged, as git
    writes them, from ``root`` on."""

    source: Source = NO_SOURCE
    note: str = ""
    root: Path = Path()
    tracked: frozenset[bytes] = frozenset()

    def with_imports(self, files: Iterable[Path], workspace: Path) -> tuple[Source, str]:
        """(source, a note for the log) when the absolute ``files`` are known to have been imported by the script.

        Code that is not in the commit makes the source dirty, also where git was told to ignore it.
        """
        if not self.source.commit:
            return self.source, ""
        missing = sorted(str(file.relative_to(workspace)) for file in files if not self._tracks(file))
        if not missing:
            return self.source, ""
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        verb = "is" if len(missing) == 1 else "are"
        note = f"imported {', '.join(missing[:_SHOWN])}{more}, which {verb} not in the commit"
        return msgspec.structs.replace(self.source, dirty=True), note

    def _tracks(self, file: Path) -> bool:
        """A file of a submodule counts as tracked: its commit is."""
        path = file.resolve()
        if not path.is_relative_to(self.root):
            return False
        inside = path.relative_to(self.root)
        return any(part.as_posix().encode() in self.tracked for part in (inside, *inside.parents))


def read_checkout(workspace: Path, script: Path | None) -> Checkout:
    """A repository above the workspace counts only where it tracks the script.

    Files that git does not track don't make it dirty, but for the script. A repository that can't be read is a note,
    never an error.
    """
    from dulwich.errors import NotGitRepository
    from dulwich.repo import Repo

    try:
        repository = Repo.discover(str(workspace))
    except NotGitRepository:
        return Checkout(note=_NO_CHECKOUT)
    except Exception as error:  # noqa: BLE001 - whatever a broken repository makes dulwich raise
        return _unreadable(error)
    with repository:
        try:
            return _checkout(repository, workspace, script)
        except Exception as error:  # noqa: BLE001
            return _unreadable(error)


def _unreadable(error: Exception) -> Checkout:
    return Checkout(note=f"the git repository can't be read ({type(error).__name__}: {error}); no commit is recorded")


def _checkout(repository: Repo, workspace: Path, script: Path | None) -> Checkout:
    root = Path(repository.path).resolve()
    try:
        commit = repository.head().decode()
    except KeyError:
        return Checkout(note="the git repository has no commit yet")
    index = frozenset(repository.open_index())
    tracked = script is None or (script.is_relative_to(root) and script.relative_to(root).as_posix().encode() in index)
    if not tracked and root != workspace:
        return Checkout(note=_NO_CHECKOUT)
    dirty = not tracked or _dirty(repository, root)
    note = "" if tracked else f"{script} is not in the commit"
    return Checkout(Source(url=_url(repository), commit=commit, dirty=dirty), note, root, index)


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
