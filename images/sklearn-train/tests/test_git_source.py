import os
import subprocess

import pytest

from sklearn_train.git_source import NO_SOURCE, read_checkout, without_credentials

NO_CHECKOUT = "the workspace is no git checkout, so no commit is recorded"


def read_source(workspace, script):
    found = read_checkout(workspace, script)
    return found.source, found.note


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
    assert (source, note) == (NO_SOURCE, NO_CHECKOUT)
    assert read_source(folder / "src", folder / "src" / "train.py")[0].commit


def test_a_script_that_is_not_in_the_commit_makes_it_dirty(checkout):
    folder, _ = checkout
    (folder / "new.py").write_text("1\n")
    source, note = read_source(folder, folder / "new.py")
    assert (source.dirty, note) == (True, f"{folder / 'new.py'} is not in the commit")


def test_imported_files_that_are_not_in_the_commit_make_it_dirty_also_where_they_are_ignored(checkout):
    folder, git = checkout
    (folder / ".gitignore").write_text("ignored.py\n")
    git("add", ".gitignore")
    git("commit", "-qm", "two")
    for name in ("helper.py", "ignored.py"):
        (folder / "src" / name).write_text("1\n")
    found = read_checkout(folder, folder / "src/train.py")
    assert found.source.dirty is False, "as long as nobody imports them"
    assert found.with_imports([folder / "src/train.py"], folder) == (found.source, "")
    source, note = found.with_imports([folder / "src/helper.py"], folder)
    assert (source.dirty, note) == (True, "imported src/helper.py, which is not in the commit")
    both = [folder / "src/ignored.py", folder / "src/helper.py"]
    _, note = found.with_imports(both, folder)
    assert note == "imported src/helper.py, src/ignored.py, which are not in the commit"
    _, note = found.with_imports([folder / f"m{at:02}.py" for at in range(12)], folder)
    assert note.endswith("m09.py and 2 more, which are not in the commit")


def test_imports_of_a_workspace_below_the_checkouts_root_of_a_submodule_and_through_a_link(checkout, tmp_path):
    folder, git = checkout
    (folder / "link.py").symlink_to("src/train.py")
    (tmp_path / "outside.py").write_text("1\n")
    (folder / "src" / "out.py").symlink_to(tmp_path / "outside.py")
    git("add", "-A")
    git("update-index", "--add", "--cacheinfo", f"160000,{git('rev-parse', 'HEAD')},sub")
    git("commit", "-qm", "two")
    found = read_checkout(folder / "src", folder / "src" / "train.py")
    assert found.with_imports([folder / "src/train.py"], folder / "src")[1] == ""
    assert found.with_imports([folder / "sub/m.py", folder / "link.py"], folder)[1] == ""
    source, note = found.with_imports([folder / "src/out.py"], folder / "src")
    assert (source.dirty, note) == (True, "imported out.py, which is not in the commit"), "the commit has only the link"


def test_imports_say_nothing_where_there_is_no_commit(tmp_path):
    assert read_checkout(tmp_path, None).with_imports([tmp_path / "m.py"], tmp_path) == (NO_SOURCE, "")


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
