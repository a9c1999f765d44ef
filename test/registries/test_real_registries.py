"""The OCI client against registries that others wrote: what a fake one takes for granted is true there."""

import base64
import json
import random

import pytest
from real_registries import PASSWORD

from taskkit.canonical import digest_of
from taskkit.errors import TaskError
from taskkit.oci import uploads
from taskkit.oci.content import Blob, bytes_blob
from taskkit.oci.documents import INDEX, LAYER_TAR, Index, Platform, document
from taskkit.oci.images import Addition, Image, append, read_base, scratch
from taskkit.oci.layout import Layout
from taskkit.oci.publishing import push, write_to_layout
from taskkit.oci.references import RegistryReference
from taskkit.oci.repository import Registries
from taskkit.oci.transport import Patience
from taskkit.oci.unpack import unpack

SERVER = random.Random(1).randbytes(1_000_000)
QUICK = Patience(attempts=2, first=0.01, total=0.1)
AMD64 = Platform("amd64", "linux")


def repository(registry, path, patience=QUICK, **more):
    return Registries(patience=patience, **more).repository(RegistryReference(registry.host, path))


def with_layers(base, *contents):
    blobs = tuple(content if isinstance(content, Blob) else bytes_blob(content, LAYER_TAR) for content in contents)
    return append(base, lambda _: Addition(blobs, tuple("x" for _ in blobs), {}, {}, {}))


def layers_of(target, tag):
    return [b"".join(layer.checked()) for layer in read_base(target, target.fetch(tag)).platforms[0].layers]


def test_a_base_is_mounted_only_what_is_new_is_sent_and_a_tag_moves_only_when_told_to(kind, start):
    registry = start()
    base, team = repository(registry, "base/server"), repository(registry, "team/model")
    push(with_layers(scratch(AMD64), SERVER), base, "v1", "fail")
    image = with_layers(read_base(base, base.fetch("v1")), b"model one")

    done = push(image, team, "v1", "fail")
    assert (done.digest, team.digest_of_tag("v1")) == (image.digest, image.digest)
    assert done.bytes_written < len(SERVER) // 10, "the base was not sent again"
    # go-containerregistry has one store for all repositories, and no mounts.
    assert done.fates[digest_of(SERVER)] == ("mounted" if kind.keeps else "present")
    assert layers_of(team, "v1") == [SERVER, b"model one"]
    assert push(image, team, "v1", "fail").unchanged

    other = with_layers(read_base(base, base.fetch("v1")), b"model two")
    with pytest.raises(TaskError, match="is there already with digest"):
        push(other, team, "v1", "fail")
    assert push(other, team, "v1", "keep").kept
    assert team.digest_of_tag("v1") == image.digest
    push(other, team, "v1", "move")
    assert team.digest_of_tag("v1") == other.digest
    assert team.fetch(image.digest).content == image.root.content, "by its digest the old one is still there"
    assert team.tags() == ("v1",)


def test_a_large_layer_goes_in_chunks_and_comes_back_whole(start, monkeypatch):
    monkeypatch.setattr(uploads, "CHUNK_SIZE", 150_000)
    registry = start()
    team = repository(registry, "team/model")
    push(with_layers(scratch(AMD64), SERVER), team, "v1", "fail")
    assert layers_of(team, "v1") == [SERVER]


def test_an_image_for_two_platforms_keeps_both(start):
    registry = start()
    team = repository(registry, "team/model")
    images = [
        with_layers(scratch(Platform(machine, "linux")), f"for {machine}".encode()) for machine in ("amd64", "arm64")
    ]
    children = tuple(one.root for one in images)
    root = document(Index(media_type=INDEX, manifests=tuple(one.descriptor for one in children)), INDEX)
    push(Image(root, children, tuple(blob for one in images for blob in one.blobs)), team, "v1", "fail")
    assert team.digest_of_tag("v1") == root.digest
    assert [team.fetch(one.digest).content for one in children] == [one.content for one in children]


def test_a_registry_that_is_killed_within_a_push_fails_in_one_line_and_takes_it_when_it_is_back(kind, start):
    registry = start()
    team = repository(registry, "team/model")
    old = with_layers(scratch(AMD64), b"old")
    push(old, team, "v1", "fail")
    blob = bytes_blob(SERVER, LAYER_TAR)

    def dying(offset):
        yield SERVER[offset : len(SERVER) // 2]
        registry.kill()
        yield SERVER[max(offset, len(SERVER) // 2) :]

    new = with_layers(scratch(AMD64), Blob(blob.descriptor, dying))
    with pytest.raises(TaskError) as error:
        push(new, team, "v1", "move")
    assert "failed" in str(error.value)
    assert "; check that the registry is up" in str(error.value)
    assert "\n" not in str(error.value)

    registry.start()
    assert team.digest_of_tag("v1") == (old.digest if kind.keeps else "")
    push(with_layers(scratch(AMD64), blob), team, "v1", "move")
    assert layers_of(team, "v1") == [SERVER]


def test_what_is_not_there_is_named(start):
    team = repository(start(), "team/model")
    with pytest.raises(TaskError, match=r"could not give .*/team/model \(v9\): 404 .*; check the name"):
        team.fetch("v9")


def test_a_pushed_image_is_unpacked_as_it_was_built(start, tmp_path):
    from taskkit.oci.tar_layers import InlineFile, layer

    team = repository(start(), "team/model")
    image = with_layers(scratch(AMD64), layer([InlineFile("models/model.json", b"{}")]))
    push(image, team, "v1", "fail")
    root = team.fetch("v1")
    base = read_base(team, root)
    layout = Layout(tmp_path / "layout")
    write_to_layout(
        Image(root, (), (*base.platforms[0].layers, team.blob(image.blobs[-1].descriptor))), layout, "", "fail"
    )
    unpack(layout, tmp_path / "root", digest=image.digest)
    assert (tmp_path / "root" / "models" / "model.json").read_bytes() == b"{}"


def docker_config(folder, host, password):
    folder.mkdir()
    auth = base64.b64encode(f"builder:{password}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    return folder


def test_passwords_and_a_private_authority_are_taken_and_what_is_wrong_with_them_is_said(
    kind, start, certificate, tmp_path
):
    if not kind.configurable:
        pytest.skip(f"{kind.name} has neither passwords nor TLS")
    registry = start(passwords=True, tls=certificate)
    image = with_layers(scratch(AMD64), b"model")
    right = docker_config(tmp_path / "right", registry.host, PASSWORD)
    trusted = {"ca_directory": certificate / "authorities"}

    def refused(message, **settings):
        with pytest.raises(TaskError, match=message) as error:
            push(image, repository(registry, "team/model", **settings), "v1", "fail")
        assert PASSWORD not in str(error.value)
        assert "\n" not in str(error.value)

    refused("the certificate is not trusted .*; bind the workspace ssl-ca-directory", docker_config=right)
    refused("401.*; bind the workspace dockerconfig", **trusted)
    wrong = docker_config(tmp_path / "wrong", registry.host, f"not-{PASSWORD}")
    refused("401.*refused", docker_config=wrong, **trusted)
    team = repository(registry, "team/model", docker_config=right, **trusted)
    push(image, team, "v1", "fail")
    assert layers_of(team, "v1") == [b"model"]
