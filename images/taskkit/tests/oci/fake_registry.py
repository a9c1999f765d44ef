"""A registry in this process that follows the distribution-spec and misbehaves on demand."""

import base64
import contextlib
import hashlib
import json
import re
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass
class Fault:
    """What happens to the first ``times`` requests of a method whose path matches.

    status: answered instead of the right answer; headers with it. drop: the connection is closed, ``before`` the body is
    read, within it (``half``), or ``after`` the work is done. cut: the right answer ends early. digest: it tells a wrong
    digest. location: changes the Location. refuse_token: the token counts as expired. slow: seconds before each of
    the pieces that an answer comes in.
    """

    method: str
    path: str
    times: int = 1
    skip: int = 0
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    drop: str = ""
    cut: bool = False
    digest: str = ""
    location: Callable[[str], str] | None = None
    refuse_token: bool = False
    slow: float = 0.0


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    size: int


class FakeRegistry:
    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[bytes, str]] = {}
        self.uploads: dict[str, bytearray] = {}
        self.begun = 0
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.stored: Counter[str] = Counter()
        self.auth = ""  # "", "basic", "bearer"
        self.account = "builder:secret"
        self.tokens: dict[str, set[str]] = {}
        self.token_requests: list[dict[str, list[str]]] = []
        self.mounts = True
        self.ranges = True
        self.lock = threading.RLock()
        registry = self

        class Handler(_Handler):
            fake = registry

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.scheme = "https" if context else "http"
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def fail(self, method: str, path: str, **what) -> Fault:
        fault = Fault(method, path, **what)
        self.faults.append(fault)
        return fault

    def fault(self, method: str, path: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.method == method and fault.times > 0 and re.search(fault.path, path):
                    if fault.skip > 0:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    return fault
        return None

    def count(self, method: str, path: str = "") -> int:
        return sum(one.method == method and re.search(path, one.path) is not None for one in self.requests)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeRegistry

    def log_message(self, *_):
        pass

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (ConnectionError, ssl.SSLError, ValueError):
            self.close_connection = True

    def drop_now(self):
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def run(self):
        fake, parts = self.fake, urlsplit(self.path)
        query = parse_qs(parts.query)
        fault = fake.fault(self.command, parts.path) or Fault("", "")
        size = int(self.headers.get("Content-Length") or 0)
        fake.requests.append(Request(self.command, parts.path, query, dict(self.headers), size))
        if fault.drop == "before":
            return self.drop_now()
        if fault.drop == "half":
            self.partial = self.rfile.read(size // 2)
            if self.command == "PATCH":
                fake.uploads[parts.path.rpartition("/")[2]] += self.partial
            return self.drop_now()
        body = self.rfile.read(size)
        if fault.status:
            return self.answer(fault.status, b'{"errors":[{"code":"FAULT","message":"on demand"}]}', fault.headers)
        self.current = fault
        if fault.drop == "after":
            self.answer = lambda *_, **__: self.drop_now()
        if parts.path == "/token":
            return self.token(query, body)
        if not self.allowed(parts.path, query, fault):
            return None
        return self.route(parts.path, query, body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = run

    def answer(self, status, body=b"", headers=None):
        fault = getattr(self, "current", None) or Fault("", "")
        headers = dict(headers or {})
        if fault.digest:
            headers["Docker-Content-Digest"] = fault.digest
        if fault.location and "Location" in headers:
            headers["Location"] = fault.location(headers["Location"])
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", headers.get("Content-Length", str(len(body))) if status != 204 else "0")
        self.end_headers()
        if self.command != "HEAD":
            told = body[: len(body) // 2] if fault.cut else body
            step = max(1, len(told) // 3) if fault.slow else max(1, len(told))
            for start in range(0, len(told), step):
                time.sleep(fault.slow)
                self.wfile.write(told[start : start + step])
        if fault.cut:
            self.drop_now()

    def allowed(self, path, query, fault):
        fake, given = self.fake, self.headers.get("Authorization", "")
        if fake.auth == "basic":
            if given == "Basic " + base64.b64encode(fake.account.encode()).decode():
                return True
            self.answer(401, b"{}", {"WWW-Authenticate": 'Basic realm="test"'})
            return False
        if fake.auth == "bearer":
            repository = (re.match(r"/v2/(.+?)/(?:blobs|manifests|tags)/", path) or ["", ""])[1]
            action = "pull" if self.command in ("GET", "HEAD") else "push"
            needed = {f"{repository}:{action}"} | ({f"{query['from'][0]}:pull"} if "from" in query else set())
            held = fake.tokens.get(given.removeprefix("Bearer "), set())
            if fault.refuse_token:
                fake.tokens.pop(given.removeprefix("Bearer "), None)
                held = set()
            if not given or not needed <= held:
                scope = " ".join(
                    f"repository:{one.rpartition(':')[0]}:{one.rpartition(':')[2]}" for one in sorted(needed)
                )
                challenge = f'Bearer realm="{fake.scheme}://{fake.host}/token",service="fake",scope="{scope}"'
                self.answer(401, b"{}", {"WWW-Authenticate": challenge})
                return False
        return True

    def token(self, query, body):
        form = query | parse_qs(body.decode())
        self.fake.token_requests.append(form)
        granted = set()
        for scope in " ".join(form.get("scope", [])).split():
            _, repository, actions = scope.split(":")
            granted |= {f"{repository}:{action}" for action in actions.split(",")}
        basic = "Basic " + base64.b64encode(self.fake.account.encode()).decode()
        if self.headers.get("Authorization") != basic and form.get("refresh_token") != ["identity"]:
            return self.answer(401, b'{"details":"incorrect username or password"}')
        value = f"token-{len(self.fake.tokens)}-{time.monotonic_ns()}"
        self.fake.tokens[value] = granted
        return self.answer(200, json.dumps({"token": value, "expires_in": 300}).encode())

    def route(self, path, query, body):
        if path == "/v2/":
            return self.answer(200)
        match = re.match(r"/v2/(.+?)/(blobs/uploads|blobs|manifests|tags)/(.*)$", path)
        if not match:
            return self.answer(404)
        repository, kind, rest = match.groups()
        return getattr(self, "route_" + kind.replace("/", "_"))(repository, rest, query, body)

    def route_tags(self, repository, rest, query, body):
        tags = sorted(tag for name, tag in self.fake.manifests if name == repository and not tag.startswith("sha256:"))
        last = query.get("last", [""])[0]
        page = [tag for tag in tags if tag > last][:2]
        more = (
            {"Link": f'</v2/{repository}/tags/list?last={page[-1]}>; rel="next"'}
            if page and page[-1] != tags[-1]
            else {}
        )
        return self.answer(200, json.dumps({"tags": page}).encode(), more)

    def route_manifests(self, repository, reference, query, body):
        fake = self.fake
        if self.command == "PUT":
            digest = "sha256:" + hashlib.sha256(body).hexdigest()
            kind = self.headers["Content-Type"]
            document = json.loads(body)
            needed = [document["config"], *document["layers"]] if "layers" in document else []
            if any((repository, one["digest"]) not in fake.blobs for one in needed):
                return self.answer(400, b'{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}')
            fake.manifests[repository, reference] = fake.manifests[repository, digest] = (body, kind)
            return self.answer(201, b"", {"Docker-Content-Digest": digest})
        if (repository, reference) not in fake.manifests:
            return self.answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}')
        content, kind = fake.manifests[repository, reference]
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        return self.answer(200, content, {"Content-Type": kind, "Docker-Content-Digest": digest})

    def route_blobs(self, repository, digest, query, body):
        content = self.fake.blobs.get((repository, digest))
        if content is None:
            return self.answer(404, b'{"errors":[{"code":"BLOB_UNKNOWN"}]}')
        wanted = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted and self.fake.ranges:
            return self.answer(206, content[int(wanted[1]) :])
        return self.answer(200, content, {"Content-Length": str(len(content))} if self.command == "HEAD" else {})

    def route_blobs_uploads(self, repository, session, query, body):
        fake = self.fake
        if self.command == "POST":
            source = (query.get("from", [""])[0], query.get("mount", [""])[0])
            if fake.mounts and source in fake.blobs:
                fake.blobs[repository, source[1]] = fake.blobs[source]
                return self.answer(201, b"", {"Docker-Content-Digest": source[1]})
            with fake.lock:
                fake.begun += 1
                name = f"u{fake.begun}"
                fake.uploads[name] = bytearray()
            return self.answer(202, b"", {"Location": f"/v2/{repository}/blobs/uploads/{name}?state=secret-state"})
        if session not in fake.uploads:
            return self.answer(404, b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}')
        held = fake.uploads[session]
        where = {"Location": f"/v2/{repository}/blobs/uploads/{session}?state=secret-state"}
        if self.command == "PATCH":
            start = int(self.headers.get("Content-Range", f"{len(held)}-").partition("-")[0])
            if start != len(held):
                return self.answer(416, b"", where)
            held += body
        if self.command in ("PATCH", "GET"):
            told = where | {"Range": f"0-{max(0, len(held) - 1)}"}
            return self.answer(204 if self.command == "GET" else 202, b"", told)
        held += body
        digest = query["digest"][0]
        if "sha256:" + hashlib.sha256(held).hexdigest() != digest:
            return self.answer(400, b'{"errors":[{"code":"DIGEST_INVALID"}]}')
        fake.blobs[repository, digest] = bytes(fake.uploads.pop(session))
        fake.stored[digest] += 1
        return self.answer(201, b"", {"Docker-Content-Digest": digest})
