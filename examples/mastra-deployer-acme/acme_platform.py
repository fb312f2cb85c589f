"""Acme: a platform of its own, over HTTP on loopback.

    PUT  /apps/APP/deployments/ID   {path: sha256, ...}  ->  {"missing": [sha256, ...]}
    PUT  /blobs/SHA256              bytes                ->  {}
    PUT  /apps/APP/env              {name: value}        ->  {}
    PUT  /apps/APP/production       {"deployment": ID}   ->  {"url": ...}; preview likewise

Activating lays the files out, runs `python index.py`, and answers once it serves; then the one
before is stopped. State survives a restart in the store's directory.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_SERVING = re.compile(rb"Serving .* on http://[^:]+:(\d+)")


class Acme(ThreadingHTTPServer):
    """The platform: blobs, announcements and running apps."""

    daemon_threads = True

    def __init__(self, store: Path, token: str, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.store = store
        self.token = token
        self.environments: dict[str, dict[str, str]] = {}
        self.running: dict[tuple[str, str], subprocess.Popen[bytes]] = {}
        self.requests: list[str] = []
        self.broken_uploads = 0  # how many blobs to refuse with 503, for trying retries
        self.lock = threading.Lock()
        (store / "blobs").mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def missing(self, digests: list[str]) -> list[str]:
        return [digest for digest in digests if not (self.store / "blobs" / digest).exists()]

    def announce(self, app: str, deployment: str, paths: dict[str, str]) -> dict[str, Any]:
        folder = self.store / "apps" / app
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{deployment}.json").write_text(json.dumps(paths))
        return {"missing": self.missing(sorted(set(paths.values())))}

    def receive(self, digest: str, content: bytes) -> dict[str, Any]:
        if hashlib.sha256(content).hexdigest() != digest:
            raise _Refused(400, f"the content of {digest} has another digest")
        draft = self.store / "blobs" / f"{digest}.{threading.get_ident()}"
        draft.write_bytes(content)
        draft.replace(self.store / "blobs" / digest)
        return {}

    def activate(self, app: str, stage: str, deployment: str) -> dict[str, Any]:
        announcement = self.store / "apps" / app / f"{deployment}.json"
        if not announcement.exists():
            raise _Refused(404, f"there is no deployment {deployment}")
        paths = json.loads(announcement.read_text())
        if missing := self.missing(list(paths.values())):
            raise _Refused(409, f"{len(missing)} files are missing")
        directory = self._laid_out(app, deployment, paths)
        process, port = self._started(directory, self.environments.get(app, {}))
        with self.lock:
            before = self.running.pop((app, stage), None)
            self.running[app, stage] = process
        if before is not None:
            _end(before)
        return {"url": f"http://127.0.0.1:{port}"}

    def stop(self) -> None:
        for process in self.running.values():
            _end(process)
        self.shutdown()
        self.server_close()

    def _laid_out(self, app: str, deployment: str, paths: dict[str, str]) -> Path:
        directory = self.store / "live" / app / deployment
        shutil.rmtree(directory, ignore_errors=True)
        for name, digest in paths.items():
            target = (directory / name).resolve()
            if not target.is_relative_to(directory.resolve()):
                raise _Refused(400, f"{name} lies outside the deployment")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.store / "blobs" / digest, target)
        return directory

    @staticmethod
    def _started(directory: Path, env: dict[str, str]) -> tuple[subprocess.Popen[bytes], int]:
        base = {"PATH": os.environ["PATH"], "PORT": "0", "HOST": "127.0.0.1"}
        process = subprocess.Popen(
            [sys.executable, str(directory / "index.py")],
            env={**base, **env},
            cwd=directory,
            stderr=(log := (directory.parent / f"{directory.name}.log").open("wb")),
        )
        log.close()
        heard = b""
        while process.poll() is None:
            heard = Path(log.name).read_bytes()
            if found := _SERVING.search(heard):
                return process, int(found[1])
            time.sleep(0.05)
        raise _Refused(422, f"the app did not start: {heard.decode()[-500:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(20)


class _Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: Acme
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        self._answer(self._put)

    def _put(self, body: bytes) -> dict[str, Any]:
        match self.path.strip("/").split("/"):
            case ["blobs", digest]:
                if self.server.broken_uploads:
                    self.server.broken_uploads -= 1
                    raise _Refused(503, "try again")
                return self.server.receive(digest, body)
            case ["apps", app, "deployments", deployment]:
                return self.server.announce(app, deployment, json.loads(body))
            case ["apps", app, "env"]:
                self.server.environments[app] = json.loads(body)
                return {}
            case ["apps", app, ("production" | "preview") as stage]:
                return self.server.activate(app, stage, json.loads(body)["deployment"])
        raise _Refused(404, f"there is nothing at {self.path}")

    def _answer(self, handle: Any) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.requests.append(f"{self.command} {self.path}")
        status, result = 200, {}
        try:
            self._authorise()
            result = handle(body)
        except _Refused as refused:
            status, result = refused.status, {"error": {"message": str(refused)}}
        content = json.dumps(result).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _authorise(self) -> None:
        if self.headers.get("authorization") != f"Bearer {self.server.token}":
            raise _Refused(401, "the token is not known here")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing; the tests read `requests`."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8990)
    parser.add_argument("--token", required=True)
    parser.add_argument("--store", type=Path, required=True)
    options = parser.parse_args()
    acme = Acme(options.store, options.token, options.port)
    print(f"Acme on {acme.url}", flush=True)
    try:
        acme.serve_forever()
    except KeyboardInterrupt:
        acme.stop()


if __name__ == "__main__":
    main()
