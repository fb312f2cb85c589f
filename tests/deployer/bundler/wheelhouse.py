"""Hand-made wheels, valid and malicious, and a local package index that can fail."""

from __future__ import annotations

import contextlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo


def write_wheel(
    house, name, files, *, record=None, without=(), metadata="", link=None, executables=()
):
    """A wheel of these texts, or files on disk; ``record`` replaces its RECORD, ``link`` is a name and its target."""
    info = f"{name.replace('-', '_')}-1.dist-info"
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n{metadata}"
    texts = {
        **files,
        f"{info}/METADATA": head,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = record if record is not None else [f"{file},," for file in texts]
    texts[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""])
    house.mkdir(exist_ok=True)
    path = house / f"{name.replace('-', '_')}-1-py3-none-any.whl"
    with ZipFile(path, "w", ZIP_DEFLATED, compresslevel=1) as wheel:
        for file, text in texts.items():
            if isinstance(text, Path):  # too large to be held
                wheel.write(text, file)
            elif file.rpartition("/")[2] not in without:
                entry = ZipInfo(file)
                entry.create_system, entry.compress_type = 3, ZIP_DEFLATED
                entry.external_attr = (0o100755 if file in executables else 0o100644) << 16
                wheel.writestr(entry, text.encode("utf-8", "surrogateescape"))
        if link:
            entry = ZipInfo(link[0])
            entry.create_system, entry.external_attr = 3, 0o120777 << 16
            wheel.writestr(entry, str(link[1]))
    return path


class Index(BaseHTTPRequestHandler):
    """A simple index of one wheel; ``server.fault`` tells how it fails."""

    def do_GET(self):
        server = self.server
        server.asked.append(self.path)
        if not self.path.endswith(".whl"):
            digest = server.promised
            page = f'<a href="/{server.wheel.name}#sha256={digest}">{server.wheel.name}</a>'
            found = f"/{server.package}/" in self.path
            return self._answer(200 if found else 404, page.encode(), "text/html")
        content = server.wheel.read_bytes()
        if server.fault == "errors" and sum(".whl" in path for path in server.asked) < 3:
            return self._answer(500, b"no", "text/plain")
        if server.fault == "always 500":
            return self._answer(500, b"no", "text/plain")
        if server.fault == "hang":
            server.closing.wait(30)
            return None
        if server.fault == "cut":
            return self._answer(200, content[: len(content) // 2], "x/x", len(content))
        return self._answer(200, content, "application/octet-stream")

    def do_HEAD(self):
        self.send_response(405)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _answer(self, code, content, kind, length=None):
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length or len(content)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(content)
        self.close_connection = True

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serve_index(wheel, package):
    """Serve ``wheel``; give the server, with its address in ``url``."""
    import hashlib

    server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    server.wheel, server.package, server.fault, server.asked = wheel, package, "", []
    server.promised = hashlib.sha256(wheel.read_bytes()).hexdigest()
    server.url = f"http://127.0.0.1:{server.server_port}/simple"
    server.closing = threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        time.sleep(0.05)
        server.server_close()
