"""uvicorn's HTTP protocol, to which a request that offers an upgrade is one like any other.

Java's HttpClient and `curl --http2` offer HTTP/2 with every request in clear. A server may ignore that (RFC 9110 7.8),
but llhttp takes whatever follows the head for another protocol: uvicorn by itself loses the body.
"""

from __future__ import annotations

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class UpgradeIgnoringProtocol(HttpToolsProtocol):
    """For applications of others; an upgrade to WebSocket is made where uvicorn can."""

    _offered = False
    """Whether the request that is being parsed will be parsed once more, without its offer."""

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self.feed(data)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def feed(self, data: bytes) -> None:
        """Raises httptools.HttpParserError."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._feed_without(upgrade, data)

    def _feed_without(self, upgrade: httptools.HttpParserUpgrade | None, data: bytes) -> None:
        """A new parser gets the head once more, without the offer, and what follows."""
        while upgrade is not None:
            if not self._offered:
                self.handle_websocket_upgrade()
                return
            method = self.parser.get_method()
            if method == b"CONNECT":
                self.refuse_connect()
                return
            version = self.parser.get_http_version().encode()
            kept = [(name, _without_offer(value) if name == b"connection" else value)
                    for name, value in self.headers if name != b"upgrade"]  # fmt: skip
            head = b"".join(b"%b: %b\r\n" % header for header in kept)
            data = b"%b %b HTTP/%b\r\n%b\r\n%b" % (method, self.url, version, head, data[upgrade.args[0] :])
            self.parser, upgrade = httptools.HttpRequestParser(self), None
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as another:
                upgrade = another

    def refuse_connect(self) -> None:
        self.send_400_response("Nothing here takes CONNECT.")

    def on_headers_complete(self) -> None:
        self._offered = self.parser.should_upgrade() and not self._should_upgrade()
        if not self._offered:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._offered:
            super().on_message_complete()


def _without_offer(connection: bytes) -> bytes:
    options = [option.strip() for option in connection.split(b",")]
    return b", ".join(option for option in options if option.lower() not in {b"upgrade", b"http2-settings"})
