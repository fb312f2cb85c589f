"""Acme: a platform of its own, over HTTP on loopback.

    GET    /user                                    -> {"name"}
    GET    /apps?name=NAME                          -> {"apps": [APP, ...]}
    POST   /apps {"name"}                           -> APP, a new one for each request
    DELETE /apps/ID                                 -> {}
    GET    /apps/ID/deployments                     -> {"deployments": [DEPLOYMENT, ...]}
    PUT    /apps/ID/deployments/ID {path: sha256}   -> {"missing": [sha256, ...]}
    GET    /blobs                                   -> {"digests": [sha256, ...]}
    PUT    /blobs/SHA256  bytes                     -> {}
    PUT    /apps/ID/STAGE {"deployment", ...}       -> RELEASE; with "percent" a share of traffic
    GET    /apps/ID/STAGE                           -> RELEASE
    GET    /apps/ID/env/STAGE                       -> {"names": [...]}
    PUT    /apps/ID/env/STAGE {name: value or null} -> {}; null removes, other names stay
    GET    /apps/ID/logs                            -> {"lines": [...]}

APP is {"id", "name", "previous"}. RELEASE is {"state", "error", "deployment": DEPLOYMENT}, and goes
from "building" to "ready" or "failed". Releasing lays the files out, runs `python index.py`, and
is ready once that serves; then the one before is stopped. State survives a restart.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from acme_machines import Process, end, lay_out, start
from acme_store import App, Refused, Release, Store

_LOOKS = 1  # how often a release is still building, where no process is started


class Acme(ThreadingHTTPServer):
    """The platform.

    :param processes: whether releases run; without, they are ready when looked at twice.
    """

    daemon_threads = True
    request_queue_size = (
        128  # uploads connect all at once; one that is dropped comes after a second
    )

    def __init__(self, store: Path, token: str, port: int = 0, *, processes: bool = True) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.store, self.token, self.processes = store, token, processes
        self.kept = Store(store, survives=processes)
        self.running: dict[tuple[str, str], Process] = {}
        self.requests: list[str] = []
        self.broken_uploads = 0  # how many blobs to refuse with 503, for trying retries
        self.refusing = self.failing = ""  # words
        self.hanging = False
        self._builds: list[threading.Thread] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def release(self, app: App, stage: str, id: str, fingerprint: str = "") -> Release:
        """Put a deployment before users; asked for twice it is still one release."""
        files = self.kept.files(app, id)
        env, last, seen = app.env.get(stage, {}), app.asked.get(stage), app.seen(stage)
        for same in (last, seen):
            if same and (same.deployment, same.env) == (id, env) and same.state != "failed":
                app.asked[stage], same.fingerprint = same, fingerprint or same.fingerprint
                return same
        made = Release(deployment=id, env=dict(env), fingerprint=fingerprint)
        app.asked[stage] = made
        if self.processes:
            build = threading.Thread(target=self._run, args=(app, stage, made, files))
            self._builds.append(build)
            build.start()
        return made

    def look(self, app: App, stage: str) -> Release:
        release = app.asked.get(stage)
        if release is None:
            raise Refused(404, f"nothing was released to {stage}")
        release.looks += 1
        if not self.processes and release.state == "building" and release.looks > _LOOKS:
            self._done(app, stage, release, f"{self.url}/live/{app.name}/{stage}")
        return release

    def start(self) -> None:
        """Serve in a thread, until `stop`."""
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self) -> None:
        for build in self._builds:
            build.join()
        for process in self.running.values():
            end(process)
        closing = threading.Thread(target=self.shutdown)
        closing.start()
        with contextlib.suppress(OSError):  # it looks up when somebody comes, else twice a second
            socket.create_connection(("127.0.0.1", self.server_port)).close()
        closing.join()
        self.server_close()

    def _run(self, app: App, stage: str, release: Release, files: Mapping[str, Path]) -> None:
        directory = self.store / "live" / app.name / release.deployment
        try:
            lay_out(files, directory)
            process, port = start(directory, release.env, directory.with_suffix(".log"))
        except Refused as refused:
            release.state, release.error = "failed", str(refused)
            return
        with self.kept.lock:
            if app.asked.get(stage) is not release:  # another was asked for meanwhile
                end(process)
                return
            before = self.running.pop((app.name, stage), None)
            self.running[app.name, stage] = process
            self._done(app, stage, release, f"http://127.0.0.1:{port}")
        if before is not None:
            end(before)

    def _done(self, app: App, stage: str, release: Release, url: str) -> None:
        if self.failing:
            release.state, release.error = "failed", self.failing
        elif not self.hanging and app.asked.get(stage) is release:
            release.state, release.url = "ready", url
            app.live.setdefault(stage, []).append(release)
            if stage == "production":
                app.canary.clear()
            self.kept.save()


class _Handler(BaseHTTPRequestHandler):
    server: Acme
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one answer, one packet

    def _get(self, path: list[str], query: Mapping[str, list[str]]) -> dict[str, Any]:
        kept = self.server.kept
        match path:
            case ["user"]:
                return {"name": "tester"}
            case ["blobs"]:
                return {"digests": kept.digests()}
            case ["apps"]:
                wanted = query.get("name", [""])[0]
                found = [app for app in kept.apps.values() if app.name == wanted]
                return {"apps": [app.answer() for app in found]}
            case ["apps", id, "deployments"]:
                return {"deployments": _listed(kept.app(id))}
            case ["apps", id, "env", stage]:
                return {"names": sorted(kept.app(id).env.get(stage, {}))}
            case ["apps", id, "logs"]:
                return {"lines": kept.app(id).said}
            case ["apps", id, ("production" | "preview") as stage]:
                return _told(kept.app(id), stage, self.server.look(kept.app(id), stage))
        raise Refused(404, f"there is nothing at {self.path}")

    def _put(self, path: list[str], told: dict[str, Any]) -> dict[str, Any]:
        kept = self.server.kept
        match path:
            case ["apps"]:
                return kept.create(told["name"]).answer()
            case ["apps", id, "deployments", deployment]:
                kept.announce(kept.app(id), deployment, told)
                return {"missing": kept.missing(told.values())}
            case ["apps", id, "env", stage]:
                values = {**kept.app(id).env.get(stage, {}), **told}
                kept.app(id).env[stage] = {k: v for k, v in values.items() if v is not None}
            case ["apps", id, "production"] if 0 <= told.get("percent", 100) < 100:
                app, share = kept.app(id), {told["deployment"]: told["percent"]}
                kept.files(app, told["deployment"])
                app.canary = share if told["percent"] else {}
                return {"deployment": _shown(app, told["deployment"], "production")}
            case ["apps", id, ("production" | "preview") as stage]:
                app = kept.app(id)
                words = (told["deployment"], told.get("fingerprint", ""))
                return _told(app, stage, self.server.release(app, stage, *words))
            case _:
                raise Refused(404, f"there is nothing at {self.path}")
        return {}

    def _handled(self, body: bytes) -> dict[str, Any]:
        if self.headers.get("authorization") != f"Bearer {self.server.token}":
            raise Refused(401, "the token is not known here")
        address = urlsplit(self.path)
        path, kept = address.path.strip("/").split("/"), self.server.kept
        if self.command == "GET":
            return self._get(path, parse_qs(address.query))
        if self.server.refusing:
            raise Refused(422, self.server.refusing)
        if path[0] == "blobs":
            return self._blob(path[1], body)
        with kept.lock:
            if self.command == "DELETE":
                kept.apps.pop(kept.app(path[1]).id)
                answer: dict[str, Any] = {}
            else:
                answer = self._put(path, json.loads(body))
            kept.save()
        return answer

    def _blob(self, digest: str, content: bytes) -> dict[str, Any]:
        if self.server.broken_uploads:
            self.server.broken_uploads -= 1
            raise Refused(503, "try again")
        self.server.kept.receive(digest, content)
        return {}

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.requests.append(f"{self.command} {self.path}")
        status, result = 200, {}
        try:
            result = self._handled(body)
        except Refused as refused:
            status, result = refused.status, {"error": {"message": str(refused)}}
        content = json.dumps(result).encode()
        self.send_response_only(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815  # the library's names

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing; the tests read `requests`."""


def _shown(app: App, name: str, stage: str = "") -> dict[str, Any]:
    """A deployment, as its stage has it."""
    told = app.deployments[name]
    stage = stage or "preview"
    past = [release for release in app.live.get(stage, []) if release.deployment == name]
    seen = app.seen(stage)
    return {
        "id": name,
        "url": past[-1].url if past else "",
        "environment": stage,
        "created": told["created"],
        "live": seen is not None and seen.deployment == name,
        "percent": app.canary.get(name),
        "fingerprint": past[-1].fingerprint if past else "",
        "state": "ready" if past else "building",
    }


def _listed(app: App) -> list[dict[str, Any]]:
    """Every deployment, the newest first, in the stage where users see it, or saw it."""
    found = []
    for name in reversed(app.deployments):
        stages = [stage for stage, past in app.live.items() if name in {x.deployment for x in past}]
        live = [stage for stage in stages if (seen := app.seen(stage)) and seen.deployment == name]
        found.append(_shown(app, name, ([*sorted(live)[::-1], *stages] or [""])[0]))
    return found


def _told(app: App, stage: str, release: Release) -> dict[str, Any]:
    shown = {**_shown(app, release.deployment, stage), "state": release.state}
    return {"state": release.state, "error": release.error, "deployment": shown}


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
