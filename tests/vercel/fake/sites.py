"""The hosts of deployments: protection, static files, and functions that really run."""

from __future__ import annotations

import contextlib
import http.client
import json
import mimetypes
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from tests.vercel.fake.building import config_of
from tests.vercel.fake.lifecycle import Deployment
from tests.vercel.fake.protection import HEADER, may_see
from tests.vercel.fake.rolling import shares
from tests.vercel.fake.runtime_logs import say
from tests.vercel.fake.site_routes import Found, find
from tests.vercel.fake.talk import Talk
from tests.vercel.fake.world import World

LARGEST = 4_500_000  # bytes of a body
_HOP = frozenset(
    "connection keep-alive transfer-encoding te trailer upgrade content-length".split()
)


class Sites:
    """Every host; functions are started when they are first asked."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.hosts: dict[str, str] = {}  # host to `dpl_…` or `production:OWNER:PROJECT`
        self._ports: dict[Path, int] = {}
        self._starting = threading.Lock()
        self._asked = 0

    def deployment(self, host: str) -> Deployment | None:
        """What answers there; production's host follows the shares of a rolling release."""
        meant = self.hosts[host]
        if meant.startswith("dpl_"):
            return self.world.deployments.get(meant)
        for project in self.world.projects.values():
            if project.host == host:
                return self.world.deployments.get(self._shared(shares(project)))
        return None

    def _shared(self, percents: dict[str, int]) -> str:
        """One of hundred requests after the other, so that shares are exact."""
        self._asked += 1
        left = self._asked % 100
        for deployment, percent in percents.items():
            left -= percent
            if left < 0:
                return deployment
        return ""

    def port_of(self, deployment: Deployment, function: Path) -> int | None:
        """Where a function runs; `None` where nobody runs functions."""
        if self.world.runner is None:
            return None
        with self._starting:
            if function not in self._ports:
                env = {**config_of(function).get("environment", {}), **deployment.env}
                self._ports[function] = self.world.runner(function, env)
            return self._ports[function]

    def serve(self, host: Callable[[], str]) -> Callable[..., object]:
        """What answers the connections to one host."""
        sites = self

        class Site(Talk):
            def reply(self, content: bytes) -> None:
                _Visit(sites, self, host(), content).answer()

        def talk(connection: socket.socket, address: tuple[str, int]) -> None:
            with contextlib.suppress(ConnectionError, TimeoutError):
                Site(connection, address)

        return talk


class _Visit:
    """One request to a host."""

    def __init__(self, sites: Sites, talk: Talk, host: str, content: bytes) -> None:
        self.sites, self.talk, self.host, self.content = sites, talk, host, content

    def answer(self) -> None:
        deployment = self.sites.deployment(self.host)
        if deployment is None or deployment.deleted or not deployment.ready:
            return self._error(404, "DEPLOYMENT_NOT_FOUND")
        project = self.sites.world.projects[deployment.project]
        if not may_see(project, self.host, self.talk.headers.get(HEADER, "")):
            return self._error(401, "AUTHENTICATION_REQUIRED")
        if len(self.content) > LARGEST:
            return self._error(413, "FUNCTION_PAYLOAD_TOO_LARGE")
        try:
            found = find(deployment.directory, self.talk.command, urlsplit(self.talk.path).path)
        except ValueError:
            return self._error(404, "NOT_FOUND")
        return self._found(deployment, found)

    def _found(self, deployment: Deployment, found: Found) -> None:
        if found.file:
            kind = mimetypes.guess_type(found.file.name)[0] or "application/octet-stream"
            headers = {"content-type": kind, **found.headers}
            self.talk.send(200, headers, found.file.read_bytes())
        elif found.function is None:
            self._error(found.status, "NOT_FOUND")
        elif (port := self.sites.port_of(deployment, found.function)) is None:
            told = {"deployment": deployment.id, "path": found.path}
            headers = {"content-type": "application/json", **found.headers}
            self.talk.send(200, headers, json.dumps(told).encode())
        else:
            self._forward(deployment, found, port)

    def _forward(self, deployment: Deployment, found: Found, port: int) -> None:
        query = urlsplit(self.talk.path).query
        path = found.path + (f"?{query}" if query else "")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        with contextlib.closing(connection):
            try:
                connection.request(self.talk.command, path, self.content, self._headers(deployment))
                answer = connection.getresponse()
            except (OSError, http.client.HTTPException):
                self._error(500, "FUNCTION_INVOCATION_FAILED")
                return
            headers = {k: v for k, v in answer.getheaders() if k.lower() not in _HOP}
            about = {"requestPath": path, "responseStatusCode": answer.status}
            method = {"requestMethod": self.talk.command}
            say(self.sites.world, deployment, "", source="request", **about, **method)
            self.talk.send(answer.status, {**headers, **found.headers}, _pieces(answer))

    def _headers(self, deployment: Deployment) -> dict[str, str]:
        """The visitor's own, and what the platform adds for the app and its runtime."""
        own = {k.lower(): v for k, v in self.talk.headers.items() if k.lower() not in _HOP}
        request = f"iad1::{secrets.token_hex(5)}"
        return {
            **own,
            "content-length": str(len(self.content)),
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-host": self.host,
            "x-forwarded-proto": "https",
            "x-real-ip": "127.0.0.1",
            "x-vercel-id": request,
            "x-vercel-deployment-url": deployment.url,
            "x-vercel-internal-invocation-id": secrets.token_hex(8),
            "x-vercel-internal-request-id": str(int(secrets.token_hex(4), 16)),
            "x-vercel-internal-span-id": secrets.token_hex(8),
            "x-vercel-internal-trace-id": secrets.token_hex(16),
        }

    def _error(self, status: int, code: str) -> None:
        headers = {"content-type": "text/plain; charset=utf-8", "x-vercel-error": code}
        self.talk.send(status, headers, f"{code}\n".encode())


def _pieces(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """What arrives, as it arrives."""
    while piece := answer.read1(65_536):
        yield piece
