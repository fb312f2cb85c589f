"""Serve Studio's files over HTTP on loopback."""

from __future__ import annotations

import re
import socket
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mastra_core.errors import ConfigError
from mastra_deployer.dev.local_access_child import LocalAccess

__all__ = ("StudioServer", "build_page_values", "render_page")

_PLACEHOLDER = re.compile(r"%%MASTRA_(\w+)%%")
_HOST = re.compile(r"[\w.-]+|\[[0-9a-fA-F:.]+\]")
_PREFIX = re.compile(r"(/[\w.-]+)*")
_FIXED = {
    "AGENT_SIGNALS": "true",  # every window that shows the thread receives responses
    "TELEMETRY_DISABLED": "true",
}
_PORTS = {"http": 80, "https": 443}


def build_page_values(url: str, api_prefix: str) -> dict[str, str]:
    """Return the values for the placeholders of the page, such as the server's address.

    :param url: the URL of the server.
    :param api_prefix: path of the server's API, such as ``/api``.
    :raises ConfigError: when the URL or the path is invalid.
    """
    return {**_FIXED, **_parse_server(url), "API_PREFIX": _validate_prefix(api_prefix)}


def render_page(files: Path, values: dict[str, str]) -> bytes:
    """Render Studio's page.

    :param files: the directory with Studio's files.
    :param values: the values of the placeholders.
    """
    page = (files / "index.html").read_text(encoding="utf-8")
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], ""), page).encode()


def _parse_server(url: str) -> dict[str, str]:
    try:
        address = urlsplit(url)
        port = address.port or _PORTS.get(address.scheme, 0)
    except ValueError:
        port = 0
    host = f"[{address.hostname}]" if port and ":" in (address.hostname or "") else address.hostname
    if not port or not _HOST.fullmatch(host or "") or address.path.strip("/") or address.username:
        raise ConfigError(
            f"{url!r} is not the address of a server.",
            "Write an address such as http://127.0.0.1:3000. Pass a path as --api-prefix.",
        )
    return {"SERVER_PROTOCOL": address.scheme, "SERVER_HOST": str(host), "SERVER_PORT": str(port)}


def _validate_prefix(prefix: str) -> str:
    if not _PREFIX.fullmatch(prefix):
        raise ConfigError(f"--api-prefix {prefix!r} is not a path.", "Write it like /api.")
    return prefix


class StudioServer(ThreadingHTTPServer):
    """A server of Studio's files, and of Studio's page at every other path.

    :param listener: a listening socket.
    :param files: the directory with Studio's files.
    :param page: the rendered page.
    :param access: which hosts and web pages may send requests.
    """

    def __init__(
        self, listener: socket.socket, files: Path, page: bytes, access: LocalAccess
    ) -> None:
        handler = partial(_Handler, directory=str(files), page=page, access=access)
        super().__init__(listener.getsockname(), handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print the traceback of an error, except if the browser has aborted the request.

        :param request: the socket of the request.
        :param client_address: the address of the browser.
        """
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(SimpleHTTPRequestHandler):
    extensions_map = {  # noqa: RUF012  # the base class's own attribute
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",  # the system's table may differ, and browsers require this type
    }

    def __init__(self, *arguments: Any, directory: str, page: bytes, access: LocalAccess) -> None:
        self._page = page
        self._access = access
        super().__init__(*arguments, directory=directory)

    def parse_request(self) -> bool:
        """Read the head of a request, and refuse requests of foreign web pages."""
        if not super().parse_request():
            return False
        problem = self._access.find_problem(self.command, self.headers.items())
        if problem:
            self._send(403, f"{problem}\n".encode(), "text/plain; charset=utf-8")
        return not problem

    def do_GET(self) -> None:
        """Send a file; for any other path, send the page, whose script handles the path."""
        path = self.path.partition("?")[0]
        if path == "/refresh-events":  # Mastra's dev server reports rebuilds there
            self._send(204, b"")
        elif path.startswith("/assets/") or path.endswith(".svg"):
            self._send_file()
        else:
            self._send(200, self._page)

    def do_HEAD(self) -> None:
        """Send the head of the response to a GET request."""
        self.do_GET()

    def _send_file(self) -> None:
        send = super().do_HEAD if self.command == "HEAD" else super().do_GET
        try:
            send()
        except ValueError:  # such as a null byte in the path
            self.send_error(404)

    def end_headers(self) -> None:
        """Forbid pages of other origins to frame Studio."""
        self.send_header("Content-Security-Policy", LocalAccess.frame_policy)
        super().end_headers()

    def list_directory(self, _: Any) -> None:
        """Respond with 404, because directories are not listed."""
        self.send_error(404)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""

    def _send(
        self, status: int, body: bytes, content_type: str = "text/html; charset=utf-8"
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
