import os
import subprocess

import pytest

from sklearn_train.git_source import NO_SOURCE, read_source, without_credentials


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    folder = tmp_path / "checkout"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "train.py").write_text("1\n")

    def git(*arguments):
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *arguments]
        return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "one")
    return folder, git


def test_the_commit_is_read_and_untracked_files_do_not_make_it_dirty(checkout):
    folder, git = checkout
    (folder / "notes.txt").write_text("x")
    source, note = read_source(folder, folder / "src/train.py")
    assert (source.commit, source.dirty, source.url, note) == (git("rev-parse", "HEAD"), False, "", "")


@pytest.mark.parametrize("stage", [False, True])
def test_a_changed_file_makes_it_dirty_staged_or_not(checkout, stage):
    folder, git = checkout
    (folder / "src/train.py").write_text("2\n")
    if stage:
        git("add", "-A")
    assert read_source(folder, folder / "src/train.py")[0].dirty is True


def test_a_deleted_file_makes_it_dirty_and_a_touched_one_does_not(checkout):
    folder, _ = checkout
    os.utime(folder / "src/train.py", (1, 1))
    assert read_source(folder, None)[0].dirty is False
    (folder / "src/train.py").unlink()
    assert read_source(folder, None)[0].dirty is True


def test_a_folder_that_a_repository_above_does_not_track_is_no_checkout_of_it(checkout):
    folder, _ = checkout
    (folder / "run").mkdir()
    (folder / "run" / "train.py").write_text("1\n")
    source, note = read_source(folder / "run", folder / "run" / "train.py")
    assert (source, note) == (NO_SOURCE, "the workspace is no git checkout, so no commit is recorded")
    assert read_source(folder / "src", folder / "src" / "train.py")[0].commit


def test_repositories_without_commits_and_broken_ones_are_notes(tmp_path, checkout):
    folder, _ = checkout
    subprocess.run(["git", "init", "-q", tmp_path / "new"], check=True)
    assert read_source(tmp_path / "new", None) == (NO_SOURCE, "the git repository has no commit yet")
    (folder / ".git" / "index").write_bytes(b"rubbish")
    source, note = read_source(folder, None)
    assert source == NO_SOURCE
    assert note.startswith("the git repository can't be read (")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:token@example.com:8443/a/b.git?x=secret", "https://example.com:8443/a/b.git"),
        ("https://token@example.com/a.git", "https://example.com/a.git"),
        ("git@example.com:a/b.git", "git@example.com:a/b.git"),
        ("ssh://git:secret@example.com/a.git", "ssh://git@example.com/a.git"),
        ("/srv/a.git", ""),
        ("file:///srv/a.git", ""),
        ("../a", ""),
        ("https://example.com:port/a", ""),
    ],
)
def test_a_remote_is_shown_without_secrets_and_without_paths_of_the_machine(url, shown):
    assert without_credentials(url) == shown
