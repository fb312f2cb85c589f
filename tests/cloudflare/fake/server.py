"""`FakeCloudflare`: the server, and the controls for tests."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.cloudflare.fake.routes import (  # noqa: F401  # importing a module registers its routes
    accounts,
    logs,
    storage,
    uploads,
    versions,
    workers,
)
from tests.cloudflare.fake.routing import ApiError, CursorPage, Page, Request, find_route
from tests.cloudflare.fake.state import ACCOUNT, PERMISSIONS, Platform, Version, Worker
from tests.cloudflare.fake.tail_socket import serve_tail
from tests.platform_fakes.connection import HttpConnection
from tests.platform_fakes.faults import Fault, FaultQueue
from tests.platform_fakes.listener import Listener
from tests.platform_fakes.recorded_request import SAFE_METHODS

BASE = "/client/v4"
TOKEN = "fake-token-of-forty-characters-0123456789"
_MIN_TOKEN = 16  # characters; a shorter one is malformed


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordedRequest:
    """A request and the status of its response."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    size: int
    status: int

    def __str__(self) -> str:
        return f"{self.method} {self.path} -> {self.status}"


class FakeCloudflare:
    """Cloudflare on loopback, from construction until `stop`.

    `TOKEN` has all permissions for the account `ACCOUNT`. The zone `example.com` is in this
    account, and the zone `other.example` is in another one.
    """

    def __init__(self) -> None:
        self.platform = Platform()
        self.platform.tokens = {TOKEN: PERMISSIONS}
        self.requests: list[RecordedRequest] = []
        self.faults = FaultQueue()
        self.token, self.project = TOKEN, "shop"
        self.settings: dict[str, Any] = {}  # of deploys, beside the name and the account
        self._listener = Listener()
        self._port = self._listener.open(_make_handler(self))
        self._listener.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}{BASE}"

    @property
    def worker(self) -> Worker | None:
        return self.platform.workers.get(self.project)

    def stop(self) -> None:
        self._listener.stop()

    def add_fault(self, method: str, path: str, fault: Fault, *, times: int = 1) -> None:
        """Answer matching requests with a fault; `path` is a regular expression."""
        self.faults.add(method, path, fault, times, 0)

    def add_worker(self, name: str) -> Worker:
        """Add a Worker that another tool deployed."""
        worker = self.platform.workers[name] = Worker(name=name, enabled=True)
        version = self.platform.add_version(worker, {}, {}, [])
        self.platform.deploy(worker, {version.id: 100}, {})
        return worker

    def find_requests(self, method: str = "", path: str = "") -> list[RecordedRequest]:
        return [r for r in self.requests if method in {"", r.method} and path in r.path]

    def list_changes(self) -> list[RecordedRequest]:
        """List the requests that change something; the query of the log is a POST that reads."""
        changes = (item for item in self.requests if item.method not in SAFE_METHODS)
        return [item for item in changes if not item.path.endswith("/telemetry/query")]

    # The protocol `mastra_deployer.testing.FakePlatform`.

    def get_settings(self) -> Mapping[str, Any]:
        return {"project_name": self.project, "scope": ACCOUNT, **self.settings}

    def get_live(self, environment: str) -> Any:
        from mastra_deployer.testing.fake_platform import Live

        version = self._find_preview() if environment == "preview" else self.get_live_version()
        if version is None:
            return None
        files = {name: item.content for name, item in version.modules.items()}
        return Live(id=version.id, files=files, env=version.env)

    def get_live_version(self) -> Version | None:
        worker = self.worker
        return worker.get_main() if worker and self.platform.has_address(worker) else None

    def list_resources(self) -> Sequence[str]:
        return self.platform.list_resources()

    def reset(self) -> None:
        with self.platform.lock:
            self.platform.clear()
            self.clear_faults()

    def clear_faults(self) -> None:
        with self.platform.lock:
            self.faults.clear()
            self.platform.clear_faults()

    def reject_changes(self, message: str) -> None:
        self.platform.rejection = message

    def fail_deployments(self, message: str) -> None:
        self.platform.start_error = message

    def hang_deployments(self) -> None:
        raise NotImplementedError

    def get_traffic(self) -> Mapping[str, int]:
        worker = self.worker
        shares = worker.deployments[-1].shares if worker and worker.deployments else {}
        return {key: round(share) for key, share in shares.items()}

    def write_log(self, text: str) -> None:
        version = self.get_live_version()
        assert version is not None, "no version is live"
        self.platform.log(self.project, version.id, text)

    def _find_preview(self) -> Version | None:
        worker = self.worker
        if worker is None or not worker.previews_enabled:
            return None
        aliased = [item for item in worker.versions if "workers/alias" in item.annotations]
        if aliased:
            return aliased[-1]
        return None if self.platform.has_address(worker) else worker.get_main()


def _make_handler(fake: FakeCloudflare) -> Any:
    class Connection(HttpConnection):
        server_version = "cloudflare"

        def respond(self, content: bytes) -> None:
            if self.headers.get("upgrade", "").lower() == "websocket":
                self._follow_tail()
                return
            address = urlsplit(self.path)
            request = Request(
                platform=fake.platform,
                method=self.command,
                path=address.path.removeprefix(BASE),
                query=parse_qs(address.query, keep_blank_values=True),
                headers={name.lower(): value for name, value in self.headers.items()},
                content=content,
            )
            fault = fake.faults.take(request.method, request.path)
            if fault is not None:
                self.send(fault.status, fault.headers, fault.raw)
                return
            status, body = _respond(request)
            fake.requests.append(_record(request, status))
            kind = {"content-type": "application/json"}
            self.send(status, kind, json.dumps(body).encode())

        def _follow_tail(self) -> None:
            lines = [f"{self.command} {self.path} HTTP/1.1"]
            lines += [f"{name}: {value}" for name, value in self.headers.items()]
            head = "\r\n".join([*lines, "", ""]).encode()
            name, key = self.path.rsplit("/", 2)[1:]
            serve_tail(fake.platform, self.connection, head, name, key)
            self.close_connection = True

    def handle_connection(connection: socket.socket, address: tuple[str, int]) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            Connection(connection, address)

    return handle_connection


def _respond(request: Request) -> tuple[int, Any]:
    platform = request.platform
    try:
        with platform.lock:
            handler, request.arguments, permission = find_route(request.method, request.path)
            _authorize(request, permission)
            if platform.rejection and request.method not in SAFE_METHODS:
                raise ApiError(400, 10013, platform.rejection)
            result = handler(request)
    except ApiError as error:
        return error.status, error.body
    body: dict[str, Any] = {"success": True, "errors": [], "messages": [], "result": result}
    if isinstance(result, Page):
        info = {"page": result.number, "per_page": result.size, "total_count": result.total}
        body |= {"result": result.items, "result_info": {**info, "count": len(result.items)}}
    if isinstance(result, CursorPage):
        body |= {"result": result.result, "result_info": {"cursor": result.cursor}}
    return 200, body


def _authorize(request: Request, permission: str) -> None:
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    if "x-auth-key" in request.headers or "x-auth-email" in request.headers:
        raise ApiError(400, 6003, "Invalid request headers")
    if len(token) < _MIN_TOKEN:
        raise ApiError(400, 6003, "Invalid request headers")
    permissions = request.platform.tokens.get(token)
    if permissions is None:
        raise ApiError(403, 9109, "Invalid access token")
    account = request.arguments.get("account", "")
    if account and account not in request.platform.accounts:
        raise ApiError(403, 10000, "Authentication error")
    if permission and permission not in permissions:
        raise ApiError(403, 10000, "Authentication error")


def _record(request: Request, status: int) -> RecordedRequest:
    return RecordedRequest(
        method=request.method,
        path=request.path,
        query=request.query,
        headers=request.headers,
        size=len(request.content),
        status=status,
    )
