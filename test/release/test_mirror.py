"""Copies of a release: by registry, by folder, of a copy; with the first one switched off."""

import shutil

import pytest

from catalog import release
from catalog.releasing.bundles import read_bundle
from catalog.releasing.foreign import images_of
from catalog.releasing.mirroring import Source
from catalog.releasing.objects import read_body, strings
from catalog.releasing.places import FolderPlace
from catalog.releasing.verifying import served
from taskkit.errors import TaskError
from taskkit.oci.repository import Registries

pytestmark = pytest.mark.usefixtures("without_pages")


def mirror(source, target, *more):
    return release.main(["mirror", "--from", str(source), "--to", str(target), *map(str, more)])


def assert_whole(registry, prefix, out, elsewhere):
    """Everything that a mirror's YAML names is in it; ``elsewhere`` is named nowhere."""
    place = registry.place(prefix)
    source = Source(place, Registries())
    told = source.record
    for one in told.images:
        assert one.reference.startswith(f"{place.name}/{one.program}:")
        assert source.image(one.program, one.digest).digest == one.digest
    for one in told.bundles:
        for entry in read_bundle(place.store(one.path), place.root(one.path, one.digest)):
            assert not [text for text in strings(dict(entry.body)) if any(name in text for name in elsewhere)]
    for path in [*out.rglob("*.yaml"), *(out / "hub").rglob("*.html"), out / "release.json"]:
        assert not any(name in path.read_text() for name in elsewhere), path
    (clone,) = told.foreign
    (task, action) = read_bundle(place.store(clone.path), place.root(clone.path, clone.digest))
    for entry in (task, action):
        (image,) = images_of(entry.body)
        assert image.startswith(f"{place.name}/tektoncd-catalog/git-clone/git-init:v1.7.0@sha256:")
        place.root("tektoncd-catalog/git-clone/git-init", image.rpartition("@")[2])
    return told


@pytest.fixture(scope="module")
def mirrored(released, kept_git_clone, start_registry, tmp_path_factory):
    """A mirror, which tests only read or make again."""
    registry, out = start_registry(), tmp_path_factory.mktemp("mirrored")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("catalog.releasing.run.site.site_files", lambda plan: {})
        assert mirror(released.target, f"{registry.host}/far/away", "--out", out) == 0
    return registry, out


def test_a_mirror_works_with_the_origin_switched_off(origin, mirrored):
    registry, out = mirrored
    origin.switch_off()
    told = assert_whole(registry, "far/away", out, origin.hosts)
    assert {one.digest for one in told.images} == {one["digest"] for one in origin.released.record["images"]}
    with served(out / "hub") as hub:
        task = read_body(hub.installed("sklearn-catalog", "metric-gate"), "metric-gate")
    assert task["spec"]["steps"][0]["image"].startswith(f"{registry.host}/far/away/metric-gate:0.1.0@sha256:")


@pytest.fixture
def over_an_air_gap(origin, empty, tmp_path):
    """The record of a mirror that was made from a folder."""
    assert mirror(origin.target, tmp_path / "carried") == 0
    origin.switch_off()
    moved = shutil.move(tmp_path / "carried", tmp_path / "on the other side")
    assert mirror(moved, f"{empty.host}/near", "--out", tmp_path / "near") == 0
    return assert_whole(empty, "near", tmp_path / "near", origin.hosts)


def test_a_folder_carries_a_release_over_an_air_gap(over_an_air_gap, kept_git_clone):
    (clone,) = over_an_air_gap.foreign
    assert (clone.path, clone.tag) == ("tektoncd-catalog/git-clone/bundle", "v1.7.0")
    assert clone.digest != kept_git_clone.digest


@pytest.mark.slow
def test_a_mirror_can_be_mirrored(over_an_air_gap, origin, empty, start_registry, tmp_path):
    far = start_registry()
    assert mirror(f"{empty.host}/near", f"{far.host}/far/off", "--out", tmp_path / "far") == 0
    empty.stop()
    told = assert_whole(far, "far/off", tmp_path / "far", [*origin.hosts, empty.host])
    assert [one.path for one in told.foreign] == [one.path for one in over_an_air_gap.foreign]


def test_a_mirror_of_the_same_is_the_same_and_copies_nothing_again(origin, mirrored, tmp_path, capsys):
    registry, out = mirrored
    assert mirror(origin.target, f"{registry.host}/far/away", "--out", tmp_path) == 0
    assert "push" not in capsys.readouterr().err
    assert (out / "release.json").read_bytes() == (tmp_path / "release.json").read_bytes()


def test_a_folder_is_filled_with_what_is_missing_only(origin, tmp_path, capsys):
    carried = tmp_path / "carried"
    assert mirror(origin.target, carried) == 0
    names = {str(path.parent.relative_to(carried)) for path in carried.rglob("index.json")}
    assert {"sklearn-train", "tasks/sklearn-train", "pipelines/train-gate-build", "catalog", "release",
            "tektoncd-catalog/git-clone/bundle", "tektoncd-catalog/git-clone/git-init"} <= names  # fmt: skip
    shutil.rmtree(carried / "tasks" / "metric-gate")
    capsys.readouterr()
    assert mirror(origin.target, carried) == 0
    assert [line.split("  ")[0] for line in capsys.readouterr().err.splitlines() if "push" in line] == [
        "push Task metric-gate"
    ]


def test_who_pinned_the_origins_digest_finds_it_in_the_mirror(released, mirrored):
    digest = released.bundle("Task", "sklearn-train").rpartition("@")[2]
    place = mirrored[0].place("far/away")
    assert place.digest("tasks/sklearn-train", "0.1-origin") == digest
    assert place.digest("tasks/sklearn-train", "0.1") != digest


def test_a_damaged_folder_is_refused_before_anything_is_seen(origin, empty, tmp_path, capsys):
    carried = tmp_path / "carried"
    assert mirror(origin.target, carried) == 0
    blobs = sorted((carried / "sklearn-train/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    content = bytearray(blobs[-1].read_bytes())
    content[600] ^= 1
    blobs[-1].write_bytes(content)
    assert mirror(carried, f"{empty.host}/m", "--out", tmp_path / "d") == 3
    assert f"sha256:{blobs[-1].name}" in capsys.readouterr().err
    assert empty.place("m").tags("release") == ()
    assert not (tmp_path / "d" / "hub").exists()


def test_git_clone_that_can_not_be_reached_is_named_and_can_be_left_out(origin, empty, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("taskkit.oci.transport.Patience.pause", lambda *_: None)
    origin.git_clone.registry.stop()
    assert mirror(origin.target, f"{empty.host}/m", "--out", tmp_path / "d") == 3
    err = capsys.readouterr().err
    assert f"git-clone's bundle {origin.git_clone.reference} can't be read" in err
    assert "--skip-git-clone" in err
    assert mirror(origin.target, f"{empty.host}/m", "--out", tmp_path / "d", "--skip-git-clone") == 0
    text = (tmp_path / "d/yaml/pipeline/clone-train-gate-build/0.1/clone-train-gate-build.yaml").read_text()
    assert f'"{origin.git_clone.reference}@{origin.git_clone.digest}"' in text


@pytest.mark.parametrize(
    ("version", "says"), [("0.7", r"holds no release 0.7; there is: 0.1"), ("", r"holds no release; check")]
)
def test_a_release_that_is_not_there_is_named(released, tmp_path, version, says):
    place = released.registry.place() if version else FolderPlace(tmp_path)
    with pytest.raises(TaskError, match=says):
        Source(place, Registries(), version).root  # noqa: B018


def test_an_image_in_the_place_of_a_release_is_refused(already):
    place = already.registry.place()
    place.stage("release", Source(place, Registries()).image("metric-gate", already.record["images"][0]["digest"]))
    place.tag("release", place.root("metric-gate", "0.1.0"), "0.9")
    with pytest.raises(TaskError, match=r"is no release \(config of type 'application/vnd.oci.image.config"):
        Source(place, Registries()).record  # noqa: B018
