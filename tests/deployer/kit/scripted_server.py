"""An HTTP server on loopback that answers what a test tells it to."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Platform(ThreadingHTTPServer):
    """Answers from a list of (status, headers, body), then 200; ``answer`` may decide instead.

    A status of 0 breaks the connection. A body of bytes goes out as it is, others as JSON.
    """

    daemon_threads = True

    def __init__(self, answer=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.seen, self.bodies, self.headers = [], [], [], []
        self.answer = answer or (
            lambda request: self.answers.pop(0) if self.answers else (200, {}, {})
        )
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        """A client that goes away in the middle is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # head and body in one packet: two would wait for one another

    def _answer(self):
        self.body = self._body()
        self.server.seen.append((self.command, self.path, self.headers.get("authorization")))
        self.server.bodies.append(self.body)
        self.server.headers.append(dict(self.headers))
        status, headers, body = self.server.answer(self)
        if status == 0:
            self.close_connection = True
            return
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response_only(status)
        for name, value in {"content-length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _body(self):
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    do_GET = do_PUT = do_POST = _answer  # noqa: N815  # the library's names
    do_CONNECT = _answer  # noqa: N815  # what a proxy is asked first

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(answer=None):
    """A platform that listens."""
    server = Platform(answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
