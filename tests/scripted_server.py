"""An HTTP server on loopback whose responses a test sets."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ScriptedServer(ThreadingHTTPServer):
    """Answer from a list of (status, headers, body), then 200; ``answer`` may decide instead.

    A status of 0 drops the connection. A body of bytes is sent as it is, others as JSON.
    ``connections`` is the number of open connections.
    """

    daemon_threads = True

    def __init__(self, answer=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.seen, self.bodies, self.headers = [], [], [], []
        self.answer = answer or (
            lambda request: self.answers.pop(0) if self.answers else (200, {}, {})
        )
        self.connections = 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        """Ignore clients that disconnect in the middle: tests do that."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # head and body in one packet: two would wait for an acknowledgement

    def setup(self):
        super().setup()
        self.server.connections += 1

    def finish(self):
        super().finish()
        self.server.connections -= 1

    def _answer(self):
        self.body = self._read_body()
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

    def _read_body(self):
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815  # the library's names
    do_CONNECT = _answer  # noqa: N815  # the request that a proxy gets first

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serve(answer=None):
    """Run a server in a thread."""
    server = ScriptedServer(answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
