"""Debian's docker-registry, a recording proxy in front of it, and a token server."""

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
    """Return the path of a program; without it the test is skipped, but fails in CI."""
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if path is None:
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
    """A docker-registry on loopback; its files survive a restart."""

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
    """Forwards requests to a registry, and records them and their sizes."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, registry):
        super().__init__(("127.0.0.1", 0), _ProxyHandler)
        self.registry = registry
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.requests = []
        self.lock = threading.Lock()
        self.rejection = ""
        # Whether a connection breaks: before the request arrives, or ("arrives") before the response.
        self.should_break = lambda method, path, number: False
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    def stop(self):
        self.shutdown()
        self.server_close()
        self.thread.join()

    def count_blob_bytes(self):
        """Return how many bytes of blobs were sent."""
        return sum(size for method, path, size in self.requests if "/blobs/" in path)

    def list_paths(self, method):
        return [path for requested, path, _ in self.requests if requested == method]

    def handle_error(self, request, client_address):
        """Ignore aborted connections."""


class _ProxyHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _handle(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        with self.server.lock:
            self.server.requests.append((self.command, self.path, len(body)))
            number = len(self.server.requests)
        breaks = self.server.should_break(self.command, self.path, number)
        if breaks == "arrives":
            self._send_upstream(body)
        if breaks:
            return self._break_off()
        if self.server.rejection and self.command not in ("GET", "HEAD"):
            return self._reject(self.server.rejection)
        try:
            return self._forward(body)
        except OSError:  # the registry is down, so the proxy closes the connection too
            return self._break_off()

    def _reject(self, message):
        content = json.dumps({"errors": [{"code": "DENIED", "message": message}]}).encode()
        self.send_response_only(400)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _break_off(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _send_upstream(self, body):
        upstream = http.client.HTTPConnection(self.server.registry.host, timeout=30)
        with contextlib.closing(upstream):
            upstream.request(self.command, self.path, body=body, headers=dict(self.headers))
            response = upstream.getresponse()
            return response, response.read()

    def _forward(self, body):
        response, content = self._send_upstream(body)
        self.send_response_only(response.status)
        for name, value in response.getheaders():
            if name.lower() not in ("transfer-encoding", "connection"):
                self.send_header(name, value)
        if not response.getheader("content-length"):
            self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def __getattr__(self, name):
        """Every method is passed on alike."""
        if name.startswith("do_"):
            return self._handle
        raise AttributeError(name)

    def log_message(self, *_):
        pass


class TokenServer(ThreadingHTTPServer):
    """A token server: gives tokens, signed by openssl, to the user with the password.

    Tokens are valid for `seconds`; `granted_scopes` lists every granted scope.
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
    def registry_config(self):
        """The part of the registry's configuration for this server."""
        return (
            f"  token:\n    realm: http://127.0.0.1:{self.server_address[1]}/token?from=test\n"
            f"    service: registry\n    issuer: tests\n    rootcertbundle: {self.cert}\n"
        )

    def stop(self):
        self.shutdown()
        self.server_close()
        self.thread.join()

    def make_token(self, scopes):
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
        is_valid = form["grant_type"] == ["refresh_token"]
        is_valid = is_valid and form["refresh_token"] == [self.server.refresh]
        self._send_token(is_valid, form["scope"][0].split())

    def _send_token(self, is_valid, scopes):
        body = {"errors": [{"code": "UNAUTHORIZED", "message": "no"}]}
        if is_valid:
            self.server.granted_scopes += scopes
            body = {"token": self.server.make_token(scopes), "expires_in": self.server.seconds}
        content = json.dumps(body).encode()
        self.send_response(200 if is_valid else 401)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def make_htpasswd(directory, user, password):
    """Return the part of a registry's configuration for a file of users."""
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
    """Return the root file system of an image, unpacked by skopeo and umoci."""
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
