"""A layer of any size takes the same memory. ``python test_memory.py 1024`` pushes a gigabyte and prints what it took."""

import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MEGABYTE = 1 << 20

PUSH = """
import json, resource, sys
from pathlib import Path
from taskkit.canonical import hash_file
from taskkit.oci.documents import Platform
from taskkit.oci.images import Addition, append, scratch
from taskkit.oci.publishing import push
from taskkit.oci.references import RegistryReference
from taskkit.oci.repository import Registries
from taskkit.oci.tar_layers import DiskFile, InlineFile, layer

def peak():  # kilobytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def publish(blob, tag):
    image = append(scratch(Platform("amd64", "linux")), lambda _: Addition((blob,), ("x",), {}, {}, {}))
    push(image, Registries(insecure=[host]).repository(RegistryReference(host, "team/model")), tag, "fail")

host, path = sys.argv[1], Path(sys.argv[2])
publish(layer([InlineFile("models/small", b"x")]), "v1")
before = peak()
sha256, size = hash_file(path)
publish(layer([DiskFile("models/large", path, size, sha256)]), "v2")
print(json.dumps({"before": before, "after": peak(), "bytes": size}))
"""


class Sink(BaseHTTPRequestHandler):
    """A registry that takes everything and keeps nothing."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle_all(self):
        missing = int(self.headers.get("Content-Length") or 0)
        while missing:
            missing -= len(self.rfile.read(min(missing, MEGABYTE)))
        status = {"POST": 202, "PUT": 201}.get(self.command, 404)
        self.send_response(status)
        if status == 202:
            self.send_header("Location", "/v2/team/model/blobs/uploads/1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET = do_POST = do_PUT = handle_all


def push_in_a_process(path, megabytes):
    """{before, after: peak memory in kilobytes; bytes; seconds}"""
    with path.open("wb") as file:
        file.truncate(megabytes * MEGABYTE)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    began = time.monotonic()
    command = [sys.executable, "-c", PUSH, f"127.0.0.1:{server.server_address[1]}", path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    server.shutdown()
    server.server_close()
    return json.loads(done.stdout) | {"seconds": round(time.monotonic() - began, 1)}


def test_a_large_layer_takes_no_more_memory_than_a_small_one(tmp_path):
    told = push_in_a_process(tmp_path / "large", 128)
    assert told["bytes"] == 128 * MEGABYTE
    assert told["after"] - told["before"] < 24_000


if __name__ == "__main__":
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        print(push_in_a_process(Path(folder) / "large", int(sys.argv[1])))
