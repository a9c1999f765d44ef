"""Deterministic layers, and layouts unpacked with every digest checked and every path kept inside."""

import errno
import gzip
import hashlib
import io
import os
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskkit.canonical import hash_file
from taskkit.errors import IntegrityError, TaskError
from taskkit.oci.content import bytes_blob
from taskkit.oci.documents import LAYER_GZIP, LAYER_TAR, Platform
from taskkit.oci.images import Addition, append, read_base, scratch
from taskkit.oci.layout import Layout
from taskkit.oci.publishing import write_to_layout
from taskkit.oci.tar_layers import DiskFile, InlineFile, Link, layer
from taskkit.oci.unpack import unpack

part = st.text(
    st.characters(codec="utf-8", exclude_characters="/\\\0", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60
).filter(lambda text: text not in (".", ".."))
names = st.lists(part, min_size=1, max_size=4).map("/".join)
contents = st.dictionaries(names, st.binary(max_size=2000), min_size=1, max_size=8).filter(
    lambda files: not any(other.startswith(f"{name}/") for name in files for other in files)
)


def read(blob) -> bytes:
    return b"".join(blob.checked())


@given(contents, st.randoms())
def test_a_layer_is_read_back_whole_and_does_not_depend_on_order(files, random):
    entries = [InlineFile(name, content) for name, content in files.items()]
    one = layer(entries)
    random.shuffle(entries)
    assert layer(entries).descriptor == one.descriptor
    with tarfile.open(fileobj=io.BytesIO(read(one))) as tar:
        members = tar.getmembers()
        assert {member.name: tar.extractfile(member).read() for member in members if member.isfile()} == files
        assert {(member.uid, member.gid, member.mtime, member.uname) for member in members} == {(0, 0, 0, "")}
        assert {member.mode for member in members if member.isfile()} == {0o644}
        assert {member.mode for member in members if member.isdir()} <= {0o755}
        folders = [member.name for member in members if member.isdir()]
        assert set(folders) == {
            "/".join(name.split("/")[:at]) for name in files for at in range(1, name.count("/") + 1)
        }


@given(contents, st.integers(0, 20_000))
def test_a_blob_can_be_read_from_any_offset(files, offset):
    blob = layer([InlineFile(name, content) for name, content in files.items()])
    assert b"".join(blob.read(offset)) == read(blob)[offset:]


def test_the_bytes_of_a_layer_are_pinned():
    blob = layer([InlineFile("models/a", b"x"), InlineFile("models/" + "ö" * 90, b"y"), Link("app/a", "../models/a")])
    assert blob.digest == "sha256:" + PINNED


# Names beyond ASCII and 100 bytes included, where tar has a choice. The same on every Python from 3.11 on.
PINNED = "699c652edc1efb2ad7d2143df094c4e198ce891d14933065c94adc0cc170815e"


@pytest.mark.parametrize("name", ["/a", "../a", "a/../b", "a//b", "./a", "", "a/", "a\\b", "a\0b"])
def test_names_that_are_no_plain_relative_path_are_refused(name):
    with pytest.raises(ValueError, match="is not a plain relative path"):
        layer([InlineFile(name, b"")])


def test_a_name_twice_and_a_file_below_a_file_are_refused():
    with pytest.raises(ValueError, match="twice"):
        layer([InlineFile("a", b""), Link("a", "b")])
    with pytest.raises(ValueError, match="'a' is a file and a folder"):
        layer([InlineFile("a", b""), InlineFile("a/b", b"")])


@pytest.mark.parametrize("change", ["longer", "shorter", "other", "link"])
def test_a_file_that_changed_since_it_was_checked_is_never_packed(tmp_path, change):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    sha256, size = hash_file(path)
    if change == "link":
        path.rename(tmp_path / "moved")
        path.symlink_to(tmp_path / "moved")
    else:
        path.write_bytes({"longer": b"0123456789x", "shorter": b"012345678", "other": b"012345678x"}[change])
    with pytest.raises((IntegrityError, OSError)) as error:
        layer([DiskFile("file", path, size, sha256)])
    assert change == "link" or "changed while the image was built" in str(error.value)


def image_of(*blobs):
    addition = Addition(tuple(blobs), tuple("test" for _ in blobs), {"A": "b=c"}, {}, {})
    return append(scratch(Platform("amd64", "linux")), lambda _: addition)


def tar_of(*members, kind=LAYER_TAR):
    """A layer as others might make it: (name, content or link target, type)."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content, type_ in members:
            info = tarfile.TarInfo(name)
            info.type = type_
            if type_ == tarfile.REGTYPE:
                info.size = len(content)
            else:
                info.linkname = content
            tar.addfile(info, io.BytesIO(content) if type_ == tarfile.REGTYPE else None)
    return bytes_blob(stream.getvalue(), kind)


def file(name, content=b"x"):
    return name, content, tarfile.REGTYPE


def unpacked(tmp_path, *blobs, **options):
    layout = Layout(tmp_path / "layout")
    write_to_layout(image_of(*blobs), layout, "v1", "fail")
    result = unpack(layout, tmp_path / "out", "v1", **options)
    out = tmp_path / "out"
    return result, {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_layers_lie_on_top_of_each_other_and_whiteouts_remove(tmp_path):
    first = tar_of(
        file("keep"), file("gone"), file("dir/a"), file("dir/b"), file("opaque/old"), file("replaced/by/file")
    )
    second = tar_of(
        file(".wh.gone", b""),
        file("dir/.wh.a", b""),
        file("opaque/.wh..wh..opq", b""),
        file("opaque/new"),
        file("replaced"),
    )
    result, found = unpacked(tmp_path, first, second)
    assert set(found) == {"keep", "dir/b", "opaque/new", "replaced"}
    assert result.environment == {"A": "b=c"}


def test_links_within_the_image_are_kept_and_gzip_layers_are_opened(tmp_path):
    plain = tar_of(
        file("models/m", b"model"), ("app/link", "../models/m", tarfile.SYMTYPE), ("hard", "models/m", tarfile.LNKTYPE)
    )
    content = read(plain)
    blob = bytes_blob(gzip.compress(content, mtime=0), LAYER_GZIP)
    image = image_of(blob)
    layout = Layout(tmp_path / "layout")
    for one in (blob, *image.blobs):
        layout.add(one)
    from taskkit.oci.documents import CONFIG, MANIFEST, Manifest, document

    config = document(
        {
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(content).hexdigest()]},
        },
        CONFIG,
    )
    manifest = document(Manifest(config=config.descriptor, media_type=MANIFEST, layers=(blob.descriptor,)), MANIFEST)
    for one in (config, manifest):
        layout.add(bytes_blob(one.content, one.descriptor.media_type))
    layout.name_image(manifest.descriptor, "v1")
    unpack(layout, tmp_path / "out")
    assert (tmp_path / "out" / "app" / "link").read_bytes() == b"model"
    assert (tmp_path / "out" / "hard").read_bytes() == b"model"
    assert os.readlink(tmp_path / "out" / "app" / "link") == "../models/m"


def test_only_a_folder_can_be_asked_for(tmp_path):
    _, found = unpacked(tmp_path, tar_of(file("models/m"), file("modelsx"), file("etc/passwd")), below="models")
    assert set(found) == {"models/m"}


@pytest.mark.parametrize("member", [
    file("../evil"), file("/evil"), file("a/../../evil"), ("link", "/etc", tarfile.SYMTYPE), ("link", "../..", tarfile.SYMTYPE),
    ("a/link", "../../x", tarfile.SYMTYPE), ("hard", "../evil", tarfile.LNKTYPE), ("hard", "missing", tarfile.LNKTYPE),
    ("pipe", "", tarfile.FIFOTYPE), ("device", "", tarfile.CHRTYPE), file(".wh...", b""),
])  # fmt: skip
def test_what_would_leave_the_directory_is_refused_and_nothing_appears(tmp_path, member):
    (tmp_path / "evil").write_bytes(b"before")
    with pytest.raises(TaskError):
        unpacked(tmp_path, tar_of(member))
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "evil").read_bytes() == b"before"


def test_a_file_is_never_written_through_a_link(tmp_path):
    for target in ("other", "."):
        layers = tar_of(("dir", target, tarfile.SYMTYPE)), tar_of(file("dir/evil"))
        with pytest.raises(TaskError, match="goes through a link"):
            unpacked(tmp_path / target, *layers)
    assert not list(tmp_path.rglob("evil"))


def test_a_damaged_layer_is_refused_and_what_was_there_stays(tmp_path):
    blob = tar_of(file("a", b"x" * 5000))
    unpacked(tmp_path, blob)
    path = tmp_path / "layout" / "blobs" / "sha256" / blob.digest.partition(":")[2]
    path.write_bytes(path.read_bytes().replace(b"xx", b"xy", 1))
    with pytest.raises(IntegrityError, match=f"blob {blob.digest}"):
        unpack(Layout(tmp_path / "layout"), tmp_path / "out", "v1")
    assert (tmp_path / "out" / "a").read_bytes() == b"x" * 5000


def test_a_missing_tag_names_those_that_are_there(tmp_path):
    layout = Layout(tmp_path / "layout")
    write_to_layout(image_of(tar_of(file("a"))), layout, "v1", "fail")
    with pytest.raises(TaskError, match="has no image v2; it has: v1"):
        unpack(layout, tmp_path / "out", "v2")


def test_a_layout_holds_several_images_and_one_without_a_tag(tmp_path):
    layout = Layout(tmp_path / "layout")
    one, other = image_of(tar_of(file("a"))), image_of(tar_of(file("b")))
    write_to_layout(one, layout, "v1", "fail")
    write_to_layout(other, layout, "", "fail")
    write_to_layout(one, layout, "", "fail")  # takes the place of the one without a tag
    assert layout.tags() == ("", "v1")
    assert layout.find().digest == one.digest
    assert layout.find("v1").digest == one.digest
    with pytest.raises(TaskError, match="v1 is there already with digest"):
        write_to_layout(other, layout, "v1", "fail")
    assert write_to_layout(other, layout, "v1", "keep").digest == one.digest
    assert write_to_layout(other, layout, "v1", "move").digest == layout.find("v1").digest == other.digest


def test_an_interrupted_write_leaves_no_blob_and_no_entry(tmp_path):
    layout = Layout(tmp_path / "layout")
    good = tar_of(file("a"))
    image = image_of(good)

    def broken(offset):
        yield from ()

    import dataclasses

    blobs = tuple(
        dataclasses.replace(blob, read=broken) if blob.digest == good.digest else blob for blob in image.blobs
    )
    with pytest.raises(IntegrityError):
        write_to_layout(dataclasses.replace(image, blobs=blobs), layout, "v1", "fail")
    assert layout.tags() == ()
    assert not list(Path(tmp_path / "layout").rglob(".new-*"))


def test_a_layout_that_may_not_be_written_says_whose_it_is(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TaskError, match=r"can't write .*belongs to"):
        write_to_layout(image_of(tar_of(file("a"))), Layout(tmp_path / "file" / "layout"), "v1", "fail")


def test_docker_media_types_of_a_base_become_oci_ones(tmp_path):
    from taskkit.oci.documents import DOCKER_MANIFEST, Manifest, document, parse_manifest

    layer_blob = bytes_blob(
        gzip.compress(read(tar_of(file("a"))), mtime=0), "application/vnd.docker.image.rootfs.diff.tar.gzip"
    )
    config = document(
        {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64]}},
        "application/vnd.docker.container.image.v1+json",
    )
    root = document(
        Manifest(config=config.descriptor, media_type=DOCKER_MANIFEST, layers=(layer_blob.descriptor,)), DOCKER_MANIFEST
    )
    layout = Layout(tmp_path / "layout")
    for blob in (layer_blob, bytes_blob(config.content, "x"), bytes_blob(root.content, DOCKER_MANIFEST)):
        layout.add(blob)
    image = append(read_base(layout, root), lambda _: Addition((tar_of(file("b")),), ("x",), {}, {}, {}))
    assert [one.media_type for one in parse_manifest(image.root.content, "x").layers] == [LAYER_GZIP, LAYER_TAR]


def test_a_layout_on_a_full_disk_says_that_room_is_needed(tmp_path, monkeypatch):
    def full(*_args, **_named):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "image"))

    monkeypatch.setattr(tempfile, "mkstemp", full)
    with pytest.raises(TaskError, match=r"can't write .* \(No space left on device\); make room on the volume"):
        Layout(tmp_path / "image").add(bytes_blob(b"{}", "application/json"))


def test_what_a_killed_build_left_goes_away_unless_another_build_is_at_work(tmp_path):
    layout = Layout(tmp_path / "layout")
    leftovers = [layout.path / ".new-index", layout.path / "blobs" / "sha256" / ".new-blob"]
    with layout.writer():
        for leftover in leftovers:
            leftover.write_bytes(b"half")
        write_to_layout(image_of(tar_of(file("a"))), Layout(layout.path), "v1", "fail")
        assert all(leftover.exists() for leftover in leftovers), "it may be the other build's"
    write_to_layout(image_of(tar_of(file("b"))), layout, "v2", "fail")
    assert not any(leftover.exists() for leftover in leftovers)
    assert layout.tags() == ("v1", "v2")
