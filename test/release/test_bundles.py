"""Bundles by the contract, and what readers refuse."""

import gzip
import io
import json
import tarfile

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.releasing import gzip_format
from catalog.releasing.bundles import Entry, bundle, entry, read_bundle
from taskkit.canonical import digest_of
from taskkit.errors import IntegrityError, TaskError
from taskkit.oci.content import bytes_blob
from taskkit.oci.documents import LAYER_GZIP, MANIFEST, Manifest, document, parse_manifest
from taskkit.oci.layout import Layout
from taskkit.oci.publishing import write_to_layout


def task(name="t", **spec):
    return {"apiVersion": "tekton.dev/v1", "kind": "Task", "metadata": {"name": name}, "spec": spec}


def stored(image, folder):
    layout = Layout(folder)
    write_to_layout(image, layout, "", "move")
    return layout, layout.manifest(layout.find())


names = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


@given(st.lists(names, min_size=1, max_size=20, unique=True), st.text())
def test_objects_come_out_as_they_went_in(tmp_path_factory, found, text):
    entries = [entry(task(name, description=text)) for name in found]
    assert read_bundle(*stored(bundle(entries, {}), tmp_path_factory.mktemp("b"))) == tuple(entries)


def test_layers_are_by_the_contract(tmp_path):
    layout, root = stored(bundle([entry(task("a")), entry(task("b"))], {"x": "y"}), tmp_path)
    manifest = parse_manifest(root.content, "test")
    config = json.loads(layout.document(manifest.config).content)
    assert manifest.annotations == {"x": "y"}
    for descriptor, name, diff_id in zip(manifest.layers, "ab", config["rootfs"]["diff_ids"], strict=True):
        assert descriptor.media_type == LAYER_GZIP
        assert descriptor.annotations == {
            "dev.tekton.image.name": name, "dev.tekton.image.kind": "task", "dev.tekton.image.apiVersion": "v1",
        }  # fmt: skip
        archive = gzip.decompress(b"".join(layout.blob(descriptor).checked()))
        assert digest_of(archive) == diff_id
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            (member,) = tar.getmembers()
            assert (member.name, member.mtime, member.uid) == (name, 0, 0)
            assert json.load(tar.extractfile(member)) == task(name)


def test_the_same_objects_are_the_same_bundle_and_others_are_not():
    one = bundle([entry(task("a", x=1, y=2))], {})
    assert bundle([entry(task("a", y=2, x=1))], {}).digest == one.digest
    assert bundle([entry(task("a", y=2, x=2))], {}).digest != one.digest


def test_twenty_objects_are_the_most():
    bundle([entry(task(f"t{number}")) for number in range(20)], {})
    with pytest.raises(TaskError, match="21 objects are too many for one bundle of 20"):
        bundle([entry(task(f"t{number}")) for number in range(21)], {})


def test_two_versions_of_one_object_are_refused():
    with pytest.raises(TaskError, match="can't hold two versions of one object"):
        bundle([entry(task("t", a=1)), entry(task("t", a=2))], {})


def test_a_layer_without_annotations_is_refused_as_the_resolver_does(tmp_path):
    image = bundle([entry(task("t"))], {})
    manifest = parse_manifest(image.root.content, "test")
    bare = msgspec.structs.replace(
        manifest, layers=tuple(msgspec.structs.replace(one, annotations={}) for one in manifest.layers)
    )
    layout = stored(image, tmp_path)[0]
    with pytest.raises(TaskError, match=r"layer 0 of .* has no annotation dev.tekton.image.name"):
        read_bundle(layout, document(bare, MANIFEST))


@pytest.mark.parametrize(
    "content",
    [b"", b"plain text", gzip_format.stored(b"no archive"), gzip_format.stored(b"\0" * 1024)],
    ids=["nothing", "text", "no archive", "empty archive"],
)
def test_a_layer_that_is_no_archive_of_an_object_is_refused(tmp_path, content):
    layout = Layout(tmp_path)
    blob = bytes_blob(content, LAYER_GZIP)
    layout.add(blob)
    told = {f"dev.tekton.image.{key}": value for key, value in (("name", "t"), ("kind", "task"), ("apiVersion", "v1"))}
    manifest = Manifest(
        config=blob.descriptor,
        media_type=MANIFEST,
        layers=(msgspec.structs.replace(blob.descriptor, annotations=told),),
    )
    with pytest.raises(TaskError, match=r"(can't be read|holds no Tekton object)"):
        read_bundle(layout, document(manifest, MANIFEST))


def test_an_object_that_is_not_what_its_annotations_say_is_refused(tmp_path):
    layout, root = stored(bundle([Entry("task", "other", "v1", task("t"))], {}), tmp_path)
    with pytest.raises(TaskError, match="is not the task/other that it says"):
        read_bundle(layout, root)


def test_a_damaged_layer_is_refused(tmp_path):
    image = bundle([entry(task("t"))], {})
    layout, root = stored(image, tmp_path)
    digest = parse_manifest(root.content, "test").layers[0].digest
    path = tmp_path / "blobs/sha256" / digest.partition(":")[2]
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with pytest.raises(IntegrityError, match=digest):
        read_bundle(layout, root)


@given(st.binary(max_size=300) | st.integers(65_530, 65_540).map(bytes) | st.integers(131_060, 131_080).map(bytes))
def test_stored_gzip_is_gzip(content):
    assert gzip.decompress(gzip_format.stored(content)) == content


def test_stored_gzip_has_known_bytes():
    assert gzip_format.stored(b"a").hex() == "1f8b08000000000000ff" + "010100feff61" + "43beb7e8" + "01000000"
