"""A package index on loopback that wants a user and a password, and packages to put there."""

import base64
import contextlib
import hashlib
import io
import re
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USER, PASSWORD = "user-of-the-index", "s3cr3t-of-the-index"
SETUP = "from setuptools import setup\nsetup(name={name!r}, version={version!r}, {more})\n"
C_SOURCE = """\
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "compiledcee", NULL, -1, NULL};
PyMODINIT_FUNC PyInit_compiledcee(void) { return PyModule_Create(&module); }
"""


def wheel(folder, name, version, tag="py3-none-any", requires=(), python=""):
    """Write a wheel with one module, which may require a version of Python."""
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    lines += [f"Requires-Python: {python}"] if python else []
    files = {
        f"{module}/__init__.py": f'version = "{version}"\n',
        f"{info}/METADATA": "\n".join([*lines, *(f"Requires-Dist: {item}" for item in requires)]),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(folder / f"{module}-{version}-{tag}.whl", "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)


def sdist(folder, name, version, files=None):
    """Write a source archive of one module, or of a C extension."""
    more = f"py_modules=[{name!r}]"
    files = files or {f"{name}.py": f'version = "{version}"\n'}
    if any(path.endswith(".c") for path in files):
        more = f"ext_modules=[Extension({name!r}, {list(files)!r})]"
    setup = SETUP.format(name=name, version=version, more=more)
    setup = setup.replace("import setup", "import Extension, setup", 1)
    # From 2.2 on it is believed without a build.
    about = f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n"
    with tarfile.open(folder / f"{name}-{version}.tar.gz", "w:gz") as archive:
        for path, text in {**files, "setup.py": setup, "PKG-INFO": about}.items():
            entry = tarfile.TarInfo(f"{name}-{version}/{path}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        given = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {given}":
            self.answer(401, b"", ("WWW-Authenticate", "Basic"))
        elif self.path.startswith("/files/"):
            path = self.server.folder / self.path.removeprefix("/files/")
            self.answer(200, path.read_bytes(), ("Cache-Control", "max-age=3600"))
        else:
            self.page(self.path.strip("/").rpartition("/")[2])

    def do_HEAD(self):
        self.do_GET()

    def page(self, name):
        files = [
            path
            for path in self.server.folder.iterdir()
            if re.split(r"-\d", path.name)[0].replace("_", "-") == name
        ]
        links = (
            f'<a href="/files/{path.name}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}">'
            f"{path.name}</a>"
            for path in files
        )
        self.answer(200 if files else 404, "".join(links).encode(), ("Content-Type", "text/html"))

    def answer(self, status, content, *headers):
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(content)))):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serve_index(folder):
    """Serve the files of a folder; gives ``host:port``."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.folder = folder
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
