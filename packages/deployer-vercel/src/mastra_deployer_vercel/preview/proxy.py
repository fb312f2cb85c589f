"""An HTTP proxy in front of a function that behaves as Vercel's edge network does."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

__all__ = ("PreviewProxy",)

_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "transfer-encoding", "te", "upgrade", "trailer")
)
_MAX_BODY = 4_500_000  # bytes of a request body; Vercel's limit
_MAX_DISCARDED = 64_000_000  # bytes that are read of a larger body, so that the client can read
_CHUNK = 65536


class PreviewProxy(ThreadingHTTPServer):
    """Serves static files, limits request bodies, and adds the platform's headers.

    :param address: host and port to listen on.
    :param port: port of the function.
    :param static: directory of static files; may not exist.
    """

    daemon_threads = True

    def __init__(self, address: tuple[str, int], port: int, static: Path) -> None:
        super().__init__(address, _Handler)
        self.function_port, self.static_directory = port, static
        self.request_numbers = itertools.count(1)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: PreviewProxy

    def _serve(self) -> None:
        try:
            body = self._read_body()
        except ValueError:
            self.close_connection = True
            return self._send_error(400, {"code": "BAD_REQUEST"})
        if body is None:
            self.close_connection = True
            return self._send_error(413, {"code": "FUNCTION_PAYLOAD_TOO_LARGE"})
        if file := self._find_static():
            return self._send_file(file)
        return self._forward(body or None)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815  # names of the standard library

    def _read_body(self) -> bytes | None:
        """Return the body of the request; ``None`` when it is too large.

        :raises ValueError: for an invalid length.
        """
        content, size = bytearray(), 0
        for piece in self._iter_body():
            size += len(piece)
            if size <= _MAX_BODY:
                content += piece
            elif size > _MAX_DISCARDED:
                break
        return bytes(content) if size <= _MAX_BODY else None

    def _iter_body(self) -> Iterator[bytes]:
        if "chunked" not in self.headers.get("transfer-encoding", "").lower():
            yield from self._iter_content(int(self.headers.get("content-length") or 0))
            return
        while size := int(self.rfile.readline(_CHUNK).partition(b";")[0], 16):
            yield from self._iter_content(size)
            self.rfile.readline(_CHUNK)
        while self.rfile.readline(_CHUNK).strip():
            continue  # trailers, which the function does not get

    def _iter_content(self, size: int) -> Iterator[bytes]:
        while size > 0 and (piece := self.rfile.read(min(size, _CHUNK))):
            size -= len(piece)
            yield piece

    def _find_static(self) -> Path | None:
        if self.command not in ("GET", "HEAD") or not self.server.static_directory.is_dir():
            return None
        root = self.server.static_directory.resolve()
        file = (root / self.path.partition("?")[0].lstrip("/")).resolve()
        return file if file.is_relative_to(root) and file.is_file() else None

    def _send_file(self, file: Path) -> None:
        import mimetypes

        content = file.read_bytes()
        self.send_response(200)
        content_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _forward(self, body: bytes | None) -> None:
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.function_port)
        try:
            upstream.request(self.command, self.path, body=body, headers=self._build_headers())
            response = upstream.getresponse()
        except (ConnectionError, http.client.HTTPException):
            upstream.close()
            self.close_connection = True
            return self._send_error(502, {"code": "FUNCTION_INVOCATION_FAILED"})
        with contextlib.closing(upstream):
            try:
                return self._relay(response)
            except (
                ConnectionError,
                http.client.HTTPException,
            ):  # either side closed the connection
                self.close_connection = True

    def _build_headers(self) -> dict[str, str]:
        headers = {
            name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP
        }
        client = self.client_address[0]
        return {
            **headers,
            "x-forwarded-for": client,
            "x-real-ip": client,
            "x-forwarded-proto": "http",
            "x-forwarded-host": self.headers.get("host", ""),
            "x-vercel-id": f"dev1::{uuid.uuid4().hex[:12]}",
            "x-vercel-internal-invocation-id": uuid.uuid4().hex,
            "x-vercel-internal-request-id": str(next(self.server.request_numbers)),
        }

    def _relay(self, response: http.client.HTTPResponse) -> None:
        self.send_response(response.status)
        length = response.getheader("content-length")
        for name, value in response.getheaders():
            if name.lower() not in _HOP_BY_HOP and not name.lower().startswith("x-vercel-internal"):
                self.send_header(name, value)
        has_no_body = self.command == "HEAD" or response.status in (204, 304)
        if length is None and not has_no_body:
            self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        while not has_no_body and (chunk := response.read1(_CHUNK)):
            self._write_chunk(chunk, chunked=length is None)
        if length is None and not has_no_body:
            self.wfile.write(b"0\r\n\r\n")

    def _write_chunk(self, chunk: bytes, *, chunked: bool) -> None:
        """Write and flush a chunk, so that streams arrive without delay."""
        content = b"%x\r\n%s\r\n" % (len(chunk), chunk) if chunked else chunk
        self.wfile.write(content)
        self.wfile.flush()

    def _send_error(self, status: int, error: dict[str, str]) -> None:
        content = json.dumps({"error": error}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the app logs its own requests."""
