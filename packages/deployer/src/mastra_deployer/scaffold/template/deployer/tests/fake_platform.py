"""An invented platform for the tests: a small HTTP server on loopback.

    GET    /user                             -> {"name"}
    GET    /apps/APP                         -> {"name", "live": ID or "", "previous": ID or ""}
    PUT    /apps/APP                         -> the same; creates a missing app
    DELETE /apps/APP                         -> {"name"}
    GET    /apps/APP/deployments             -> {"deployments": [DEPLOYMENT, ...]}, newest first
    PUT    /apps/APP/deployments/ID {"files": {path: sha256}, ...} -> {"missing": [sha256, ...]}
    GET    /apps/APP/deployments/ID/log?since=TIME -> {"lines": [{"id", "time", "level", "text"}]}
    GET    /blobs                            -> {"digests": [sha256, ...]}
    PUT    /blobs/SHA256  bytes              -> {}
    GET    /apps/APP/env/STAGE               -> {"names": [...]}
    PUT    /apps/APP/env/STAGE {name: value or null} -> {}; null removes, other names stay
    PUT    /apps/APP/stages/STAGE {"deployment": ID, "fingerprint", "env"} -> RELEASE
    GET    /apps/APP/stages/STAGE            -> RELEASE
    PUT    /apps/APP/share {"deployment": ID, "percent": N} -> DEPLOYMENT; a release ends the share

RELEASE is {"state", "error", "deployment": DEPLOYMENT}; its state goes from "building" to "ready"
or "failed". A release has the variables that were set when it was created.
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
from urllib.parse import parse_qs, urlsplit

from mastra_core.pipeline import Stage
from mastra_deployer.testing import Live

_BUILDING_POLLS = 2  # polls that find a release still building


class RequestError(Exception):
    """A response with an error status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclasses.dataclass(kw_only=True)
class Release:
    deployment: str
    env: dict[str, str]
    fingerprint: str = ""
    state: str = "building"
    error: str = ""
    polls: int = 0


@dataclasses.dataclass(kw_only=True)
class App:
    """An app, with the latest release of each stage, and all releases that were live."""

    deployments: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    env: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    latest: dict[str, Release] = dataclasses.field(default_factory=dict)
    history: dict[str, list[Release]] = dataclasses.field(default_factory=dict)
    share: dict[str, int] = dataclasses.field(default_factory=dict)
    log: list[dict[str, str]] = dataclasses.field(default_factory=list)

    def get_live(self, stage: str) -> Release | None:
        return self.history[stage][-1] if self.history.get(stage) else None

    def get_previous(self) -> str:
        live = self.get_live("production")
        ids = [release.deployment for release in self.history.get("production", ())]
        return next((id for id in ids[::-1] if live and id != live.deployment), "")

    def get_percent(self, id: str) -> int | None:
        """Return the percentage of the traffic that a deployment gets while there is a canary."""
        live = self.get_live("production")
        if self.share and live is not None and live.deployment == id:
            return 100 - sum(self.share.values())
        return self.share.get(id)

    def describe(self, id: str, stage: str) -> dict[str, Any]:
        live = self.get_live(stage)
        releases = [release for history in self.history.values() for release in history]
        fingerprints = [release.fingerprint for release in releases if release.deployment == id]
        return {
            **self.deployments[id],
            "fingerprint": fingerprints[-1] if fingerprints else "",
            "id": id,
            "stage": stage,
            "live": live is not None and live.deployment == id,
            "percent": self.get_percent(id) if stage == "production" else None,
        }


class FakePlatform(ThreadingHTTPServer):
    """An HTTP server with the methods of `mastra_deployer.testing.FakePlatform`."""

    daemon_threads = True
    request_queue_size = 128  # uploads connect all at once
    token = "let-me-in-4711"  # noqa: S105

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.reset()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def get_settings(self) -> Mapping[str, Any]:
        return {"app": "shop"}

    def get_live(self, environment: Stage) -> Live | None:
        for app in self.apps.values():
            if release := app.get_live(environment):
                files = app.deployments[release.deployment]["files"]
                contents = {path: self.blobs[digest] for path, digest in files.items()}
                return Live(id=release.deployment, files=contents, env=release.env)
        return None

    def list_resources(self) -> list[str]:
        deployments = [f"{name}/{id}" for name, app in self.apps.items() for id in app.deployments]
        return [*self.apps, *deployments]

    def reset(self) -> None:
        self.apps: dict[str, App] = {}
        self.blobs: dict[str, bytes] = {}
        self.clear_faults()

    def clear_faults(self) -> None:
        self.rejection = self.failure = ""
        self.hangs = False

    def reject_changes(self, message: str) -> None:
        self.rejection = message

    def fail_deployments(self, message: str) -> None:
        self.failure = message

    def hang_deployments(self) -> None:
        self.hangs = True

    def get_traffic(self) -> Mapping[str, int]:
        for app in self.apps.values():
            if live := app.get_live("production"):
                return {live.deployment: 100 - sum(app.share.values()), **app.share}
        return {}

    def write_log(self, text: str) -> None:
        """Log a line of the live deployment."""
        for app in self.apps.values():
            if live := app.get_live("production"):
                time = dt.datetime.now(dt.UTC).isoformat()
                line = {"id": str(len(app.log)), "time": time, "level": "info", "text": text}
                app.log.append({**line, "deployment": live.deployment})

    def read_log(self, app: App, id: str, since: str) -> dict[str, Any]:
        if id not in app.deployments:
            raise RequestError(404, f"there is no deployment {id}")
        lines = [line for line in app.log if line["deployment"] == id and line["time"] >= since]
        return {"lines": lines}

    def set_share(self, app: App, id: str, percent: int) -> dict[str, Any]:
        if id not in app.deployments:
            raise RequestError(404, f"there is no deployment {id}")
        app.share = {id: percent} if percent else {}
        return app.describe(id, "production")

    def get_app(self, name: str) -> App:
        if name not in self.apps:
            raise RequestError(404, f"there is no app {name}")
        return self.apps[name]

    def create_deployment(self, app: App, id: str, body: dict[str, Any]) -> dict[str, Any]:
        created = dt.datetime.now(dt.UTC).isoformat()
        defaults = {"created": created, "url": f"{self.url}/{id}", "state": "ready"}
        app.deployments[id] = {**defaults, **app.deployments.get(id, {}), **body}
        return {"missing": sorted(set(body["files"].values()) - set(self.blobs))}

    def store_blob(self, digest: str, content: bytes) -> dict[str, Any]:
        if hashlib.sha256(content).hexdigest() != digest:
            raise RequestError(400, f"the content of {digest} has another digest")
        self.blobs[digest] = content
        return {}

    def create_release(self, app: App, stage: str, id: str, fingerprint: str) -> dict[str, Any]:
        if id not in app.deployments:
            raise RequestError(404, f"there is no deployment {id}")
        if missing := set(app.deployments[id]["files"].values()) - set(self.blobs):
            raise RequestError(409, f"{len(missing)} files are missing")
        release = Release(deployment=id, env=dict(app.env.get(stage, {})), fingerprint=fingerprint)
        for other in (app.latest.get(stage), app.get_live(stage)):
            if other is None or other.state == "failed":
                continue
            if (other.deployment, other.env) == (id, release.env):
                release = other
                release.fingerprint = fingerprint or release.fingerprint
        app.latest[stage] = release
        if stage == "production" and release is app.get_live(stage):
            app.share = {}
        return self.describe_release(app, stage, release)

    def poll_release(self, app: App, stage: str) -> dict[str, Any]:
        if stage not in app.latest:
            raise RequestError(404, f"nothing was released to {stage}")
        release = app.latest[stage]
        release.polls += 1
        if release.state == "building" and release.polls > _BUILDING_POLLS and not self.hangs:
            release.state, release.error = "failed" if self.failure else "ready", self.failure
            if release.state == "ready":
                app.history.setdefault(stage, []).append(release)
                if stage == "production":
                    app.share = {}
        return self.describe_release(app, stage, release)

    def describe_release(self, app: App, stage: str, release: Release) -> dict[str, Any]:
        described = app.describe(release.deployment, stage)
        if release is app.get_live(stage):
            return {"state": "ready", "error": "", "deployment": described}
        if release.state == "ready":  # it was live before, and becomes live again
            release.state, release.polls = "building", 0
        deployment = {**described, "state": release.state}
        return {"state": release.state, "error": release.error, "deployment": deployment}

    def set_env(self, app: App, stage: str, changes: dict[str, str | None]) -> dict[str, Any]:
        values = {**app.env.get(stage, {}), **changes}
        app.env[stage] = {name: text for name, text in values.items() if text is not None}
        return {}

    def list_deployments(self, app: App) -> dict[str, Any]:
        newest = reversed(app.deployments)
        return {"deployments": [app.describe(id, self.get_stage(app, id)) for id in newest]}

    def get_stage(self, app: App, id: str) -> str:
        """Return the stage in which a deployment is live, or else its original stage."""
        live = app.get_live("production")
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
            case ["blobs"]:
                return {"digests": sorted(server.blobs)}
            case ["apps", name]:
                app = server.get_app(name)
                live = app.get_live("production")
                id = live.deployment if live else ""
                return {"name": name, "live": id, "previous": app.get_previous()}
            case ["apps", name, "deployments", id, "log"]:
                since = parse_qs(urlsplit(self.path).query).get("since", [""])[0]
                return server.read_log(server.get_app(name), id, since)
            case ["apps", name, "deployments"]:
                return server.list_deployments(server.get_app(name))
            case ["apps", name, "env", stage]:
                return {"names": sorted(server.get_app(name).env.get(stage, {}))}
            case ["apps", name, "stages", stage]:
                return server.poll_release(server.get_app(name), stage)
        raise RequestError(404, f"there is nothing at {self.path}")

    def _put(self, path: list[str], body: bytes) -> dict[str, Any]:
        server = self.server
        match path:
            case ["blobs", digest]:
                return server.store_blob(digest, body)
            case ["apps", name]:
                server.apps.setdefault(name, App())
                return {"name": name}
            case ["apps", name, "deployments", id]:
                return server.create_deployment(server.get_app(name), id, json.loads(body))
            case ["apps", name, "env", stage]:
                return server.set_env(server.get_app(name), stage, json.loads(body))
            case ["apps", name, "share"]:
                data = json.loads(body)
                return server.set_share(server.get_app(name), data["deployment"], data["percent"])
            case ["apps", name, "stages", stage]:
                data = json.loads(body)
                fingerprint = data.get("fingerprint", "")
                app = server.get_app(name)
                server.set_env(app, stage, data.get("env", {}))
                return server.create_release(app, stage, data["deployment"], fingerprint)
        raise RequestError(404, f"there is nothing at {self.path}")

    def _dispatch(self, body: bytes) -> dict[str, Any]:
        if self.headers.get("authorization") != f"Bearer {self.server.token}":
            raise RequestError(401, "the token is not known here")
        path = urlsplit(self.path).path.strip("/").split("/")
        if self.command == "GET":
            return self._get(path)
        if self.server.rejection:
            raise RequestError(422, self.server.rejection)
        if self.command == "DELETE":
            self.server.get_app(path[1])
            del self.server.apps[path[1]]
            return {"name": path[1]}
        return self._put(path, body)

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            with self.server.lock:
                status, result = 200, self._dispatch(body)
        except RequestError as error:
            status, result = error.status, {"error": {"message": str(error)}}
        content = json.dumps(result).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_DELETE = _handle  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""
