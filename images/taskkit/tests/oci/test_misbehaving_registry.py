"""Pushes and pulls against a registry that misbehaves: they get through within bounds, or fail in one clear line."""

import base64
import json

import pytest

from taskkit.errors import IntegrityError, TaskError
from taskkit.oci import transport, uploads
from taskkit.oci.content import bytes_blob
from taskkit.oci.documents import LAYER_TAR, Platform
from taskkit.oci.images import Addition, append, read_base, scratch
from taskkit.oci.publishing import push
from taskkit.oci.references import RegistryReference
from taskkit.oci.repository import Registries
from taskkit.oci.tar_layers import InlineFile, layer
from taskkit.oci.uploads import bring

pytestmark = pytest.mark.usefixtures("pauses")
LARGE = bytes(range(256)) * 4096


def image_of(content=b"model"):
    blob = layer([InlineFile("models/m", content)])
    return append(scratch(Platform("amd64", "linux")), lambda _: Addition((blob,), ("x",), {}, {}, {}))


@pytest.fixture
def target(fake):
    return Registries(insecure=[fake.host]).repository(RegistryReference(fake.host, "team/model"))


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(uploads, "CHUNK_SIZE", 100_000)


@pytest.fixture
def asked_first(monkeypatch):
    """Small blobs are looked up as large ones are, rather than begun at once."""
    monkeypatch.setattr(uploads, "SMALL", 0)


def tag(fake, name="v1"):
    return fake.manifests.get(("team/model", name), (None,))[0]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 408])
@pytest.mark.parametrize(
    ("method", "path"),
    [("HEAD", "manifests"), ("HEAD", "blobs"), ("POST", "uploads"), ("PUT", "uploads"), ("PUT", "manifests")],
)
@pytest.mark.usefixtures("asked_first")
def test_a_busy_registry_is_asked_again(fake, target, pauses, status, method, path):
    fake.fail(method, path, status=status, times=2)
    image = image_of()
    push(image, target, "v1", "fail")
    assert tag(fake) == image.root.content
    assert len(pauses) == 2


def test_a_small_blob_is_looked_up_and_begun_in_one_request(fake, target):
    blob = bytes_blob(b"small", LAYER_TAR)
    assert [bring(blob, target) for _ in range(2)] == ["written", "present"]
    assert [one.method for one in fake.requests if "blobs" in one.path] == ["POST", "PUT", "POST"]


def test_retry_after_is_honoured_and_the_sum_of_pauses_is_bounded(fake, target, pauses):
    fake.fail("HEAD", "manifests", status=429, headers={"Retry-After": "7"})
    push(image_of(), target, "v1", "fail")
    assert pauses == [7.0]
    fake.fail("HEAD", "manifests", status=429, headers={"Retry-After": "3600"})
    with pytest.raises(TaskError, match="429; the registry is busy or broken; run again later"):
        push(image_of(b"other"), target, "v2", "fail")
    assert pauses == [7.0]


@pytest.mark.parametrize("method", ["PUT", "POST", "HEAD"])
@pytest.mark.usefixtures("asked_first")
def test_a_registry_that_never_recovers_fails_in_one_line_within_bounds(fake, target, pauses, method):
    old = image_of(b"old")
    push(old, target, "v1", "fail")
    fake.fail(method, "blobs", status=503, times=1000)
    with pytest.raises(
        TaskError, match=r"503 FAULT on demand; the registry is busy|503; the registry is busy"
    ) as error:
        push(image_of(b"new"), target, "v1", "move")
    assert len(str(error.value).splitlines()) == 1
    assert sum(pauses) <= 3 * 120
    assert len(pauses) <= 3 * 36
    assert tag(fake) == old.root.content


def test_an_error_that_will_not_go_away_is_not_tried_again(fake, target, pauses):
    fake.fail("POST", "uploads", status=403, times=100)
    with pytest.raises(
        TaskError, match=f"start an upload to {fake.host}/team/model: 403 FAULT on demand; there are no credentials"
    ):
        push(image_of(), target, "v1", "fail")
    assert pauses == []


@pytest.mark.parametrize("drop", ["before", "half", "after"])
@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "uploads"), ("POST", "uploads"), ("PUT", "manifests"), ("HEAD", "manifests")]
)
def test_a_dropped_connection_is_survived_and_nothing_is_stored_twice(fake, target, drop, method, path):
    fake.fail(method, path, drop=drop)
    image = image_of(LARGE)
    push(image, target, "v1", "fail")
    assert tag(fake) == image.root.content
    assert set(fake.stored.values()) == {1}


def test_a_large_blob_goes_on_in_chunks_where_the_connection_broke(fake, target, small_chunks):
    fake.fail("PUT", "uploads", drop="half")
    fake.fail("PATCH", "uploads", drop="half", skip=2)
    blob = bytes_blob(LARGE, LAYER_TAR)
    assert bring(blob, target) == "written"
    assert fake.blobs["team/model", blob.digest] == LARGE
    sent = sum(one.size for one in fake.requests if one.method == "PATCH")
    assert len(LARGE) <= sent <= len(LARGE) + 100_000
    ranges = [one.headers["Content-Range"] for one in fake.requests if one.method == "PATCH"]
    assert ranges[0] == "0-99999"


def test_a_blob_that_is_too_large_for_one_piece_goes_in_chunks_at_once(fake, target, small_chunks, pauses):
    fake.fail("PUT", "uploads", status=413)
    blob = bytes_blob(LARGE, LAYER_TAR)
    bring(blob, target)
    assert fake.blobs["team/model", blob.digest] == LARGE
    assert pauses == [0.0]


def test_a_registry_without_chunks_gets_one_piece_again(fake, target, small_chunks):
    fake.fail("PUT", "uploads", drop="half")
    fake.fail("PATCH", "uploads", status=405, times=100)
    blob = bytes_blob(LARGE, LAYER_TAR)
    assert bring(blob, target) == "written"
    assert fake.blobs["team/model", blob.digest] == LARGE
    assert fake.count("PATCH") == 1


def test_an_upload_that_the_registry_forgot_is_started_anew(fake, target):
    fake.fail("PUT", "uploads", status=404)
    push(image_of(), target, "v1", "fail")
    assert set(fake.stored.values()) == {1}


def test_without_mount_support_base_layers_are_streamed_from_their_repository(fake, target):
    source = Registries(insecure=[fake.host]).repository(RegistryReference(fake.host, "base/image"))
    push(image_of(LARGE), source, "v1", "fail")
    fake.mounts = False
    base = read_base(source, source.fetch("v1"))
    image = append(base, lambda _: Addition((layer([InlineFile("x", b"y")]),), ("x",), {}, {}, {}))
    published = push(image, target, "v1", "fail")
    assert sorted(published.fates.values()) == ["written"] * 3
    assert tag(fake) == image.root.content


def test_mounted_layers_move_no_bytes(fake, target):
    source = Registries(insecure=[fake.host]).repository(RegistryReference(fake.host, "base/image"))
    push(image_of(LARGE), source, "v1", "fail")
    base = read_base(source, source.fetch("v1"))
    fake.requests.clear()
    published = push(append(base, lambda _: Addition((), (), {}, {}, {})), target, "v1", "fail")
    assert "mounted" in published.fates.values()
    assert sum(one.size for one in fake.requests) < 3000
    assert fake.count("GET", "blobs") == 0


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_that_breaks_goes_on_where_it_was(fake, target, ranges):
    fake.ranges = ranges
    push(image_of(LARGE), target, "v1", "fail")
    (entry,) = read_base(target, target.fetch("v1")).platforms
    fake.fail("GET", "blobs/", cut=True, times=3)
    content = b"".join(entry.layers[0].checked())
    assert LARGE in content
    assert (fake.count("GET", "blobs/") - 1 > 1) is True
    assert any("Range" in one.headers for one in fake.requests)


def test_a_truncated_manifest_is_read_again(fake, target):
    image = image_of()
    push(image, target, "v1", "fail")
    fake.fail("GET", "manifests", cut=True, times=2)
    assert target.fetch("v1").content == image.root.content
    fake.fail("GET", "manifests", cut=True, times=100)
    with pytest.raises(TaskError, match=r"reading .*failed"):
        target.fetch("v1")


@pytest.mark.parametrize("status", [200, 403])
def test_a_body_that_drips_without_end_is_given_up(fake, target, monkeypatch, status):
    push(image_of(), target, "v1", "fail")
    monkeypatch.setattr(transport, "BODY_SECONDS", 0.05)
    fake.fail("GET", "manifests", times=100, slow=0.1, status=status if status != 200 else 0)
    message = r"took longer than .*; the registry is too slow" if status == 200 else "403"
    with pytest.raises(TaskError, match=message):
        target.fetch("v1")
    assert fake.count("GET", "manifests") == 1


def test_a_manifest_with_a_wrong_digest_is_refused(fake, target):
    image = image_of()
    push(image, target, "v1", "fail")
    content, kind = fake.manifests["team/model", image.digest]
    fake.manifests["team/model", image.digest] = (content.replace(b"models", b"Models"), kind)
    fake.manifests["team/model", image.digest] = (content + b" ", kind)
    with pytest.raises(IntegrityError, match=f"for {image.digest}, not {image.digest}"):
        target.fetch(image.digest)
    fake.fail("GET", "manifests", digest="sha256:" + "0" * 64)
    with pytest.raises(IntegrityError, match="run again"):
        target.fetch("v1")


@pytest.mark.parametrize(
    ("method", "path", "message"), [("PUT", "manifests", "stored sha256"), ("PUT", "uploads", "stored blob")]
)
def test_a_registry_that_stores_something_else_is_named(fake, target, method, path, message):
    fake.fail(method, path, digest="sha256:" + "0" * 64, times=10)
    with pytest.raises(TaskError, match=message):
        push(image_of(), target, "v1", "fail")


def test_blob_bytes_that_differ_never_become_part_of_an_image(fake, target, make_registry):
    push(image_of(LARGE), target, "v1", "fail")
    base = read_base(target, target.fetch("v1"))
    digest = base.platforms[0].layers[0].digest
    fake.blobs["team/model", digest] = fake.blobs["team/model", digest].replace(b"\x01", b"\x02", 1)
    other = make_registry()
    elsewhere = Registries(insecure=[other.host, fake.host]).repository(RegistryReference(other.host, "copy"))
    with pytest.raises(IntegrityError, match=f"blob {digest}"):
        push(append(base, lambda _: Addition((), (), {}, {}, {})), elsewhere, "v1", "fail")
    assert ("copy", "v1") not in other.manifests
    assert ("copy", digest) not in other.blobs


@pytest.mark.parametrize("shape", ["absolute", "relative"])
def test_locations_may_be_absolute_or_relative(fake, target, shape):
    change = {"absolute": lambda path: f"http://{fake.host}{path}", "relative": lambda path: "./" + path.lstrip("/")}[
        shape
    ]
    fake.fail("POST", "uploads", location=change, times=9)
    push(image_of(), target, "v1", "fail")
    assert tag(fake)


def credentials(folder, fake, **auth):
    folder.mkdir()
    auth = auth or {"auth": base64.b64encode(b"builder:secret").decode()}
    (folder / "config.json").write_text(json.dumps({"auths": {fake.host: auth}}))
    return folder


def test_credentials_do_not_follow_redirects_and_locations_to_another_host(fake, make_registry, tmp_path):
    other = make_registry()
    fake.auth = "basic"
    registries = Registries(credentials(tmp_path / "docker", fake), insecure=[fake.host])
    target = registries.repository(RegistryReference(fake.host, "team/model"))
    image = image_of(LARGE)
    push(image, target, "v1", "fail")
    digest = read_base(target, target.fetch("v1")).platforms[0].layers[0].digest
    other.blobs["team/model", digest] = fake.blobs["team/model", digest]
    fake.fail(
        "GET",
        f"blobs/{digest}",
        status=307,
        headers={"Location": f"http://{other.host}/v2/team/model/blobs/{digest}?signature=secret"},
    )
    blob = read_base(target, target.fetch("v1")).platforms[0].layers[0]
    assert LARGE in b"".join(blob.checked())
    assert other.count("GET", "blobs") == 1
    other.uploads["elsewhere"] = bytearray()
    fake.fail("POST", "uploads", location=lambda _: f"http://{other.host}/v2/team/model/blobs/uploads/elsewhere?s=1")
    bring(bytes_blob(b"new", LAYER_TAR), target)
    assert other.count("PUT", "uploads") == 1
    assert [one for one in fake.requests if "Authorization" in one.headers]
    assert not [one for one in other.requests if "Authorization" in one.headers]


def test_endless_redirects_end(fake, target):
    fake.fail("GET", "manifests", status=307, headers={"Location": "/v2/team/model/manifests/v1"}, times=1000)
    with pytest.raises(TaskError, match="redirected more than 5 times"):
        target.fetch("v1")


@pytest.fixture
def bearer(fake, tmp_path):
    fake.auth = "bearer"
    return Registries(credentials(tmp_path / "docker", fake), insecure=[fake.host])


def test_one_token_serves_a_whole_push_with_its_mounts(fake, bearer):
    source = bearer.repository(RegistryReference(fake.host, "base/image"))
    push(image_of(LARGE), source, "v1", "fail")
    base = read_base(source, source.fetch("v1"))
    fake.token_requests.clear()
    push(
        append(base, lambda _: Addition((), (), {}, {}, {})),
        bearer.repository(RegistryReference(fake.host, "team/model")),
        "v1",
        "fail",
    )
    (asked,) = fake.token_requests
    assert {"repository:team/model:pull,push", "repository:base/image:pull"} <= set(asked["scope"])
    assert (asked["service"], asked["account"]) == (["fake"], ["builder"])


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "uploads"), ("POST", "uploads"), ("PUT", "manifests"), ("HEAD", "blobs")]
)
def test_a_token_that_ends_in_the_middle_is_renewed(fake, bearer, method, path):
    fake.fail(method, path, refuse_token=True)
    image = image_of(LARGE)
    push(image, bearer.repository(RegistryReference(fake.host, "team/model")), "v1", "fail")
    assert tag(fake) == image.root.content
    assert set(fake.stored.values()) == {1}


def test_an_identity_token_is_exchanged(fake, tmp_path):
    fake.auth = "bearer"
    folder = credentials(
        tmp_path / "docker", fake, identitytoken="identity", auth=base64.b64encode(b"<token>:").decode()
    )
    target = Registries(folder, insecure=[fake.host]).repository(RegistryReference(fake.host, "team/model"))
    push(image_of(), target, "v1", "fail")
    assert fake.token_requests[0]["grant_type"] == ["refresh_token"]


def test_wrong_credentials_for_the_token_service_are_one_line_without_them(fake, tmp_path):
    fake.auth = "bearer"
    folder = credentials(tmp_path / "docker", fake, username="builder", password="not-this-one")
    target = Registries(folder, insecure=[fake.host]).repository(RegistryReference(fake.host, "team/model"))
    with pytest.raises(
        TaskError,
        match=r"could not log in at http://.*/token: 401 incorrect username or password; it refused the credentials",
    ) as error:
        push(image_of(), target, "v1", "fail")
    assert "not-this-one" not in str(error.value)


def test_errors_show_no_query_of_an_address(fake, target):
    fake.fail("PUT", "uploads", drop="before", times=1000)
    with pytest.raises(TaskError) as error:
        push(image_of(), target, "v1", "fail")
    assert "secret-state" not in str(error.value)
    assert f"PUT http://{fake.host}/v2/team/model/blobs/uploads/" in str(error.value)


def test_tags_are_read_page_by_page(fake, target):
    for name in "abcde":
        push(image_of(name.encode()), target, name, "fail")
    assert target.tags() == tuple("abcde")


def test_a_proxy_of_the_environment_is_used_but_not_for_excluded_networks(fake, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://me:word@{fake.host}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8,.internal")
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    from taskkit.oci.transport import proxy_for

    assert proxy_for("http://registry.example/v2/") == f"http://me:word@{fake.host}"
    assert proxy_for("http://10.1.2.3:5000/v2/") == ""
    assert proxy_for("http://registry.internal/v2/") == ""
    Registries(insecure=["registry.example"]).repository(RegistryReference("registry.example", "a")).digest_of_tag("v1")
    (request,) = fake.requests
    assert request.headers["Host"] == "registry.example"
    assert request.headers["proxy-authorization"] == "Basic " + base64.b64encode(b"me:word").decode()
