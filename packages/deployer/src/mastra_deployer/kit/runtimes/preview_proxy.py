"""Simulate a platform in front of an app with an HTTP proxy on this machine."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from mastra_deployer.kit.files.static_files import find_static_file
from mastra_deployer.kit.runtimes.open_listener import open_preview_listener

__all__ = ("PreviewProxy", "PreviewRules")

_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "transfer-encoding", "te", "upgrade", "trailer")
)
_CHUNK = 65536
# Bytes of a too large body that are read, so that the client can read the response.
_MAX_DISCARDED = 64_000_000
_MAX_LINE = 1024  # bytes of the line before a chunk


@dataclasses.dataclass(frozen=True, kw_only=True)
class PreviewRules:
    """The rules by which a platform changes requests and responses.

    :param static: the directory of static files, which are served first; it may not exist.
    :param max_body: the largest number of bytes of a request's body; 0 for no limit.
    :param errors: JSON bodies of the platform's own responses, by status: 413 for a body that is
        too large, 502 for an app that does not respond.
    :param build_headers: called with the client's address for each request; returns the platform's
        headers besides ``x-forwarded-for``, ``x-forwarded-host`` and ``x-forwarded-proto``.
    :param hidden_headers: prefixes, in lower case, of the response headers that the platform does
        not send to the client.
    """

    static: Path | None = None
    max_body: int = 0
    errors: Mapping[int, Any] = dataclasses.field(default_factory=dict)
    build_headers: Callable[[str], Mapping[str, str]] = lambda _: {}
    hidden_headers: tuple[str, ...] = ()


class PreviewProxy(ThreadingHTTPServer):
    """Serves static files, and passes other requests to an app, by the rules of a platform.

    :param host: address to listen on.
    :param port: port to listen on; 0 for any free port.
    :param app_port: port of the app on this machine.
    :param rules: the rules of the platform.
    :raises ConfigError: when the port is in use.
    """

    daemon_threads = True

    def __init__(self, host: str, port: int, app_port: int, rules: PreviewRules) -> None:
        listener = open_preview_listener(host, port)
        super().__init__(listener.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.app_port, self.rules = app_port, rules
        name = f"[{host}]" if ":" in host else host
        self.url = f"http://{name}:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect, as browsers do; print any other error.

        :param request: the connection.
        :param client_address: the address of the client.
        """
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def serve_until_interrupted(self) -> int:
        """Serve until Ctrl-C, and return the exit code 130."""
        try:
            self.serve_forever()
        except KeyboardInterrupt:
            return 130
        finally:
            self.server_close()
        return 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a chunk would wait until the client has confirmed the last one
    server: PreviewProxy

    def _serve(self) -> None:
        try:
            self.path.encode("ascii")  # http.client forwards no other path
            body = self._read_body()
        except ValueError:
            self.close_connection = True
            return self._send_error(400)
        if body is None:
            self.close_connection = True
            return self._send_error(413)
        if file := self._find_static():
            return self._send_file(file)
        return self._forward(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815  # names of the standard library

    def _read_body(self) -> bytes | None:
        """Return the body of the request; ``None`` if it is too large.

        :raises ValueError: for an invalid length.
        """
        limit = self.server.rules.max_body or math.inf
        content, size = bytearray(), 0
        for piece in self._iter_body():
            size += len(piece)
            if size <= limit:
                content += piece
            elif size > limit + _MAX_DISCARDED:
                break
        return bytes(content) if size <= limit else None

    def _iter_body(self) -> Iterator[bytes]:
        if "chunked" not in self.headers.get("transfer-encoding", "").lower():
            yield from self._iter_content(int(self.headers.get("content-length") or 0))
            return
        while size := int(self.rfile.readline(_MAX_LINE).partition(b";")[0], 16):
            yield from self._iter_content(size)
            self.rfile.readline(_MAX_LINE)
        while self.rfile.readline(_MAX_LINE).strip():
            continue  # trailers, which the app does not get

    def _iter_content(self, size: int) -> Iterator[bytes]:
        while size > 0 and (piece := self.rfile.read(min(size, _CHUNK))):
            size -= len(piece)
            yield piece

    def _find_static(self) -> Path | None:
        directory = self.server.rules.static
        if directory is None or self.command not in ("GET", "HEAD"):
            return None
        return find_static_file(directory, self.path)

    def _send_file(self, file: Path) -> None:
        import mimetypes

        content = file.read_bytes()
        content_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        self._send(200, content, content_type)

    def _forward(self, body: bytes) -> None:
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.app_port)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self._iter_headers(body):
                upstream.putheader(name, value)
            upstream.endheaders(body or None)
            response = upstream.getresponse()
        except (ConnectionError, http.client.HTTPException):
            upstream.close()
            self.close_connection = True
            return self._send_error(502)
        with contextlib.closing(upstream):
            try:
                return self._relay(response)
            except (ConnectionError, http.client.HTTPException):  # a side closed the connection
                self.close_connection = True

    def _iter_headers(self, body: bytes) -> Iterator[tuple[str, str]]:
        """Yield the client's headers, with those that the platform adds or replaces."""
        client = self.client_address[0]
        added = {
            "content-length": str(len(body)),
            "x-forwarded-for": client,
            "x-forwarded-proto": "http",
            "x-forwarded-host": self.headers.get("host", ""),
            **self.server.rules.build_headers(client),
        }
        if not body and "content-length" not in self.headers:
            del added["content-length"]
        for name, value in self.headers.items():
            if name.lower() not in _HOP_BY_HOP and name.lower() not in added:
                yield name, value
        yield from added.items()

    def _relay(self, response: http.client.HTTPResponse) -> None:
        self.send_response_only(response.status)  # the app has sent its own date
        length = response.getheader("content-length")
        for name, value in response.getheaders():
            if not self._is_hidden(name.lower()):
                self.send_header(name, value)
        has_no_body = self.command == "HEAD" or response.status in (204, 304)
        if length is None and not has_no_body:
            self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        while not has_no_body and (chunk := response.read1(_CHUNK)):
            self._write_chunk(chunk, is_chunked=length is None)
        if length is None and not has_no_body:
            self.wfile.write(b"0\r\n\r\n")

    def _is_hidden(self, name: str) -> bool:
        return name in _HOP_BY_HOP or name.startswith(self.server.rules.hidden_headers)

    def _write_chunk(self, chunk: bytes, *, is_chunked: bool) -> None:
        """Write and flush a chunk, so that streams arrive without delay."""
        content = b"%x\r\n%s\r\n" % (len(chunk), chunk) if is_chunked else chunk
        self.wfile.write(content)
        self.wfile.flush()

    def _send_error(self, status: int) -> None:
        error = self.server.rules.errors.get(status, {"error": {"status": status}})
        self._send(status, json.dumps(error).encode(), "application/json")

    def _send(self, status: int, content: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(content)))
        if self.close_connection:  # otherwise the client sends its next request on this connection
            self.send_header("connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing, because the app logs its own requests."""
