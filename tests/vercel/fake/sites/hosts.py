"""The hosts of deployments: protection, static files, and functions."""

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

from tests.platform_fakes.connection import HttpConnection
from tests.vercel.fake.routes.protection import BYPASS_HEADER, is_visible
from tests.vercel.fake.routes.rolling_releases import get_traffic_shares
from tests.vercel.fake.routes.runtime_logs import add_log_row
from tests.vercel.fake.sites.build_output import load_function_config
from tests.vercel.fake.sites.route_match import RouteMatch, match_route
from tests.vercel.fake.state.deployment import Deployment
from tests.vercel.fake.state.platform_state import PlatformState

MAX_BODY = 4_500_000  # bytes of a body
_HOP = frozenset(
    "connection keep-alive transfer-encoding te trailer upgrade content-length".split()
)


class SiteHosts:
    """All hosts; functions are started at their first request."""

    def __init__(self, platform: PlatformState) -> None:
        self.world = platform
        self.hosts: dict[str, str] = {}  # host to `dpl_…` or `production:OWNER:PROJECT`
        self._ports: dict[Path, int] = {}
        self._start_lock = threading.Lock()
        self._request_count = 0

    def find_deployment(self, host: str) -> Deployment | None:
        """Return the deployment of a host; production follows the shares of a rolling release."""
        target = self.hosts[host]
        if target.startswith("dpl_"):
            return self.world.deployments.get(target)
        for project in self.world.projects.values():
            if project.host == host:
                return self.world.deployments.get(self._pick_by_share(get_traffic_shares(project)))
        return None

    def _pick_by_share(self, percents: dict[str, int]) -> str:
        """Distribute each hundred requests in order, so that shares are exact."""
        self._request_count += 1
        position = self._request_count % 100
        for deployment, percent in percents.items():
            position -= percent
            if position < 0:
                return deployment
        return ""

    def get_function_port(self, deployment: Deployment, function: Path) -> int | None:
        """Return the port of a function; `None` without a runner."""
        if self.world.runner is None:
            return None
        with self._start_lock:
            if function not in self._ports:
                env = {**load_function_config(function).get("environment", {}), **deployment.env}
                self._ports[function] = self.world.runner(function, env)
            return self._ports[function]

    def make_connection_handler(self, host: Callable[[], str]) -> Callable[..., object]:
        """Return the handler for connections to one host."""
        sites = self

        class SiteConnection(HttpConnection):
            server_version = "Vercel"

            def respond(self, content: bytes) -> None:
                _SiteRequest(sites, self, host(), content).respond()

        def handle_connection(connection: socket.socket, address: tuple[str, int]) -> None:
            with contextlib.suppress(ConnectionError, TimeoutError):
                SiteConnection(connection, address)

        return handle_connection


class _SiteRequest:
    """One request to a host."""

    def __init__(self, sites: SiteHosts, talk: HttpConnection, host: str, content: bytes) -> None:
        self.sites, self.connection, self.host, self.content = sites, talk, host, content

    def respond(self) -> None:
        deployment = self.sites.find_deployment(self.host)
        if deployment is None or deployment.is_deleted or not deployment.is_ready:
            return self._send_error(404, "DEPLOYMENT_NOT_FOUND")
        project = self.sites.world.projects[deployment.project]
        if not is_visible(project, self.host, self.connection.headers.get(BYPASS_HEADER, "")):
            return self._send_error(401, "AUTHENTICATION_REQUIRED")
        if len(self.content) > MAX_BODY:
            return self._send_error(413, "FUNCTION_PAYLOAD_TOO_LARGE")
        try:
            match = match_route(
                deployment.directory, self.connection.command, urlsplit(self.connection.path).path
            )
        except ValueError:
            return self._send_error(404, "NOT_FOUND")
        return self._send_match(deployment, match)

    def _send_match(self, deployment: Deployment, match: RouteMatch) -> None:
        if match.file:
            content_type = mimetypes.guess_type(match.file.name)[0] or "application/octet-stream"
            headers = {"content-type": content_type, **match.headers}
            self.connection.send(200, headers, match.file.read_bytes())
        elif match.function is None:
            self._send_error(match.status, "NOT_FOUND")
        elif (port := self.sites.get_function_port(deployment, match.function)) is None:
            content = {"deployment": deployment.id, "path": match.path}
            headers = {"content-type": "application/json", **match.headers}
            self.connection.send(200, headers, json.dumps(content).encode())
        else:
            self._forward(deployment, match, port)

    def _forward(self, deployment: Deployment, match: RouteMatch, port: int) -> None:
        query = urlsplit(self.connection.path).query
        path = match.path + (f"?{query}" if query else "")
        upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        with contextlib.closing(upstream):
            try:
                upstream.request(
                    self.connection.command, path, self.content, self._build_headers(deployment)
                )
                response = upstream.getresponse()
            except (OSError, http.client.HTTPException):
                self._send_error(500, "FUNCTION_INVOCATION_FAILED")
                return
            headers = {k: v for k, v in response.getheaders() if k.lower() not in _HOP}
            fields = {"requestPath": path, "responseStatusCode": response.status}
            method = {"requestMethod": self.connection.command}
            add_log_row(self.sites.world, deployment, "", source="request", **fields, **method)
            self.connection.send(
                response.status, {**headers, **match.headers}, _iter_chunks(response)
            )

    def _build_headers(self, deployment: Deployment) -> dict[str, str]:
        """Return the client's headers, and those that the platform adds."""
        visitor_headers = {
            k.lower(): v for k, v in self.connection.headers.items() if k.lower() not in _HOP
        }
        request_id = f"iad1::{secrets.token_hex(5)}"
        return {
            **visitor_headers,
            "content-length": str(len(self.content)),
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-host": self.host,
            "x-forwarded-proto": "https",
            "x-real-ip": "127.0.0.1",
            "x-vercel-id": request_id,
            "x-vercel-deployment-url": deployment.url,
            "x-vercel-internal-invocation-id": secrets.token_hex(8),
            "x-vercel-internal-request-id": str(int(secrets.token_hex(4), 16)),
            "x-vercel-internal-span-id": secrets.token_hex(8),
            "x-vercel-internal-trace-id": secrets.token_hex(16),
        }

    def _send_error(self, status: int, code: str) -> None:
        headers = {"content-type": "text/plain; charset=utf-8", "x-vercel-error": code}
        self.connection.send(status, headers, f"{code}\n".encode())


def _iter_chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield the body as it arrives."""
    while chunk := response.read1(65_536):
        yield chunk
