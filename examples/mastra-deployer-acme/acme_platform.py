"""Acme: a platform with an HTTP API on loopback.

    GET    /user                                    -> {"name"}
    GET    /apps?name=NAME                          -> {"apps": [APP, ...]}
    POST   /apps {"name"}                           -> APP, a new one for each request
    DELETE /apps/ID                                 -> {}
    GET    /apps/ID/deployments                     -> {"deployments": [DEPLOYMENT, ...]}
    PUT    /apps/ID/deployments/ID {path: sha256}   -> {"missing": [sha256, ...]}
    GET    /blobs                                   -> {"digests": [sha256, ...]}
    PUT    /blobs/SHA256  bytes                     -> {}
    PUT    /apps/ID/STAGE {"deployment", "env"?...} -> RELEASE; with "percent" a share of traffic
    GET    /apps/ID/STAGE                           -> RELEASE
    GET    /apps/ID/env/STAGE                       -> {"names": [...]}
    PUT    /apps/ID/env/STAGE {name: value or null} -> {}; null removes, other names stay
    GET    /apps/ID/logs?deployment=ID              -> {"lines": [{"time", "text"}, ...]}

APP is {"id", "name", "live", "previous"}. RELEASE is {"state", "error", "deployment": DEPLOYMENT},
and goes from "building" to "ready" or "failed". A release sets the values in "env", writes the
files and runs `python index.py`; it is ready once that serves. Then the previous one is stopped,
and other deployments lose their share. HOST and PORT are Acme's own variables. State survives a
restart.
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

from acme_machines import Process, start, stop, write_files
from acme_store import App, Release, RequestError, Store

_BUILDING_POLLS = 1  # polls that find a release still building, where no process is started


class Acme(ThreadingHTTPServer):
    """The platform.

    :param directory: holds all state.
    :param token: the only one that is accepted.
    :param port: to bind; 0 for a free one.
    :param processes: whether releases run; without, they are ready at the second poll.
    """

    daemon_threads = True
    request_queue_size = 128  # uploads connect all at once, and a dropped one costs a second

    def __init__(
        self, directory: Path, token: str, port: int = 0, *, processes: bool = True
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.directory, self.token, self.processes = directory, token, processes
        self.store = Store(directory, persistent=processes)
        self.running: dict[tuple[str, str], Process] = {}
        self.requests: list[str] = []
        self.broken_uploads = 0  # how many uploads to answer with 503, for tests of retries
        self.rejection = self.failure = ""  # messages
        self.hangs = False
        self._builds: list[threading.Thread] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def release(
        self, app: App, stage: str, id: str, fingerprint: str = "", message: str = ""
    ) -> Release:
        """Start to make a deployment live; a repeated request gives the same release."""
        files = self.store.get_files(app, id)
        env = app.env.get(stage, {})
        for other in (app.latest.get(stage), app.get_live(stage)):
            if other and (other.deployment, other.env) == (id, env) and other.state != "failed":
                app.latest[stage], other.fingerprint = other, fingerprint or other.fingerprint
                other.message = message or other.message
                if stage == "production" and other is app.get_live(stage):
                    app.canary.clear()
                return other
        earlier = [each for each in app.history.get(stage, []) if each.deployment == id]
        message = message or (earlier[-1].message if earlier else "")
        release = Release(deployment=id, env=dict(env), fingerprint=fingerprint, message=message)
        app.latest[stage] = release
        if self.processes:
            build = threading.Thread(target=self._run, args=(app, stage, release, files))
            self._builds.append(build)
            build.start()
        return release

    def poll(self, app: App, stage: str) -> Release:
        """Return a stage's latest release; without processes, polls make it ready."""
        release = app.latest.get(stage)
        if release is None:
            raise RequestError(404, f"nothing was released to {stage}")
        release.polls += 1
        if not self.processes and release.state == "building" and release.polls > _BUILDING_POLLS:
            self._finish(app, stage, release, f"{self.url}/live/{app.name}/{stage}")
        return release

    def start(self) -> None:
        """Serve in a thread, until `stop`."""
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self) -> None:
        for build in self._builds:
            build.join()
        for process in self.running.values():
            stop(process)
        thread = threading.Thread(target=self.shutdown)
        thread.start()
        # The server notices a shutdown twice a second, or at once when a connection arrives.
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.server_port)).close()
        thread.join()
        self.server_close()

    def _run(self, app: App, stage: str, release: Release, files: Mapping[str, Path]) -> None:
        directory = self.directory / "live" / app.name / release.deployment
        try:
            write_files(files, directory)
            process, port = start(directory, release.env, directory.with_suffix(".log"))
        except RequestError as error:
            release.state, release.error = "failed", str(error)
            return
        with self.store.lock:
            if app.latest.get(stage) is not release:  # a later release replaced this one
                stop(process)
                return
            before = self.running.pop((app.name, stage), None)
            self.running[app.name, stage] = process
            self._finish(app, stage, release, f"http://127.0.0.1:{port}")
        if before is not None:
            stop(before)

    def _finish(self, app: App, stage: str, release: Release, url: str) -> None:
        if self.failure:
            release.state, release.error = "failed", self.failure
        elif not self.hangs and app.latest.get(stage) is release:
            release.state, release.url = "ready", url
            app.history.setdefault(stage, []).append(release)
            if stage == "production":
                app.canary.clear()
            self.store.save()


class _Handler(BaseHTTPRequestHandler):
    server: Acme
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet for a response

    def _get(self, path: list[str], query: Mapping[str, list[str]]) -> dict[str, Any]:
        store = self.server.store
        match path:
            case ["user"]:
                return {"name": "tester"}
            case ["blobs"]:
                return {"digests": store.list_digests()}
            case ["apps"]:
                name = query.get("name", [""])[0]
                return {"apps": [app.to_json() for app in store.apps.values() if app.name == name]}
            case ["apps", id, "deployments"]:
                return {"deployments": _list_deployments(store.get_app(id))}
            case ["apps", id, "env", stage]:
                return {"names": sorted(store.get_app(id).env.get(stage, {}))}
            case ["apps", id, "logs"]:
                chosen = query.get("deployment", [""])[0]
                log = store.get_app(id).log
                return {"lines": [line for line in log if chosen in ("", line["deployment"])]}
            case ["apps", id, ("production" | "preview") as stage]:
                app = store.get_app(id)
                return _describe_release(app, stage, self.server.poll(app, stage))
        raise RequestError(404, f"there is nothing at {self.path}")

    def _put(self, path: list[str], data: dict[str, Any]) -> dict[str, Any]:
        store = self.server.store
        match path:
            case ["apps"]:
                return store.create_app(data["name"]).to_json()
            case ["apps", id, "deployments", deployment]:
                store.create_deployment(store.get_app(id), deployment, data)
                return {"missing": store.find_missing(data.values())}
            case ["apps", id, "env", stage]:
                store.get_app(id).set_env(stage, data)
            case ["apps", id, "production"] if 0 <= data.get("percent", 100) < 100:
                app, share = store.get_app(id), {data["deployment"]: data["percent"]}
                store.get_files(app, data["deployment"])
                app.canary = share if data["percent"] else {}
                return {"deployment": _describe(app, data["deployment"], "production")}
            case ["apps", id, ("production" | "preview") as stage]:
                app = store.get_app(id)
                app.set_env(stage, data.get("env", {}))
                notes = data.get("fingerprint", ""), data.get("message", "")
                release = self.server.release(app, stage, data["deployment"], *notes)
                return _describe_release(app, stage, release)
            case _:
                raise RequestError(404, f"there is nothing at {self.path}")
        return {}

    def _dispatch(self, body: bytes) -> dict[str, Any]:
        if self.headers.get("authorization") != f"Bearer {self.server.token}":
            raise RequestError(401, "the token is not known here")
        address = urlsplit(self.path)
        path, store = address.path.strip("/").split("/"), self.server.store
        if self.command == "GET":
            return self._get(path, parse_qs(address.query))
        if self.server.rejection:
            raise RequestError(422, self.server.rejection)
        if path[0] == "blobs":
            return self._store_blob(path[1], body)
        with store.lock:
            if self.command == "DELETE":
                store.apps.pop(store.get_app(path[1]).id)
                result: dict[str, Any] = {}
            else:
                result = self._put(path, json.loads(body))
            store.save()
        return result

    def _store_blob(self, digest: str, content: bytes) -> dict[str, Any]:
        if self.server.broken_uploads:
            self.server.broken_uploads -= 1
            raise RequestError(503, "try again")
        self.server.store.store_blob(digest, content)
        return {}

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.requests.append(f"{self.command} {self.path}")
        status, result = 200, {}
        try:
            result = self._dispatch(body)
        except RequestError as error:
            status, result = error.status, {"error": {"message": str(error)}}
        content = json.dumps(result).encode()
        self.send_response_only(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815  # the library's names

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing; tests read `requests`."""


def _describe(app: App, id: str, stage: str = "") -> dict[str, Any]:
    """Return a deployment as JSON, with its state in a stage."""
    stage = stage or "preview"
    releases = [release for release in app.history.get(stage, []) if release.deployment == id]
    live = app.get_live(stage)
    return {
        "id": id,
        "url": releases[-1].url if releases else "",
        "environment": stage,
        "created": app.deployments[id]["created"],
        "live": live is not None and live.deployment == id,
        "percent": app.get_percent(id),
        "fingerprint": releases[-1].fingerprint if releases else "",
        "message": releases[-1].message if releases else "",
        "state": "ready" if releases else "building",
    }


def _list_deployments(app: App) -> list[dict[str, Any]]:
    """Return every deployment, the newest first, in the stage where it is or was live."""
    items = []
    for name in reversed(app.deployments):
        stages = [
            stage
            for stage, releases in app.history.items()
            if name in {release.deployment for release in releases}
        ]
        live = [s for s in stages if (release := app.get_live(s)) and release.deployment == name]
        items.append(_describe(app, name, ([*sorted(live)[::-1], *stages] or [""])[0]))
    return items


def _describe_release(app: App, stage: str, release: Release) -> dict[str, Any]:
    deployment = {**_describe(app, release.deployment, stage), "state": release.state}
    return {"state": release.state, "error": release.error, "deployment": deployment}


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
