"""A registry on loopback that keeps blobs in memory and deviates from the specification.

Each deviation is an attribute. Without any, the registry behaves as the specification says.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs


@dataclasses.dataclass
class Upload:
    content: bytes = b""
    chunks: list[int] = dataclasses.field(default_factory=list)


def report_all(upload):
    return f"0-{max(len(upload.content) - 1, 0)}"


def report_first_chunk(upload):
    return f"0-{max(sum(upload.chunks[:1]) - 1, 0)}"


def report_last_chunk(upload):
    return f"0-{max(sum(upload.chunks[-1:]) - 1, 0)}"


def report_nothing(upload):
    return None


class DeviatingRegistry(ThreadingHTTPServer):
    """Records each request as (method, path, bytes of the body)."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, **deviations):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.blobs, self.manifests, self.uploads = {}, {}, {}
        self.requests, self.headers = [], []
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        self.report_range = report_all
        self.chunk_status = 202  # of the answer to an accepted chunk
        self.chunk_refusal = None  # (number, status, message): refuses the chunks from a number on
        self.whole_refusal = None  # (status, message): refuses a blob in one request
        self.size_limit = None  # (bytes, methods, status, message): refuses larger requests
        self.keeps_chunks = True  # False: each chunk replaces the one before it
        self.state_status = 204  # of the answer to GET of an upload
        self.chunk_location = True  # False: no Location in the answer to a chunk
        self.upload_origin = ""  # scheme and host of uploads; relative where empty
        self.upload_query = ""  # must come back byte by byte
        self.upload_headers = {}  # of the answer to POST
        self.mount_status = 202
        self.sets_cookie = False  # a write with the cookie and without a CSRF token is 403
        self.lost_answers = 0  # so many chunks arrive without an answer
        self.server_errors = 0  # of blobs in one request; a part is kept where Range hides it
        self.broken_wholes = 0  # so many blobs in one request arrive partly
        self.lost_uploads = 0  # so many uploads are unknown after their first chunk
        vars(self).update(deviations)

    def handle_error(self, request, client_address):
        """Ignore aborted connections."""

    def list_sizes(self, method):
        """Return the sizes of the bodies of all requests with a method that carry content."""
        return [size for requested, _, size in self.requests if requested == method and size]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536

    def _handle(self):
        length = self.headers.get("content-length")
        body = self.rfile.read(int(length or 0))
        path, _, self.query = self.path.partition("?")
        with self.server.lock:
            self.server.requests.append((self.command, self.path, len(body)))
            self.server.headers.append(dict(self.headers))
            if self.headers.get("transfer-encoding"):
                self.close_connection = True
                return self._fail(411, "LENGTH_REQUIRED", "the length is required")
            if self.server.sets_cookie and self._has_rejected_cookie():
                return self._fail(403, "FORBIDDEN", "CSRF token not found in request")
            if limit := self._find_limit(len(body)):
                return self._fail(limit[2], "SIZE_INVALID", limit[3])
            match = re.fullmatch(r"/v2/(team/\w+)/(blobs|manifests|tags)/(.*)", path)
            name, kind, pointer = match.groups()
            if pointer.startswith("uploads/"):
                return self._handle_upload(name, pointer.removeprefix("uploads/"), body)
            return getattr(self, f"_handle_{kind}")(name, pointer, body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = _handle  # noqa: N815  # the names of the library

    def _has_rejected_cookie(self):
        return self.command not in ("GET", "HEAD") and "sid=" in self.headers.get("cookie", "")

    def _find_limit(self, size):
        limit = self.server.size_limit
        return limit if limit and self.command in limit[1] and size > limit[0] else None

    def _handle_tags(self, name, pointer, body):
        tags = sorted(tag for tag in self.server.manifests if not tag.startswith("sha256:"))
        self._send(200, {}, json.dumps({"name": name, "tags": tags or None}).encode())

    def _handle_manifests(self, name, pointer, body):
        if self.command == "PUT":
            value = (self.headers["content-type"], body)
            self.server.manifests[pointer] = self.server.manifests[_compute_digest(body)] = value
            return self._send(201, {"location": f"/v2/{name}/manifests/{pointer}"})
        if pointer not in self.server.manifests:
            return self._fail(404, "MANIFEST_UNKNOWN", "there is no such manifest")
        media_type, content = self.server.manifests[pointer]
        return self._send(200, {"content-type": media_type}, content)

    def _handle_blobs(self, name, digest, body):
        if digest not in self.server.blobs:
            return self._fail(404, "BLOB_UNKNOWN", "there is no such blob")
        return self._send(200, {}, self.server.blobs[digest])

    def _handle_upload(self, name, number, body):
        server = self.server
        if self.command == "POST":
            return self._start_upload(name)
        upload = server.uploads.get(number)
        if upload is None:
            return self._fail(404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload")
        if not self.query.startswith(server.upload_query):
            return self._fail(400, "STATE_INVALID", f"the query is {self.query}")
        if self.command == "GET":
            if server.state_status >= 400:
                return self._fail(server.state_status, "UNSUPPORTED", "it is unsupported")
            return self._send(server.state_status, self._describe(name, number))
        if self.command == "PATCH":
            return self._store_chunk(name, number, upload, body)
        return self._complete(name, number, upload, body)

    def _start_upload(self, name):
        if "mount=" in self.query and self.server.mount_status != 202:
            status = self.server.mount_status
            if status >= 400:
                return self._fail(status, "DENIED", "the other repository is not yours")
            digest = parse_qs(self.query)["mount"][0]
            self.server.blobs[digest] = b"mounted"
            return self._send(status, {"location": f"/v2/{name}/blobs/{digest}"})
        number = str(next(self.server.numbers))
        self.server.uploads[number] = Upload()
        return self._send(202, {**self._describe(name, number), **self.server.upload_headers})

    def _store_chunk(self, name, number, upload, body):
        server = self.server
        start = int(self.headers["content-range"].partition("-")[0])
        first, status, message = server.chunk_refusal or (10_000, 0, "")
        if len(upload.chunks) + 1 >= first:
            return self._fail(status, "UNSUPPORTED", message)
        if server.lost_uploads and upload.chunks:
            server.lost_uploads -= 1
            del server.uploads[number]
            return self._fail(404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload")
        if start != sum(upload.chunks):
            return self._fail(416, "BLOB_UPLOAD_INVALID", f"the chunk begins at {start}")
        upload.content = upload.content + body if server.keeps_chunks else body
        upload.chunks.append(len(body))
        if server.lost_answers and len(upload.chunks) > 1:
            server.lost_answers -= 1
            self.close_connection = True
            return None
        headers = self._describe(name, number)
        if not server.chunk_location:
            del headers["location"]
        return self._send(server.chunk_status, headers)

    def _complete(self, name, number, upload, body):
        if body and self.server.whole_refusal:
            return self._fail(self.server.whole_refusal[0], "X", self.server.whole_refusal[1])
        if body and self.server.server_errors:
            self.server.server_errors -= 1
            upload.content += b"" if self.server.report_range is report_all else body[:100]
            return self._fail(500, "UNKNOWN", "try again")
        if body and self.server.broken_wholes:
            self.server.broken_wholes -= 1
            upload.content += body[:100]
            self.close_connection = True
            return None
        upload.content += body
        digest = _compute_digest(upload.content)
        if parse_qs(self.query).get("digest") != [digest]:
            return self._fail(400, "DIGEST_INVALID", f"the digest is {digest}")
        self.server.blobs[digest] = upload.content
        del self.server.uploads[number]
        return self._send(201, {"location": f"/v2/{name}/blobs/{digest}"})

    def _describe(self, name, number):
        query = f"?{self.server.upload_query}" if self.server.upload_query else ""
        address = f"{self.server.upload_origin}/v2/{name}/blobs/uploads/{number}{query}"
        reported = self.server.report_range(self.server.uploads[number])
        return {"location": address, **({"range": reported} if reported else {})}

    def _fail(self, status, code, message):
        content = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self._send(status, {"content-type": "application/json"}, content)

    def _send(self, status, headers, content=b""):
        self.send_response_only(status)
        if self.server.sets_cookie:
            self.send_header("set-cookie", "sid=abc123; Path=/; HttpOnly")
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_):
        pass


def _compute_digest(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@contextlib.contextmanager
def serve_registry(**deviations):
    """Run a registry in a thread."""
    server = DeviatingRegistry(**deviations)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
