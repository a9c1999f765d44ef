"""Through a real forward proxy, in clear and in a tunnel; and nothing secret in anything that is printed, ``--debug`` included."""

import base64
import contextlib
import json
import select
import socket
import threading

import pytest

from taskkit.command_line import Outcome, Program, run
from taskkit.errors import TaskError
from taskkit.oci.content import bytes_blob
from taskkit.oci.documents import LAYER_TAR, Platform
from taskkit.oci.images import Addition, append, read_base, scratch
from taskkit.oci.publishing import push
from taskkit.oci.references import RegistryReference
from taskkit.oci.repository import Registries
from taskkit.oci.transport import Patience

PASSWORD, PROXY_PASSWORD = "correct-horse", "battery-staple"
SECRETS = (PASSWORD, PROXY_PASSWORD, "token-", "secret-state", *(base64.b64encode(text.encode()).decode() for text in (f"builder:{PASSWORD}", f"me:{PROXY_PASSWORD}")))  # fmt: skip


class ForwardProxy:
    """One request for a connection, as RFC 9112 3.2.2 has it, and CONNECT tunnels; asks for me:PROXY_PASSWORD."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.seen = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self.listener.accept()[0],), daemon=True).start()

    def _serve(self, client):
        with client, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(65536)
            head, _, rest = head.partition(b"\r\n\r\n")
            first, *fields = head.decode("latin-1").split("\r\n")
            method, target, _ = first.split()
            headers = dict(field.split(": ", 1) for field in fields)
            self.seen.append((method, target, {name.lower(): value for name, value in headers.items()}))
            wanted = "Basic " + base64.b64encode(f"me:{PROXY_PASSWORD}".encode()).decode()
            if {name.lower(): value for name, value in headers.items()}.get("proxy-authorization") != wanted:
                client.sendall(
                    b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )
                return
            if method == "CONNECT":
                host, port = target.split(":")
                with socket.create_connection((host, int(port))) as server:
                    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                    self._pipe(client, server)
                return
            host, _, path = target.removeprefix("http://").partition("/")
            kept = [
                f"{name}: {value}"
                for name, value in headers.items()
                if name.lower() not in ("proxy-authorization", "connection")
            ]
            with socket.create_connection((host.split(":")[0], int(host.split(":")[1]))) as server:
                server.sendall(
                    "\r\n".join([f"{method} /{path} HTTP/1.1", *kept, "Connection: close", "", ""]).encode("latin-1")
                    + rest
                )
                missing = int(headers.get("Content-Length", 0)) - len(rest)
                while missing > 0 and (data := client.recv(65536)):
                    server.sendall(data)
                    missing -= len(data)
                answer = server.recv(65536)
                status, _, rest = answer.partition(b"\r\n")
                client.sendall(status + b"\r\nConnection: close\r\n" + rest)
                while data := server.recv(65536):
                    client.sendall(data)

    @staticmethod
    def _pipe(one, other):
        ends = {one: other, other: one}
        while True:
            for end in select.select(list(ends), [], [], 10)[0]:
                data = end.recv(65536)
                if not data:
                    return
                ends[end].sendall(data)


@pytest.fixture
def proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    made = ForwardProxy()
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://me:{PROXY_PASSWORD}@{made.address}")
    yield made
    made.listener.close()


def image_of(content=b"model"):
    blob = bytes_blob(content * 50_000, LAYER_TAR)
    return append(scratch(Platform("amd64", "linux")), lambda _: Addition((blob,), ("x",), {}, {}, {}))


def docker_config(folder, host, password=PASSWORD):
    folder.mkdir(exist_ok=True)
    auth = base64.b64encode(f"builder:{password}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    return folder


def test_everything_goes_through_the_proxy_of_the_environment(fake, proxy):
    target = Registries(insecure=[fake.host]).repository(RegistryReference(fake.host, "team/model"))
    image = image_of()
    push(image, target, "v1", "fail")
    assert fake.manifests["team/model", "v1"][0] == image.root.content
    assert b"".join(read_base(target, target.fetch("v1")).platforms[0].layers[0].checked()) == b"model" * 50_000
    assert len(proxy.seen) == len(fake.requests)
    assert all(path.startswith(f"http://{fake.host}/v2/") for _, path, _ in proxy.seen)
    assert not [one for one in fake.requests if "Proxy-Authorization" in one.headers]


def test_tls_goes_through_a_tunnel_and_the_proxy_sees_no_credentials(make_registry, certificate, proxy, tmp_path):
    authorities, context = certificate
    fake = make_registry(context)
    fake.auth, fake.account = "basic", f"builder:{PASSWORD}"
    registries = Registries(docker_config(tmp_path / "docker", fake.host), authorities)
    image = image_of()
    push(image, registries.repository(RegistryReference(fake.host, "team/model")), "v1", "fail")
    assert fake.manifests["team/model", "v1"][0] == image.root.content
    assert {(method, target) for method, target, _ in proxy.seen} == {("CONNECT", fake.host)}
    assert not [headers for _, _, headers in proxy.seen if "authorization" in headers]


def test_networks_of_no_proxy_are_reached_directly(fake, proxy, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8,127.0.0.0/8")
    push(
        image_of(),
        Registries(insecure=[fake.host]).repository(RegistryReference(fake.host, "team/model")),
        "v1",
        "fail",
    )
    assert proxy.seen == []


@pytest.mark.usefixtures("pauses")
def test_a_proxy_that_refuses_or_is_not_there_is_one_line_without_its_password(
    make_registry, certificate, proxy, monkeypatch
):
    authorities, context = certificate
    fake = make_registry(context)
    target = Registries(ca_directory=authorities).repository(RegistryReference(fake.host, "team/model"))
    wrong = "wrong-" + PROXY_PASSWORD
    for address, message in ((proxy.address, "407"), ("127.0.0.1:9", "check HTTP_PROXY, HTTPS_PROXY and NO_PROXY")):
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:{wrong}@{address}")
        with pytest.raises(TaskError, match=message) as error:
            Registries(ca_directory=authorities).repository(RegistryReference(fake.host, "team/model")).fetch("v1")
        assert wrong not in str(error.value)
        assert "\n" not in str(error.value)
    del target


FAULTS = (
    {}, {"status": 403, "times": 100}, {"status": 401, "times": 100}, {"status": 500, "times": 100}, {"drop": "before", "times": 100}, {"drop": "half", "times": 100},
    {"digest": "sha256:" + "0" * 64, "times": 100}, {"location": lambda _: "http://[broken/x?state=secret-state", "times": 100}, {"location": lambda _: "ftp://elsewhere/x?state=secret-state", "times": 100},
    {"location": lambda given: f"http://builder:{PASSWORD}@127.0.0.1:9{given}", "times": 100}, {"status": 307, "headers": {"Location": "http://127.0.0.1:9/x?signature=secret-state"}, "times": 100},
    {"refuse_token": True, "times": 100}, {"status": 404, "times": 100},
)  # fmt: skip
STEPS = (("POST", "uploads"), ("PUT", "uploads"), ("PUT", "manifests"), ("HEAD", "manifests"), ("GET", "token"))


@pytest.mark.parametrize("auth", ["basic", pytest.param("bearer", marks=pytest.mark.slow)])
def test_nothing_secret_is_ever_printed_with_debug_and_without(make_registry, tmp_path, capfd, auth):
    """Every fault at every step, as a program that fails by it prints it."""
    fake = make_registry()
    fake.auth, fake.account = auth, f"builder:{PASSWORD}"
    folder = docker_config(tmp_path / "docker", fake.host)
    image, program, codes = image_of(b"m"), Program("push", "Pushes.", "1", ()), set()
    for method, path in STEPS:
        for fault in FAULTS:

            def work(_, method=method, path=path, fault=fault):
                fake.faults.clear()
                fake.manifests.clear()
                fake.blobs.clear()
                if fault:
                    fake.fail(method, path, **fault)
                patience = Patience(attempts=2, sleep=lambda _: None)
                registries = Registries(folder, insecure=[fake.host], patience=patience)
                push(image, registries.repository(RegistryReference(fake.host, "team/model")), "v1", "fail")
                return Outcome({})

            for options in (["--debug"], []) if (method, path) == ("PUT", "uploads") else (["--debug"],):
                codes.add(run(program, work, options))
                printed = "".join(capfd.readouterr())
                assert [secret for secret in SECRETS if secret in printed] == [], (method, path, fault, printed)
                assert options or len(printed.splitlines()) <= 1, (method, path, fault, printed)
    assert codes == {0, 3}
