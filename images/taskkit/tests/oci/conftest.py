"""Registries that misbehave, pauses that are counted, certificates."""

import ssl
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_registry import FakeRegistry


@pytest.fixture
def make_registry():
    made = []

    def make(context=None):
        made.append(FakeRegistry(context))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def fake(make_registry):
    return make_registry()


@pytest.fixture
def pauses(monkeypatch):
    """Seconds that would have been slept."""
    from taskkit.oci import transport

    found = []
    monkeypatch.setattr(transport.Patience.__init__, "__defaults__", (6, 0.5, 30.0, 120.0, found.append))
    return found


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """(folder with the authority, server context) for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test", "-addext",
               "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    authorities = folder / "ca"
    (authorities / "..data").mkdir(parents=True)
    (authorities / "ca.crt").write_bytes(cert.read_bytes())
    return authorities, context
