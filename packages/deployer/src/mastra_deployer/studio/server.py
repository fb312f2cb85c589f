"""Studio's files over HTTP, for this machine only."""

from __future__ import annotations

import re
import socket
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mastra_core.errors import ConfigError

__all__ = ("StudioServer", "page_values", "studio_page")

_PLACEHOLDER = re.compile(r"%%MASTRA_(\w+)%%")
_HOST = re.compile(r"[\w.-]+|\[[0-9a-fA-F:.]+\]")
_PREFIX = re.compile(r"(/[\w.-]+)*")
_FIXED = {
    "AGENT_SIGNALS": "true",  # answers come to every window that shows the thread
    "TELEMETRY_DISABLED": "true",
}
_PORTS = {"http": 80, "https": 443}


def page_values(url: str, api_prefix: str) -> dict[str, str]:
    """What Studio's page has to be told: which server to ask.

    :raises ConfigError: when ``url`` or ``api_prefix`` is none.
    """
    return {**_FIXED, **_server(url), "API_PREFIX": _checked(api_prefix)}


def studio_page(files: Path, values: dict[str, str]) -> bytes:
    """Studio's page with ``values`` in their places."""
    page = (files / "index.html").read_text(encoding="utf-8")
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], ""), page).encode()


def _server(url: str) -> dict[str, str]:
    try:
        told = urlsplit(url)
        port = told.port or _PORTS.get(told.scheme, 0)
    except ValueError:
        port = 0
    host = f"[{told.hostname}]" if port and ":" in (told.hostname or "") else told.hostname
    if not port or not _HOST.fullmatch(host or "") or told.path.strip("/") or told.username:
        raise ConfigError(
            f"{url!r} is no address of a server.",
            "Write it like http://127.0.0.1:3000; what is behind it goes into --api-prefix.",
        )
    return {"SERVER_PROTOCOL": told.scheme, "SERVER_HOST": str(host), "SERVER_PORT": str(port)}


def _checked(prefix: str) -> str:
    if not _PREFIX.fullmatch(prefix):
        raise ConfigError(f"--api-prefix is {prefix!r}.", "Write it like /api.")
    return prefix


class StudioServer(ThreadingHTTPServer):
    """Answers every path with the page, but those of files.

    :param listener: a listening socket.
    """

    def __init__(self, listener: socket.socket, files: Path, page: bytes) -> None:
        handler = partial(_Handler, directory=str(files), page=page)
        super().__init__(listener.getsockname(), handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener


class _Handler(SimpleHTTPRequestHandler):
    extensions_map = {  # noqa: RUF012  # the base class's own attribute
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",  # a system's table may say otherwise, and browsers insist
    }

    def __init__(self, *arguments: Any, directory: str, page: bytes) -> None:
        self._page = page
        super().__init__(*arguments, directory=directory)

    def do_GET(self) -> None:
        """A file, or the page; it shows itself what belongs to the path."""
        path = urlsplit(self.path).path
        if path == "/refresh-events":  # the original's way to say that the app was built again
            self._send(204, b"")
        elif path.startswith("/assets/") or path.endswith(".svg"):
            super().do_GET()
        else:
            self._send(200, self._page)

    def list_directory(self, _: Any) -> None:
        """Refuse."""
        self.send_error(404)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)
