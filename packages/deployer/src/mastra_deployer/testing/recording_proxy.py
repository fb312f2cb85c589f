"""Stands between a deployer and its platform: writes down everything, and breaks what it is told.

It is an HTTP server of its own, so any client and any SDK can be tried through it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from mastra_deployer.testing.fault_injection import Exchange, Fault, Rule, failing

__all__ = ("Proxy",)

_HOP = frozenset(
    "connection keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding "
    "upgrade expect content-length".split()
)
Headers = Sequence[tuple[str, str]]
_TIMEOUT = 30.0  # seconds the platform has for an answer


class Proxy(ThreadingHTTPServer):
    """A reverse proxy on loopback.

    :param upstream: the platform's address.
    :param patience: after so many requests of one call it answers 403 to everything, so that a
        deployer that asks for ever comes to an end.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, upstream: str, patience: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream)
        self.patience = patience
        self.exchanges: list[Exchange] = []
        self._lock = threading.Lock()
        self._rule: Rule | None = None
        self._begun = self._called = 0

    @property
    def url(self) -> str:
        """What the deployer is told the platform's address is."""
        return f"http://127.0.0.1:{self.server_address[1]}{self.upstream.path}"

    def start(self) -> None:
        """Serve, in a thread."""
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Serve no more."""
        closing = threading.Thread(target=self.shutdown)
        closing.start()
        with contextlib.suppress(OSError):  # it looks up when somebody comes, else twice a second
            socket.create_connection(("127.0.0.1", self.server_port)).close()
        closing.join()
        self.server_close()

    @contextlib.contextmanager
    def under(self, rule: Rule | None) -> Iterator[None]:
        """Within it the rule says what goes wrong; requests are counted from 0."""
        with self._lock:
            self._rule, self._begun = rule, len(self.exchanges)
        try:
            yield
        finally:
            with self._lock:
                self._rule = None

    def called(self) -> None:
        """A call of the deployer begins."""
        with self._lock:
            self._called = len(self.exchanges)

    def note(self, exchange: Exchange) -> Exchange:
        """Write a request down, with what is to be done to it."""
        with self._lock:
            numbered = dataclasses.replace(exchange, index=len(self.exchanges) - self._begun)
            fault = self._rule(numbered) if self._rule else None
            if len(self.exchanges) - self._called >= self.patience:
                fault = failing(403, f"The suite stopped answering after {self.patience} requests.")
            noted = dataclasses.replace(numbered, fault=fault)
            self.exchanges.append(noted)
            return noted

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that goes away is what is being tried."""


class _Handler(BaseHTTPRequestHandler):
    server: Proxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer is one packet

    def setup(self) -> None:
        """Have a connection to the platform for each one from the deployer."""
        super().setup()
        host, port = self.server.upstream.hostname or "", self.server.upstream.port
        self._upstream = http.client.HTTPConnection(host, port, timeout=_TIMEOUT)

    def finish(self) -> None:
        """Close both."""
        self._upstream.close()
        super().finish()

    def _pass(self) -> None:
        body = self._body()
        names = tuple(name.lower() for name in self.headers)
        seen = Exchange(index=0, method=self.command, path=self.path, headers=names, body=body)
        fault = self.server.note(seen).fault
        if fault and fault.kind == "answer":
            self._send(fault.status, list(fault.headers.items()), fault.body)
        elif fault and fault.kind == "reset":
            self._reset()
        else:
            threading.Event().wait(fault.seconds if fault else 0)
            self._forward(body, fault)

    def _forward(self, body: bytes, fault: Fault | None = None) -> None:
        """Ask the platform, and hand on what it answers, as far as the fault lets it."""
        answer = self._asked(body)
        headers = [item for item in answer.getheaders() if item[0].lower() not in _HOP]
        if fault and fault.kind == "lost":
            answer.read()
            self._reset()
        elif self.command == "HEAD":
            answer.read()  # else the connection is not free for the next request
            size = answer.getheader("content-length") or "0"
            self._send(answer.status, [*headers, ("content-length", size)], None)
        elif answer.length is None and fault is None:
            self._stream(answer, headers)
        else:
            self._send(answer.status, headers, answer.read(), half=_is_half(fault))

    def _asked(self, body: bytes) -> http.client.HTTPResponse:
        """The platform's answer, over a connection that lives as long as the deployer's."""
        self._upstream.request(self.command, self.path, body or None, self._headers(body))
        return self._upstream.getresponse()

    def _headers(self, body: bytes) -> dict[str, str]:
        kept = {name: text for name, text in self.headers.items() if name.lower() not in _HOP}
        return {**kept, "content-length": str(len(body))} if body else kept

    def _body(self) -> bytes:
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
        self._begin(status, headers)
        if body is not None and status not in (204, 304):
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        if body and self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if half else body)
        if half:
            self.wfile.flush()
            self.close_connection = True

    def _begin(self, status: int, headers: Headers) -> None:
        self.send_response_only(status)
        for name, text in headers:
            self.send_header(name, text)

    def _stream(self, answer: http.client.HTTPResponse, headers: Headers) -> None:
        """An answer without an end in sight, piece by piece."""
        self._begin(answer.status, headers)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        while piece := answer.read1(65536):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _reset(self) -> None:
        """Break the connection, so that the other side hears of it at once."""
        self.close_connection = True
        now = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
        self.connection.close()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _pass  # noqa: N815  # the library's names

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _is_half(fault: Fault | None) -> bool:
    return fault is not None and fault.kind == "truncated"
