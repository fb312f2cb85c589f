"""Debian's docker-registry, a proxy in front of it, and its token server; readers of images."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest


def find_program(name):
    """Return the path of a program; skip without it, and fail in CI."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if found is None:
        message = f"{name} is not installed"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


def find_free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Registry:
    """A docker-registry on the loopback; its files outlive a restart."""

    def __init__(self, directory, auth="", root=None):
        self.port = find_free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.root = root or directory / "store"
        self.config = directory / "registry.yml"
        self.log = directory / "registry.log"
        self.config.write_text(
            "version: 0.1\n"
            f"storage:\n  filesystem: {{rootdirectory: {self.root}}}\n  delete: {{enabled: true}}\n"
            f"http:\n  addr: {self.host}\n  secret: not-a-secret\n"
            + (f"auth:\n{auth}" if auth else "")
        )
        self.process = None

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [find_program("docker-registry"), "serve", str(self.config)], stdout=log, stderr=log
            )
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)
        raise AssertionError(self.log.read_text())

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def list_blobs(self):
        return {path.parent.name for path in self.root.glob("docker/registry/v2/blobs/*/*/*/data")}


class Proxy(ThreadingHTTPServer):
    """Forwards every request to a registry, and records it.

    :param registry: the registry.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, registry):
        super().__init__(("127.0.0.1", 0), _ProxyHandler)
        self.registry = registry
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.requests = []
        self.lock = threading.Lock()
        self.rejection = ""
        # True cuts the connection before the registry receives the request, "arrives" afterwards.
        self.should_disconnect = lambda method, path, number: False
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    def stop(self):
        self.shutdown()
        self.server_close()
        self.thread.join()

    def count_blob_bytes(self):
        """Return the bytes of blobs that clients sent."""
        return sum(size for method, path, size in self.requests if "/blobs/" in path)

    def list_paths(self, method):
        return [path for each, path, _ in self.requests if each == method]

    def handle_error(self, request, client_address):
        """Ignore clients that disconnect."""


class _ProxyHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _forward(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        with self.server.lock:
            self.server.requests.append((self.command, self.path, len(body)))
            number = len(self.server.requests)
        disconnect = self.server.should_disconnect(self.command, self.path, number)
        if disconnect == "arrives":
            self._request_registry(body)
        if disconnect:
            return self._disconnect()
        if self.server.rejection and self.command not in ("GET", "HEAD"):
            return self._reject(self.server.rejection)
        try:
            return self._respond(body)
        except OSError:  # the registry is not running
            return self._disconnect()

    def _reject(self, words):
        content = json.dumps({"errors": [{"code": "DENIED", "message": words}]}).encode()
        self.send_response_only(400)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _disconnect(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _request_registry(self, body):
        connection = http.client.HTTPConnection(self.server.registry.host, timeout=30)
        with contextlib.closing(connection):
            connection.request(self.command, self.path, body=body, headers=dict(self.headers))
            response = connection.getresponse()
            return response, response.read()

    def _respond(self, body):
        response, content = self._request_registry(body)
        self.send_response_only(response.status)
        for name, value in response.getheaders():
            if name.lower() not in ("transfer-encoding", "connection"):
                self.send_header(name, value)
        if not response.getheader("content-length"):
            self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def __getattr__(self, name):
        """Forward every method."""
        if name.startswith("do_"):
            return self._forward
        raise AttributeError(name)

    def log_message(self, *_):
        pass


class TokenServer(ThreadingHTTPServer):
    """A token server for a registry; openssl signs the tokens.

    :param directory: where the key is written.
    :param user: the user that gets tokens.
    :param password: the user's password.
    :param seconds: how long a token is valid.
    """

    daemon_threads = True

    def __init__(self, directory, user, password, seconds=60):
        super().__init__(("127.0.0.1", 0), _TokenHandler)
        self.key, self.cert = directory / "key.pem", directory / "cert.pem"
        openssl = find_program("openssl")
        subprocess.run(
            [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=tokens"]
            + ["-days", "2", "-keyout", self.key, "-out", self.cert],
            check=True,
            capture_output=True,
        )
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.basic, self.refresh, self.seconds = f"Basic {pair}", "refresh-4711", seconds
        self.granted_scopes = []
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    @property
    def auth(self):
        """Return the `auth` part of the registry's configuration."""
        return (
            f"  token:\n    realm: http://127.0.0.1:{self.server_address[1]}/token?from=test\n"
            f"    service: registry\n    issuer: tests\n    rootcertbundle: {self.cert}\n"
        )

    def stop(self):
        self.shutdown()
        self.server_close()
        self.thread.join()

    def create_token(self, scopes):
        der = subprocess.run(
            [find_program("openssl"), "x509", "-in", self.cert, "-outform", "DER"],
            check=True,
            capture_output=True,
        ).stdout
        now = int(time.time())
        access = []
        for scope in scopes:
            resource_type, name, actions = scope.split(":")
            access.append({"type": resource_type, "name": name, "actions": actions.split(",")})
        header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        claims = {"iss": "tests", "sub": "user", "aud": "registry", "jti": str(now)}
        claims |= {"nbf": now - 5, "iat": now, "exp": now + self.seconds, "access": access}
        text = b".".join(_encode_base64url(json.dumps(part).encode()) for part in (header, claims))
        done = subprocess.run(
            [find_program("openssl"), "dgst", "-sha256", "-sign", self.key],
            input=text,
            check=True,
            capture_output=True,
        )
        return (text + b"." + _encode_base64url(done.stdout)).decode()


def _encode_base64url(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=")


class _TokenHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        query = parse_qs(urlsplit(self.path).query)
        assert query["from"] == ["test"] and query["service"] == ["registry"]
        self._send_token(self.headers.get("authorization") == self.server.basic, query["scope"])

    def do_POST(self):
        size = int(self.headers["content-length"])
        form = parse_qs(self.rfile.read(size).decode())
        good = form["grant_type"] == ["refresh_token"]
        good = good and form["refresh_token"] == [self.server.refresh]
        self._send_token(good, form["scope"][0].split())

    def _send_token(self, good, scopes):
        body = {"errors": [{"code": "UNAUTHORIZED", "message": "no"}]}
        if good:
            self.server.granted_scopes += scopes
            body = {"token": self.server.create_token(scopes), "expires_in": self.server.seconds}
        content = json.dumps(body).encode()
        self.send_response(200 if good else 401)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def configure_htpasswd(directory, user, password):
    """Write a file of users; return the part of the registry's configuration that names it."""
    file = directory / "htpasswd"
    done = subprocess.run(
        [find_program("htpasswd"), "-Bbn", user, password], check=True, capture_output=True
    )
    file.write_bytes(done.stdout)
    return f"  htpasswd:\n    realm: tests\n    path: {file}\n"


def run_skopeo(*arguments):
    """Run skopeo and return its output."""
    done = subprocess.run(
        [find_program("skopeo"), *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def unpack_image(reference, directory):
    """Unpack an image with skopeo and umoci; return its root file system."""
    layout = Path(directory) / "layout"
    run_skopeo("copy", "--src-tls-verify=false", f"docker://{reference}", f"oci:{layout}:app")
    subprocess.run(
        [
            find_program("umoci"),
            "unpack",
            "--image",
            f"{layout}:app",
            str(Path(directory) / "bundle"),
        ],
        check=True,
        capture_output=True,
    )
    return Path(directory) / "bundle" / "rootfs"
