"""A platform for the tests: small, made up, and real HTTP on loopback.

    GET    /user                             -> {"name"}
    GET    /apps/APP                         -> {"name", "previous": ID or ""}
    PUT    /apps/APP                         -> the same; made where it is not there
    DELETE /apps/APP                         -> {"name"}
    GET    /apps/APP/deployments             -> {"deployments": [DEPLOYMENT, ...]}, newest first
    PUT    /apps/APP/deployments/ID {"files": {path: sha256}, ...} -> {"missing": [sha256, ...]}
    PUT    /blobs/SHA256  bytes              -> {}
    GET    /apps/APP/env/STAGE               -> {"names": [...]}
    PUT    /apps/APP/env/STAGE {name: value or null} -> {}; null removes, other names stay
    PUT    /apps/APP/stages/STAGE {"deployment": ID, "fingerprint"} -> RELEASE
    GET    /apps/APP/stages/STAGE            -> RELEASE

RELEASE is {"state", "error", "deployment": DEPLOYMENT}; its state goes from "building" to "ready"
or "failed". A release has the variables that were set when it was asked for.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mastra_core.pipeline import Stage
from mastra_deployer.testing import Live

_LOOKS = 2  # how often a release is looked at until it is ready


class RefusedError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


@dataclasses.dataclass(kw_only=True)
class Release:
    deployment: str
    env: dict[str, str]
    fingerprint: str = ""
    state: str = "building"
    error: str = ""
    looks: int = 0


@dataclasses.dataclass(kw_only=True)
class App:
    """An app: `asked` is the latest release of a stage, `seen` all that users have seen."""

    deployments: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    env: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    asked: dict[str, Release] = dataclasses.field(default_factory=dict)
    seen: dict[str, list[Release]] = dataclasses.field(default_factory=dict)

    def live(self, stage: str) -> Release | None:
        return self.seen[stage][-1] if self.seen.get(stage) else None

    def previous(self) -> str:
        live = self.live("production")
        ids = [release.deployment for release in self.seen.get("production", ())]
        return next((id for id in ids[::-1] if live and id != live.deployment), "")

    def shown(self, id: str, stage: str) -> dict[str, Any]:
        live = self.live(stage)
        past = [release for seen in self.seen.values() for release in seen]
        marks = [release.fingerprint for release in past if release.deployment == id]
        return {
            **self.deployments[id],
            "fingerprint": marks[-1] if marks else "",
            "id": id,
            "stage": stage,
            "live": live is not None and live.deployment == id,
        }


class FakePlatform(ThreadingHTTPServer):
    """What `mastra_deployer.testing.FakePlatform` asks for, and a server behind it."""

    daemon_threads = True
    request_queue_size = 128  # uploads come many at once
    token = "let-me-in-4711"  # noqa: S105

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.reset()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def settings(self) -> Mapping[str, Any]:
        return {"app": "shop"}

    def live(self, environment: Stage) -> Live | None:
        for app in self.apps.values():
            if release := app.live(environment):
                files = app.deployments[release.deployment]["files"]
                contents = {path: self.blobs[digest] for path, digest in files.items()}
                return Live(id=release.deployment, files=contents, env=release.env)
        return None

    def things(self) -> list[str]:
        made = [f"{name}/{id}" for name, app in self.apps.items() for id in app.deployments]
        return [*self.apps, *made]

    def reset(self) -> None:
        self.apps: dict[str, App] = {}
        self.blobs: dict[str, bytes] = {}
        self.heal()

    def heal(self) -> None:
        self.refusing = self.failing = ""
        self.hanging = False

    def refuse(self, words: str) -> None:
        self.refusing = words

    def fail(self, words: str) -> None:
        self.failing = words

    def hang(self) -> None:
        self.hanging = True

    def traffic(self) -> Mapping[str, int]:
        live = self.live("production")
        return {live.id: 100} if live else {}

    def say(self, text: str) -> None:
        """It keeps no log."""

    def app(self, name: str) -> App:
        if name not in self.apps:
            raise RefusedError(404, f"there is no app {name}")
        return self.apps[name]

    def announce(self, app: App, id: str, told: dict[str, Any]) -> dict[str, Any]:
        created = dt.datetime.now(dt.UTC).isoformat()
        kept = {"created": created, "url": f"{self.url}/{id}", "state": "ready"}
        app.deployments[id] = {**kept, **app.deployments.get(id, {}), **told}
        return {"missing": sorted(set(told["files"].values()) - set(self.blobs))}

    def receive(self, digest: str, content: bytes) -> dict[str, Any]:
        if hashlib.sha256(content).hexdigest() != digest:
            raise RefusedError(400, f"the content of {digest} has another digest")
        self.blobs[digest] = content
        return {}

    def release(self, app: App, stage: str, id: str, mark: str) -> dict[str, Any]:
        if id not in app.deployments:
            raise RefusedError(404, f"there is no deployment {id}")
        if missing := set(app.deployments[id]["files"].values()) - set(self.blobs):
            raise RefusedError(409, f"{len(missing)} files are missing")
        made = Release(deployment=id, env=dict(app.env.get(stage, {})), fingerprint=mark)
        for same in (app.asked.get(stage), app.live(stage)):
            if same and same.state != "failed" and (same.deployment, same.env) == (id, made.env):
                made = same
                made.fingerprint = mark or made.fingerprint
        app.asked[stage] = made
        return self.told(app, stage, made)

    def look(self, app: App, stage: str) -> dict[str, Any]:
        if stage not in app.asked:
            raise RefusedError(404, f"nothing was released to {stage}")
        release = app.asked[stage]
        release.looks += 1
        if release.state == "building" and release.looks > _LOOKS and not self.hanging:
            release.state, release.error = "failed" if self.failing else "ready", self.failing
            if release.state == "ready":
                app.seen.setdefault(stage, []).append(release)
        return self.told(app, stage, release)

    def told(self, app: App, stage: str, release: Release) -> dict[str, Any]:
        shown = app.shown(release.deployment, stage)
        if release is app.live(stage):
            return {"state": "ready", "error": "", "deployment": shown}
        if release.state == "ready":  # it was live before, and is to be so again
            release.state, release.looks = "building", 0
        deployment = {**shown, "state": release.state}
        return {"state": release.state, "error": release.error, "deployment": deployment}

    def set_env(self, app: App, stage: str, told: dict[str, str | None]) -> dict[str, Any]:
        values = {**app.env.get(stage, {}), **told}
        app.env[stage] = {name: text for name, text in values.items() if text is not None}
        return {}

    def listed(self, app: App) -> dict[str, Any]:
        newest = reversed(app.deployments)
        return {"deployments": [app.shown(id, self.stage(app, id)) for id in newest]}

    def stage(self, app: App, id: str) -> str:
        """Where users see it, else where it was meant for."""
        live = app.live("production")
        if live and live.deployment == id:
            return "production"
        return str(app.deployments[id]["stage"])


class _Handler(BaseHTTPRequestHandler):
    server: FakePlatform
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def _get(self, path: list[str]) -> dict[str, Any]:
        server = self.server
        match path:
            case ["user"]:
                return {"name": "tester"}
            case ["apps", name]:
                return {"name": name, "previous": server.app(name).previous()}
            case ["apps", name, "deployments"]:
                return server.listed(server.app(name))
            case ["apps", name, "env", stage]:
                return {"names": sorted(server.app(name).env.get(stage, {}))}
            case ["apps", name, "stages", stage]:
                return server.look(server.app(name), stage)
        raise RefusedError(404, f"there is nothing at {self.path}")

    def _put(self, path: list[str], body: bytes) -> dict[str, Any]:
        server = self.server
        match path:
            case ["blobs", digest]:
                return server.receive(digest, body)
            case ["apps", name]:
                server.apps.setdefault(name, App())
                return {"name": name}
            case ["apps", name, "deployments", id]:
                return server.announce(server.app(name), id, json.loads(body))
            case ["apps", name, "env", stage]:
                return server.set_env(server.app(name), stage, json.loads(body))
            case ["apps", name, "stages", stage]:
                told = json.loads(body)
                mark = told.get("fingerprint", "")
                return server.release(server.app(name), stage, told["deployment"], mark)
        raise RefusedError(404, f"there is nothing at {self.path}")

    def _handled(self, body: bytes) -> dict[str, Any]:
        if self.headers.get("authorization") != f"Bearer {self.server.token}":
            raise RefusedError(401, "the token is not known here")
        path = self.path.strip("/").split("/")
        if self.command == "GET":
            return self._get(path)
        if self.server.refusing:
            raise RefusedError(422, self.server.refusing)
        if self.command == "DELETE":
            self.server.app(path[1])
            del self.server.apps[path[1]]
            return {"name": path[1]}
        return self._put(path, body)

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            with self.server.lock:
                status, told = 200, self._handled(body)
        except RefusedError as refused:
            status, told = refused.status, {"error": {"message": str(refused)}}
        content = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_DELETE = _answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
