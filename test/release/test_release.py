"""A release to a real registry: what is published, when it is seen, what happens when something fails."""

import pytest

from catalog import release
from catalog.releasing import hub_tree, run
from catalog.releasing.bundles import read_bundle
from catalog.releasing.objects import read_object
from catalog.releasing.places import RegistryPlace, whole_image
from taskkit.errors import IntegrityError, TaskError
from taskkit.oci.documents import Document

pytestmark = pytest.mark.usefixtures("without_pages")


def published(registry) -> dict[str, str]:
    """Every tag in a registry with its digest, as they lie in its files."""
    top = registry.data / "docker/registry/v2/repositories/team/catalog"
    links = {link.relative_to(top).parts: link.read_text() for link in top.rglob("_manifests/tags/*/current/link")}
    return {f"{'/'.join(parts[:-5])}:{parts[-3]}": digest for parts, digest in links.items()}


def test_a_second_release_of_the_same_tree_gives_the_same_digests_and_pushes_nothing(already, tmp_path, capsys):
    before = published(already.registry)
    already.catalog.release(already.target, tmp_path / "again")
    second = capsys.readouterr()
    assert "push" not in second.err
    assert second.out.count(" there") == len(before)
    assert published(already.registry) == before
    assert files(already.out) == files(tmp_path / "again")


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_digests_do_not_depend_on_the_registry_having_been_reached_before(fresh, tmp_path, capsys):
    fresh.catalog.release(fresh.target, fresh.out, dry_run=True)
    planned = capsys.readouterr().out
    assert published(fresh.registry) == {}
    assert not fresh.out.exists()
    fresh.catalog.release(fresh.target, fresh.out)
    for told in (*fresh.record["images"], *fresh.record["bundles"]):
        assert told["digest"] in planned
    assert fresh.record["artifact"].rpartition("@")[2] in planned


def test_images_bundles_and_the_record_are_below_the_prefix(released):
    found = published(released.registry)
    assert found == {
        **{f"{one['program']}:{one['version']}": one["digest"] for one in released.record["images"]},
        **{f"{one['path']}:{one['version']}": one["digest"] for one in released.record["bundles"]},
        "release:0.1": released.record["artifact"].rpartition("@")[2],
    }


def test_a_failing_check_leaves_tags_and_folder_as_they_were_and_a_rerun_finishes(already, monkeypatch):
    before, folder = published(already.registry), files(already.out)
    already.catalog.set_image("metric-gate", "another content")
    already.catalog.change("task/metric-gate/0.1/metric-gate.yaml", "memory: ", "memory:  ")
    real = hub_tree.hub_files

    def wrong(plan):
        return real(plan) | {"api/v1/packages/tekton-task/sklearn-catalog/metric-gate/index.html": b"{}"}

    with monkeypatch.context() as patch:
        patch.setattr(run, "hub_files", wrong)
        with pytest.raises(
            TaskError, match=r"metric-gate is not answered as a hub does \(KeyError: 'available_versions'\)"
        ):
            already.catalog.release(already.target, already.out, replace=True)
    assert published(already.registry) == before
    assert files(already.out) == folder
    already.catalog.release(already.target, already.out, replace=True)
    after = published(already.registry)
    assert {name for name in before if before[name] != after[name]} == {
        "metric-gate:0.1.0", "tasks/metric-gate:0.1", "pipelines/train-gate-build:0.1",
        "pipelines/clone-train-gate-build:0.1", "catalog:0.1", "release:0.1",
    }  # fmt: skip


@pytest.mark.parametrize("nth", [pytest.param(1, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow), 6])
def test_tags_that_moved_lead_back_when_a_later_one_fails(already, monkeypatch, nth):
    before, folder = published(already.registry), files(already.out)
    already.catalog.set_image("metric-gate", "another content")
    real, count = RegistryPlace.tag, 0

    def failing(self, path: str, root: Document, tag: str):
        nonlocal count
        count += 1
        if count == nth:
            raise TaskError("the registry went away", "run again later")
        real(self, path, root, tag)

    monkeypatch.setattr(RegistryPlace, "tag", failing)
    with pytest.raises(TaskError, match="the registry went away"):
        already.catalog.release(already.target, already.out, replace=True)
    assert published(already.registry) == before
    assert files(already.out) == folder


@pytest.mark.slow
def test_a_tag_that_somebody_else_moves_meanwhile_is_noticed_and_put_back(already, monkeypatch, capsys):
    before = published(already.registry)
    already.catalog.set_image("metric-gate", "another content")
    place = already.registry.place()
    server = whole_image(place.store("model-server"), place.root("model-server", "0.1.0"))
    real = run.verify_tags

    def after_a_stranger(items, target):
        target.stage("metric-gate", server)
        target.tag("metric-gate", server.root, "0.1.0")
        real(items, target)

    monkeypatch.setattr(run, "verify_tags", after_a_stranger)
    with pytest.raises(IntegrityError, match=r"metric-gate:0.1.0 leads to sha256"):
        already.catalog.release(already.target, already.out, replace=True)
    assert published(already.registry) == before
    assert "put back: " in capsys.readouterr().err


@pytest.mark.slow
def test_new_tags_that_a_registry_will_not_delete_are_named(fresh, monkeypatch, capsys):
    monkeypatch.setattr(run, "verify_tags", lambda *_: (_ for _ in ()).throw(TaskError("no", "run again")))
    with pytest.raises(TaskError, match="no"):
        fresh.catalog.release(fresh.target, fresh.out)
    assert f"stays, since the registry deletes no tags: {fresh.target}/catalog:0.1" in capsys.readouterr().err
    assert not (fresh.out / "hub").exists()
    monkeypatch.undo()
    fresh.catalog.release(fresh.target, fresh.out)
    assert "push" not in capsys.readouterr().err


def test_nothing_is_seen_of_a_release_that_fails_while_it_is_pushed(fresh, monkeypatch):
    real, count = RegistryPlace.stage, 0

    def failing(self, path, image):
        nonlocal count
        count += 1
        if count == 7:
            raise TaskError("the registry went away", "run again later")
        real(self, path, image)

    monkeypatch.setattr(RegistryPlace, "stage", failing)
    with pytest.raises(TaskError, match="went away"):
        fresh.catalog.release(fresh.target, fresh.out)
    assert published(fresh.registry) == {}
    monkeypatch.undo()
    fresh.catalog.release(fresh.target, fresh.out)
    assert len(published(fresh.registry)) == len(fresh.record["images"]) + len(fresh.record["bundles"]) + 1


def test_a_released_version_is_not_changed_unless_that_is_asked_for(already):
    before = published(already.registry)
    already.catalog.change("task/sklearn-train/0.1/sklearn-train.yaml", "cpu: 250m", "cpu: 500m")
    with pytest.raises(TaskError, match=r"tasks/sklearn-train:0.1 is published with digest sha256:.*raise the version"):
        already.catalog.release(already.target, already.out)
    assert published(already.registry) == before


def test_a_new_version_leaves_the_released_one_and_the_pipelines_that_use_it(already):
    before = published(already.registry)
    already.catalog.add_version("task", "metric-gate", "0.1", "0.2")
    already.catalog.change("task/metric-gate/0.2/metric-gate.yaml", "metric-gate:0.1.0", "metric-gate:0.2.0")
    already.catalog.set_image("metric-gate", "version 0.2.0", "0.2.0")
    already.catalog.release(already.target, already.out)
    after = published(already.registry)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {
        "metric-gate:0.2.0", "tasks/metric-gate:0.2", "catalog:0.2", "release:0.2",
    }  # fmt: skip
    place = already.registry.place()
    everything = read_bundle(place.store("catalog"), place.root("catalog", "0.2"))
    labels = {one.name: one.body["metadata"]["labels"]["app.kubernetes.io/version"] for one in everything}
    assert (labels["metric-gate"], labels["sklearn-train"]) == ("0.2", "0.1")


def test_an_image_of_an_older_version_is_taken_from_what_was_published(already, tmp_path):
    old = next(one["digest"] for one in already.record["images"] if one["program"] == "metric-gate")
    already.catalog.add_version("task", "metric-gate", "0.1", "0.2")
    already.catalog.change("task/metric-gate/0.2/metric-gate.yaml", "metric-gate:0.1.0", "metric-gate:0.2.0")
    already.catalog.images = tmp_path / "only-new"
    already.catalog.set_image("metric-gate", "version 0.2.0", "0.2.0")
    already.catalog.release(already.target, already.out)
    digests = {one["version"]: one["digest"] for one in already.record["images"] if one["program"] == "metric-gate"}
    assert digests["0.1.0"] == old != digests["0.2.0"]


def test_git_clone_is_pinned_where_its_registry_is_reached_and_stays_pinned_when_it_is_not(already, git_clone, capsys):
    path = already.out / "yaml/pipeline/clone-train-gate-build/0.1/clone-train-gate-build.yaml"
    pinned = f'default: "{git_clone.reference}@{git_clone.digest}"'
    assert pinned in path.read_text()
    git_clone.registry.stop()
    already.catalog.release(already.target, already.out)
    assert pinned in path.read_text()
    assert "stays a tag" not in capsys.readouterr().err


def test_git_clone_stays_a_tag_and_that_is_said_where_its_registry_was_never_reached(fresh, capsys):
    nowhere = "127.0.0.1:9/tektoncd-catalog/git-clone/bundle:v1.7.0"
    fresh.catalog.release(fresh.target, fresh.out, git_clone_bundle=nowhere)
    assert f"note: {nowhere} stays a tag, its digest is not to be had: " in capsys.readouterr().err
    text = (fresh.out / "yaml/pipeline/clone-train-gate-build/0.1/clone-train-gate-build.yaml").read_text()
    assert f'default: "{nowhere}"' in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--registry", "https://ghcr.io/x"], "--registry 'https://ghcr.io/x' has a scheme"),
        (["--registry", "localhost:5000"], "is no registry with a prefix"),
        (["--registry", "my-team/catalog"], "is on Docker Hub, which has no nested repositories"),
        (["--registry", "ghcr.io/x", "--version", "new"], "--version 'new' is no version"),
        (["--registry", "ghcr.io/x", "--hub-url", "ftp://x"], "--hub-url 'ftp://x' is no http(s) address"),
        (["mirror", "--from", "/x", "--to", "/x"], "--from and --to are both /x"),
        (["mirror", "--from", "/x", "--to", "carried"], "a folder begins with / or ./"),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_line_and_exit_code_2(arguments, says, capsys):
    assert release.main(arguments) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.startswith("release: error: ")
    assert len(err.splitlines()) == 1


def test_a_registry_that_is_not_there_is_one_line_and_exit_code_3(catalog, monkeypatch, capsys, tmp_path, quick):
    monkeypatch.setattr(release, "TREE", catalog.tree)
    monkeypatch.setattr(release, "_HURRY", quick)
    monkeypatch.setattr("taskkit.oci.transport.Patience.pause", lambda *_: None)
    arguments = [
        "--registry",
        "127.0.0.1:9/x",
        "--images",
        str(catalog.images),
        "--skip-checks",
        "--out",
        str(tmp_path),
    ]
    assert release.main([*arguments, "--dry-run"]) == 0
    assert " unknown" in capsys.readouterr().out
    assert release.main(arguments) == 3
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("release: error: ")
    assert "127.0.0.1:9" in last


def test_missing_images_are_all_named(catalog, empty, tmp_path):
    catalog.images = tmp_path / "nothing"
    with pytest.raises(
        TaskError, match=r"there is no image for metric-gate:0.1.0, model-serve-build:0.1.0, .*--images"
    ):
        catalog.release(f"{empty.host}/x", tmp_path / "dist")


def test_an_image_that_says_it_is_another_version_is_refused(fresh):
    fresh.catalog.set_image("metric-gate", "x", "0.3.0")
    layout = fresh.catalog.images / "metric-gate"
    for path in layout.glob("index.json"):
        path.write_text(path.read_text().replace('"0.1.0"', '"old"').replace('"0.3.0"', '"0.1.0"'))
    with pytest.raises(TaskError, match=r"metric-gate@sha256:\S+ is version 0.3.0, not 0.1.0"):
        fresh.catalog.release(fresh.target, fresh.out)


def test_every_reference_in_what_was_rendered_is_by_digest(released):
    for path in (released.out / "yaml").rglob("*.yaml"):
        text = path.read_text()
        assert "ghcr.io/sklearn-catalog" not in text
        kind = "Pipeline" if "pipeline" in path.parts else "Task"
        body = read_object(kind, path.parts[-3], path.parts[-2], path).body
        for step in body["spec"].get("steps", []):
            assert "@sha256:" in step["image"]
        for task in body["spec"].get("tasks", []):
            assert task["taskRef"]["resolver"] in {"hub", "bundles"}


def test_the_summary_is_a_table_with_whole_digests(released, capsys, tmp_path):
    released.catalog.release(released.target, tmp_path / "again")
    out = capsys.readouterr().out
    for told in released.record["bundles"]:
        assert told["digest"] in out
    assert "objects in bundles" in out
