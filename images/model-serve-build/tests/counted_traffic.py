"""What goes over a registry's wire: bytes in both directions and requests, counted in between."""

import contextlib
import re
import socket
import threading

_REQUEST = re.compile(rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE) (\S+) HTTP/1\.1\r\n")


class CountedTraffic:
    """Listens on an address of its own and passes everything on to another one."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.sent = self.received = 0
        self.requests = []
        threading.Thread(target=self._accept, daemon=True).start()

    def reset(self):
        self.sent = self.received = 0
        self.requests = []

    def close(self):
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                for source, target, up in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pass_on, args=(source, target, up), daemon=True).start()

    def _pass_on(self, source, target, up):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if up:
                    self.sent += len(data)
                    self.requests += [match.decode() for match in _REQUEST.findall(data)]
                else:
                    self.received += len(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
