"""HTTP/1.1 on one connection, for the API and for the hosts of deployments."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler


class HttpConnection(BaseHTTPRequestHandler):
    """Reads requests of any method and passes each to `respond`."""

    protocol_version = "HTTP/1.1"
    server_version = "platform"
    sys_version = ""
    wbufsize = -1  # buffered, so that a response is one packet
    timeout = 120

    def __init__(self, connection: socket.socket, address: tuple[str, int]) -> None:
        super().__init__(connection, address, None)  # type: ignore[arg-type]  # there is no server

    def respond(self, content: bytes) -> None:
        raise NotImplementedError

    def __getattr__(self, name: str):
        if name.startswith("do_"):
            return self._handle
        raise AttributeError(name)

    def send(self, status: int, headers: Mapping[str, str], body: bytes | Iterator[bytes]) -> None:
        """Send a response; an iterator is sent in chunks."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        is_complete = isinstance(body, bytes)
        if status not in {204, 304}:
            size = (
                {"content-length": str(len(body))}
                if is_complete
                else {"transfer-encoding": "chunked"}
            )
            self.send_header(*next(iter(size.items())))
        self.end_headers()
        if self.command == "HEAD" or status in {204, 304}:
            return
        if is_complete:
            self.wfile.write(body)
            return
        for chunk in body:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing; tests read the recorded requests."""

    def _handle(self) -> None:
        self.respond(self._read_body())

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self._read_exactly(int(self.headers.get("content-length") or 0))
        content = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            content += self._read_exactly(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _read_exactly(self, size: int) -> bytes:
        """Read `size` bytes; an aborted request raises and has no effect."""
        content = self.rfile.read(size)
        if len(content) < size:
            raise ConnectionAbortedError("the request ended too early")
        return content
