"""TLS: private authorities, and nothing that falls back to clear behind the user's back."""

import pytest

from taskkit.errors import TaskError, UsageError
from taskkit.oci.documents import Platform
from taskkit.oci.images import Addition, append, scratch
from taskkit.oci.publishing import push
from taskkit.oci.references import RegistryReference
from taskkit.oci.repository import Registries
from taskkit.oci.tar_layers import InlineFile, layer

pytestmark = pytest.mark.usefixtures("pauses")


def image_of(content=b"model"):
    blob = layer([InlineFile("models/m", content)])
    return append(scratch(Platform("amd64", "linux")), lambda _: Addition((blob,), ("x",), {}, {}, {}))


def tag(fake, name="v1"):
    return fake.manifests.get(("team/model", name), (None,))[0]


def test_a_private_authority_is_trusted_when_its_folder_is_given(make_registry, certificate):
    authorities, context = certificate
    fake = make_registry(context)
    reference = RegistryReference(fake.host, "team/model")
    image = image_of()
    push(image, Registries(ca_directory=authorities).repository(reference), "v1", "fail")
    assert tag(fake) == image.root.content
    with pytest.raises(TaskError, match=r"the certificate is not trusted .*bind the workspace ssl-ca-directory"):
        Registries().repository(reference).fetch("v1")


def test_an_upload_location_with_http_behind_tls_stays_on_tls(make_registry, certificate):
    authorities, context = certificate
    fake = make_registry(context)
    fake.fail("POST", "uploads", location=lambda path: f"http://127.0.0.1{path}", times=9)
    push(
        image_of(),
        Registries(ca_directory=authorities).repository(RegistryReference(fake.host, "team/model")),
        "v1",
        "fail",
    )
    fake.faults.clear()
    fake.fail("POST", "uploads", location=lambda path: f"http://elsewhere.example{path}", times=9)
    target = Registries(ca_directory=authorities).repository(RegistryReference(fake.host, "team/model"))
    with pytest.raises(TaskError, match=r"wants the upload sent to http://elsewhere\.example in clear"):
        push(image_of(b"2"), target, "v2", "fail")


def test_a_redirect_from_tls_to_clear_is_refused(make_registry, certificate):
    authorities, context = certificate
    fake = make_registry(context)
    fake.fail("GET", "manifests", status=302, headers={"Location": "http://127.0.0.1/x"}, times=9)
    with pytest.raises(TaskError, match=r"is redirected from https to http://127.0.0.1/x"):
        Registries(ca_directory=authorities).repository(RegistryReference(fake.host, "team/model")).fetch("v1")


def test_loopback_addresses_are_tried_with_tls_first(fake, make_registry, certificate):
    push(image_of(), Registries().repository(RegistryReference(fake.host, "team/model")), "v1", "fail")
    assert tag(fake)
    authorities, context = certificate
    secure = make_registry(context)
    push(
        image_of(),
        Registries(ca_directory=authorities).repository(RegistryReference(secure.host, "team/model")),
        "v1",
        "fail",
    )
    assert secure.count("PUT", "manifests") == 1


def test_files_in_the_authorities_folder_that_are_no_certificates_are_named(tmp_path):
    with pytest.raises(UsageError, match="holds no file"):
        Registries(ca_directory=tmp_path)
    (tmp_path / "x.crt").write_text("nothing")
    with pytest.raises(UsageError, match=r"x\.crt holds no certificate in PEM"):
        Registries(ca_directory=tmp_path)
