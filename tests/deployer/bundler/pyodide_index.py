"""A package index on loopback, for example with the packages of npm ``pyodide``'s lock file."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}"
REFUSED = "refused"  # a project that the index answers with 400


def read_lock(file):
    """Return the packages that ``pyodide-lock.json`` lists."""
    packages = json.loads(file.read_text())["packages"].values()
    return [item for item in packages if item["file_name"].endswith(".whl")]


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.paths.append(self.path)
        name = self.path.strip("/").rpartition("/")[2]
        if items := [item for item in self.server.packages if item["name"] == name]:
            self.answer(200, "\n".join(map(format_link, items)), "text/html")
        elif name in self.server.metadata:
            self.answer(200, self.server.metadata[name], "text/plain")
        else:
            self.answer(400 if name == REFUSED else 404, "", "text/plain")

    def do_HEAD(self):
        self.do_GET()

    def answer(self, status, text, kind):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


def format_link(item):
    """Return the link to a wheel, as in the simple repository API."""
    file, digest = item["file_name"], item["sha256"]
    return f'<a href="../../{file}#sha256={digest}" data-core-metadata="true">{file}</a>'


def format_metadata(item):
    """Return the metadata of a wheel with the requirements that its entry lists."""
    requires = "".join(f"Requires-Dist: {name}\n" for name in item["depends"])
    return METADATA.format(name=item["name"], version=item["version"], requires=requires)


@contextlib.contextmanager
def serve_packages(packages):
    """Serve packages with their metadata but without their wheels; give the URL and the paths."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.packages, server.paths = packages, []
    server.metadata = {f"{item['file_name']}.metadata": format_metadata(item) for item in packages}
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple", server.paths
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
