"""catalog.yaml, resources.tar.gz, release.json, and the folder they lie in."""

import hashlib
import json
import tarfile

import pytest
import yaml

from catalog.checks import source_catalog
from catalog.releasing import contract, dist
from catalog.releasing.verifying import verify_contract
from taskkit.errors import IntegrityError, TaskError


def test_the_archive_holds_what_the_contract_lists_with_its_checksums(released):
    told = yaml.safe_load((released.out / "catalog.yaml").read_text())
    assert told["version"] == "v1"
    assert set(told["catalog"]) == {"repository", "attestation", "resources"}
    with tarfile.open(released.out / "resources.tar.gz") as tar:
        names = set(tar.getnames())
        for kind, count in (("tasks", 3), ("pipelines", 2), ("stepactions", 0)):
            resources = told["catalog"]["resources"][kind]
            assert len(resources) == count
            for one in resources:
                content = tar.extractfile(one["filename"]).read()
                assert one["filename"] == f"{kind}/{one['name']}/{one['name']}.yaml"
                assert one["version"] == "0.1.0"
                assert one["checksum"] == hashlib.sha256(content).hexdigest()
                assert f"{kind}/{one['name']}/README.md" in names


def test_a_wrong_checksum_is_noticed(released, tmp_path):
    for name in ("catalog.yaml", "resources.tar.gz"):
        (tmp_path / name).write_bytes((released.out / name).read_bytes())
    verify_contract(tmp_path)
    text = (tmp_path / "catalog.yaml").read_text()
    checksum = yaml.safe_load(text)["catalog"]["resources"]["tasks"][0]["checksum"]
    (tmp_path / "catalog.yaml").write_text(text.replace(checksum, checksum[::-1]))
    with pytest.raises(IntegrityError, match=r"tasks/metric-gate/metric-gate.yaml in resources.tar.gz is not what"):
        verify_contract(tmp_path)


def test_the_trees_own_list_is_up_to_date_and_a_change_is_found(catalog):
    (catalog.root / "catalog.yaml").write_text(contract.source_catalog(catalog.root))
    assert source_catalog.findings(catalog.root) == []
    catalog.change("task/metric-gate/0.1/metric-gate.yaml", "cpu: ", "cpu:  ")
    (found,) = source_catalog.findings(catalog.root)
    assert found.message == "it is not what the YAML in task/ and pipeline/ says"
    assert "checksum" in (catalog.root / "catalog.yaml").read_text().splitlines()[found.position.line - 1]
    (catalog.root / "catalog.yaml").unlink()
    assert source_catalog.findings(catalog.root)[0].message == "it is missing"


def test_the_record_lists_every_other_file_with_its_sha256(released):
    record = json.loads((released.out / "release.json").read_text())
    there = {
        str(path.relative_to(released.out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in released.out.rglob("*")
        if path.is_file() and path.name != "release.json"
    }
    assert record["files"] == there
    assert record["registry"] == released.target
    assert record["artifact"].startswith(f"{released.target}/release:0.1@sha256:")


def test_a_folder_that_can_not_be_replaced_stays_whole(tmp_path, monkeypatch):
    target = tmp_path / "dist"
    dist.write(target, {"hub/a": b"old", "release.json": b"old", "kept": b"mine"})
    from pathlib import Path

    real, count = Path.rename, 0

    def failing(self, to):
        nonlocal count
        count += 1
        if count == 4:
            raise OSError(28, "No space left on device")
        return real(self, to)

    with dist.staged(target) as fresh:
        dist.write(fresh, {"hub/b": b"new", "release.json": b"new"})
        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", failing)
            with pytest.raises(TaskError, match=r"can't replace what is in .*No space left"):
                dist.put_in_place(fresh, target)
        assert (target / "hub/a").read_bytes() == b"old"
        assert (target / "release.json").read_bytes() == b"old"
        dist.put_in_place(fresh, target)
    assert {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()} == {
        "hub/b",
        "release.json",
        "kept",
    }


def test_a_folder_that_can_not_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(TaskError, match=r"can't write .*file.*give another --out"),
        dist.staged(tmp_path / "file" / "dist"),
    ):
        pass


def test_what_a_killed_release_left_is_removed(tmp_path):
    (tmp_path / ".new-abc" / "hub").mkdir(parents=True)
    with dist.staged(tmp_path) as fresh:
        assert [path.name for path in tmp_path.iterdir()] == [fresh.name]
    assert list(tmp_path.iterdir()) == []
