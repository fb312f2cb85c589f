"""Record all requests of a deployer in a reverse proxy, and inject faults.

The proxy is a real HTTP server, so it works with any client and any SDK.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import re
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from mastra_deployer.testing.fault_injection import Exchange, Fault, Rule, build_error
from mastra_deployer.testing.proxy.websocket_tunnel import relay_websocket

__all__ = ("RecordingProxy",)

_HOP = frozenset(
    "connection keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding "
    "upgrade expect content-length".split()
)
Headers = Sequence[tuple[str, str]]
_SECRET_HEADER = re.compile("auth|cookie|key|secret|signature|token", re.IGNORECASE)
_TIMEOUT = 30.0  # seconds for a response of the platform


class RecordingProxy(ThreadingHTTPServer):
    """A reverse proxy on loopback.

    :param upstream: the platform's address.
    :param max_requests: the number of requests that one call may send. Each request above this
        number gets a 403, which ends a deployer that polls forever.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, upstream: str, max_requests: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream)
        self.max_requests = max_requests
        self.exchanges: list[Exchange] = []
        self._lock = threading.Lock()
        self._rule: Rule | None = None
        self._rule_start = self._call_start = 0

    @property
    def url(self) -> str:
        """The address that the deployer gets instead of the platform's address."""
        return f"http://127.0.0.1:{self.server_address[1]}{self.upstream.path}"

    def start(self) -> None:
        """Serve in a thread."""
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Stop serving."""
        thread = threading.Thread(target=self.shutdown)
        thread.start()
        # The server notices a shutdown twice a second, or at once when a connection arrives.
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.server_port)).close()
        thread.join()
        self.server_close()

    @contextlib.contextmanager
    def apply_rule(self, rule: Rule | None) -> Iterator[None]:
        """Within the block, inject the faults of a rule; the index of the first request is 0.

        :param rule: a function that returns the fault for a request; ``None`` injects no faults.
        """
        with self._lock:
            self._rule, self._rule_start = rule, len(self.exchanges)
        try:
            yield
        finally:
            with self._lock:
                self._rule = None

    def start_call(self) -> None:
        """Start to count the requests of a call."""
        with self._lock:
            self._call_start = len(self.exchanges)

    def record(self, exchange: Exchange) -> Exchange:
        """Record a request, and return the record with its index and its fault.

        :param exchange: the request; its index and fault are replaced.
        """
        with self._lock:
            position, rule = len(self.exchanges), self._rule
            numbered = dataclasses.replace(exchange, index=position - self._rule_start)
            is_over = position - self._call_start >= self.max_requests
            self.exchanges.append(numbered)
        # Not locked: a rule may deploy itself, through this proxy.
        fault = rule(numbered) if rule else None
        if is_over:
            message = f"The suite stopped answering after {self.max_requests} requests."
            fault = build_error(403, message)
        recorded = dataclasses.replace(numbered, fault=fault)
        with self._lock:
            self.exchanges[position] = recorded
        return recorded

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing, because clients that disconnect are part of the tests.

        :param request: the connection.
        :param client_address: the client address of the connection.
        """


class _Handler(BaseHTTPRequestHandler):
    server: RecordingProxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet for a response

    def setup(self) -> None:
        """Open a connection to the platform for each connection of the deployer."""
        super().setup()
        host, port = self.server.upstream.hostname or "", self.server.upstream.port
        self._upstream = http.client.HTTPConnection(host, port, timeout=_TIMEOUT)

    def finish(self) -> None:
        """Close both connections."""
        self._upstream.close()
        super().finish()

    def _handle(self) -> None:
        body = self._read_body()
        headers = {
            name.lower(): "" if _SECRET_HEADER.search(name) else text
            for name, text in self.headers.items()
        }
        exchange = Exchange(
            index=0, method=self.command, path=self.path, headers=headers, body=body
        )
        fault = self.server.record(exchange).fault
        if fault and fault.kind == "answer":
            self._send(fault.status, list(fault.headers.items()), fault.body)
        elif fault and (fault.kind == "reset" or self._is_websocket()):
            self._reset()
        elif self._is_websocket():
            self._open_tunnel()
        else:
            threading.Event().wait(fault.seconds if fault else 0)
            self._forward(body, fault)

    def _is_websocket(self) -> bool:
        """Return whether the request opens a WebSocket."""
        return self.headers.get("upgrade", "").lower() == "websocket"

    def _open_tunnel(self) -> None:
        """Forward the request with all its headers, and then the bytes of both directions."""
        self.close_connection = True
        upstream = self.server.upstream
        head = [self.requestline, *(f"{name}: {text}" for name, text in self.headers.items())]
        address = (upstream.hostname or "", upstream.port or http.client.HTTP_PORT)
        with socket.create_connection(address, timeout=_TIMEOUT) as platform:
            platform.settimeout(None)  # a log may be silent for long
            platform.sendall("\r\n".join((*head, "", "")).encode("latin-1"))
            relay_websocket(self.rfile, self.connection, platform)

    def _forward(self, body: bytes, fault: Fault | None = None) -> None:
        """Forward the request, and change the platform's response according to the fault."""
        response = self._request_upstream(body)
        headers = [item for item in response.getheaders() if item[0].lower() not in _HOP]
        if fault and fault.kind == "lost":
            response.read()
            self._reset()
        elif self.command == "HEAD":
            response.read()  # otherwise the connection is not free for the next request
            size = response.getheader("content-length") or "0"
            self._send(response.status, [*headers, ("content-length", size)], None)
        elif response.length is None and fault is None:
            self._stream(response, headers)
        else:
            self._send(response.status, headers, response.read(), half=_is_truncated(fault))

    def _request_upstream(self, body: bytes) -> http.client.HTTPResponse:
        """Send the request to the platform over a connection that no other client uses."""
        self._upstream.request(self.command, self.path, body or None, self._build_headers(body))
        return self._upstream.getresponse()

    def _build_headers(self, body: bytes) -> dict[str, str]:
        headers = {name: text for name, text in self.headers.items() if name.lower() not in _HOP}
        return {**headers, "content-length": str(len(body))} if body else headers

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def _send(
        self, status: int, headers: Headers, body: bytes | None, *, half: bool = False
    ) -> None:
        self._send_head(status, headers)
        if body is not None and status not in (204, 304):
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        if body and self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if half else body)
        if half:
            self.wfile.flush()
            self.close_connection = True

    def _send_head(self, status: int, headers: Headers) -> None:
        self.send_response_only(status)
        for name, text in headers:
            self.send_header(name, text)

    def _stream(self, response: http.client.HTTPResponse, headers: Headers) -> None:
        """Send a response of unknown length in chunks."""
        self._send_head(response.status, headers)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        while chunk := response.read1(65536):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _reset(self) -> None:
        """Reset the connection, so that the client notices at once."""
        self.close_connection = True
        no_linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
        self.connection.close()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _handle  # noqa: N815  # the library's names

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


def _is_truncated(fault: Fault | None) -> bool:
    return fault is not None and fault.kind == "truncated"
