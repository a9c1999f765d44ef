"""A hub's folder over HTTP, for this machine; any web server that answers with folders' ``index.html`` does as well."""

from __future__ import annotations

from http.server import SimpleHTTPRequestHandler
from typing import Any

_API = ("/api/", "/v1/")


class HubHandler(SimpleHTTPRequestHandler):
    """Files with the right types: JSON below the API's addresses, YAML as text that a browser shows."""

    extensions_map = {  # noqa: RUF012 - as the base class has it
        **SimpleHTTPRequestHandler.extensions_map,
        ".yaml": "text/plain; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".json": "application/json",
    }

    def __init__(self, *arguments: Any, quiet: bool = False, **options: Any) -> None:
        self.quiet = quiet
        super().__init__(*arguments, **options)

    def guess_type(self, path: Any) -> str:
        if self.path.startswith(_API) and str(path).endswith(".html"):
            return "application/json"
        return str(super().guess_type(path))

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        if not self.quiet:
            super().log_message(format, *arguments)

    def list_directory(self, path: Any) -> None:  # noqa: ARG002
        """A hub has what it lists; folders without a page are no part of it."""
        self.send_error(404)
