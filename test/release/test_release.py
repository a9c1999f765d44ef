"""A release to a real registry, read back by the clients that will read it."""

import pytest


@pytest.fixture
def registry(start_registry):
    return start_registry()


def test_a_second_release_of_the_same_tree_gives_the_same_digests_and_pushes_nothing(
    catalog_with_git_clone, registry, tmp_path, capsys
):
    target = f"{registry.host}/team/catalog"
    catalog_with_git_clone.release(target, tmp_path / "one")
    first = capsys.readouterr()
    catalog_with_git_clone.release(target, tmp_path / "two")
    second = capsys.readouterr()
    assert (tmp_path / "one" / "release.json").read_bytes() == (tmp_path / "two" / "release.json").read_bytes()
    assert "push Task metric-gate" in first.err
    assert "push" not in second.err
    assert " new" not in second.out
    assert second.out.count(" there") == 11


def test_mirror_tmp(catalog_with_git_clone, start_registry, tmp_path, capsys):
    from catalog import release

    a, b = start_registry(), start_registry()
    catalog_with_git_clone.release(f"{a.host}/team/catalog", tmp_path / "one")
    assert release.main(["mirror", "--from", f"{a.host}/team/catalog", "--to", str(tmp_path / "carry")]) == 0
    a.stop()
    catalog_with_git_clone.foreign.stop()
    assert (
        release.main(
            ["mirror", "--from", str(tmp_path / "carry"), "--to", f"{b.host}/x/y", "--out", str(tmp_path / "d")]
        )
        == 0
    )
    out = capsys.readouterr()
    print(out.out, out.err)
    text = (tmp_path / "d/yaml/pipeline/clone-train-gate-build/0.1/clone-train-gate-build.yaml").read_text()
    print(text[5000:12000])
