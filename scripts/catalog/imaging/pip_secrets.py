"""The host's package index and certificates for pip in a build: mounted for one RUN, in no layer and no history."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from catalog.environments import package_index

_PIP_OF_UV = {"UV_DEFAULT_INDEX": "index-url", "UV_INDEX": "extra-index-url", "UV_INSECURE_HOST": "trusted-host"}
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
CERTIFICATES = "/run/secrets/certificates"
"""Where a RUN finds the secret of that name."""


def pip_configuration(index: Mapping[str, str], has_certificates: bool) -> str:
    """The text of a pip.conf. ``index``: as `package_index` gives it."""
    lines = ["[global]", "timeout = 180"]
    lines += [f"{pip} = {index[uv]}" for uv, pip in _PIP_OF_UV.items() if index.get(uv)]
    if has_certificates:
        lines.append(f"cert = {CERTIFICATES}")
    return "\n".join(lines) + "\n"


def host_certificates(index: Mapping[str, str]) -> Path | None:
    """The bundle that programs of this host trust: private authorities in it are why a build needs it."""
    told = (index.get("SSL_CERT_FILE"), os.environ.get("PIP_CERT"), os.environ.get("SSL_CERT_FILE"), *_BUNDLES)
    return next((Path(path) for path in told if path and Path(path).is_file()), None)


@contextmanager
def pip_secrets() -> Iterator[dict[str, Path]]:
    """Secrets for a build, by the names that the Dockerfiles use."""
    index = package_index()
    certificates = host_certificates(index)
    with TemporaryDirectory() as folder:
        configuration = Path(folder, "pip.conf")
        configuration.touch(mode=0o600)
        configuration.write_text(pip_configuration(index, certificates is not None))
        yield {"pip.conf": configuration, **({"certificates": certificates} if certificates else {})}
