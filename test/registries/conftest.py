import itertools
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(
    params=[
        "docker-registry",
        pytest.param("distribution", marks=pytest.mark.slow),
        pytest.param("go-containerregistry", marks=pytest.mark.slow),
    ]
)
def kind(request):
    """A registry that others wrote; those that must be built first are for the slow run."""
    from real_registries import KINDS

    found = KINDS[request.param]
    if reason := found.missing():
        pytest.skip(reason)
    return found


@pytest.fixture
def start(kind, tmp_path):
    from real_registries import RealRegistry

    started, numbers = [], itertools.count()

    def begin(**settings):
        started.append(RealRegistry(kind, tmp_path / f"registry-{next(numbers)}", **settings).start())
        return started[-1]

    yield begin
    for one in started:
        one.kill()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A folder with cert.pem and key.pem for 127.0.0.1, signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    (folder / "authorities").mkdir()
    (folder / "authorities" / "ca.crt").write_bytes((folder / "cert.pem").read_bytes())
    return folder
