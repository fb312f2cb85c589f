"""`FakeNetlify`: the server, and the controls for tests."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.netlify.fake.log_socket import serve_log
from tests.netlify.fake.routes import (  # noqa: F401  # importing a module registers its routes
    deploys,
    logs,
    sites,
    uploads,
    variables,
)
from tests.netlify.fake.routing import ApiError, Request, Response, find_route
from tests.netlify.fake.state import Deploy, Platform, Site, Team
from tests.platform_fakes.connection import HttpConnection
from tests.platform_fakes.faults import Fault, FaultQueue
from tests.platform_fakes.listener import Listener
from tests.platform_fakes.recorded_request import SAFE_METHODS, RecordedRequest

TOKEN, TEAM = "nfp_fakefakefakefakefakefake", "acme"


class FakeNetlify:
    """Netlify on loopback, from construction until `stop`.

    `TOKEN` is a member of the teams `acme` and `initech`, and not of `globex`.

    :param interpreter: the setting `interpreter` of deploys.
    """

    def __init__(self, interpreter: str = "") -> None:
        self.interpreter = interpreter
        self.platform = Platform()
        self.requests: list[RecordedRequest] = []
        self.faults = FaultQueue()
        self.token, self.project = TOKEN, "shop"
        self.platform.teams = [
            Team(id="team-1", slug=TEAM, members={TOKEN}),
            Team(id="team-2", slug="initech", members={TOKEN}),
            Team(id="team-3", slug="globex", members=set()),
        ]
        self._listener = Listener()
        self._port = self._listener.open(_make_handler(self))
        self._listener.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/api/v1"

    def stop(self) -> None:
        self._listener.stop()

    def add_fault(self, method: str, path: str, fault: Fault, *, times: int = 1) -> None:
        """Answer matching requests with a fault; `path` is a regular expression."""
        self.faults.add(method, path, fault, times, 0)

    def find_site(self, name: str = "") -> Site | None:
        matches = (s for s in self.platform.sites.values() if s.name == (name or self.project))
        return next(matches, None)

    def find_team(self, slug: str) -> Team:
        return next(team for team in self.platform.teams if team.slug == slug)

    def list_deploys(self) -> list[Deploy]:
        """List the deployments of the site, oldest first."""
        site = self.find_site()
        return [item for item in self.platform.deploys.values() if site and item.site == site.id]

    def get_published(self) -> Deploy | None:
        site = self.find_site()
        return self.platform.deploys.get(site.published) if site else None

    def find_requests(self, method: str = "", path: str = "") -> list[RecordedRequest]:
        return [r for r in self.requests if method in {"", r.method} and path in r.path]

    # The protocol `mastra_deployer.testing.FakePlatform`.

    def get_settings(self) -> Mapping[str, Any]:
        settings = {"project_name": self.project, "scope": TEAM}
        return {**settings, "interpreter": self.interpreter}

    def get_live(self, environment: str) -> Any:
        from mastra_deployer.testing.fake_platform import Live

        deploy = self.get_published()
        if environment == "preview":
            previews = [d for d in self.list_deploys() if d.context == "branch-deploy"]
            deploy = next((d for d in reversed(previews) if d.state == "ready"), None)
        if deploy is None:
            return None
        return Live(id=deploy.id, files=self.platform.list_files(deploy), env=dict(deploy.env))

    def list_resources(self) -> Sequence[str]:
        return [*self.platform.sites, *self.platform.deploys]

    def reset(self) -> None:
        with self.platform.lock:
            self.platform.clear()
            self.clear_faults()

    def clear_faults(self) -> None:
        with self.platform.lock:
            self.faults.clear()
            self.platform.clear_faults()

    def reject_changes(self, words: str) -> None:
        self.platform.rejection = words

    def fail_deployments(self, words: str) -> None:
        self.platform.failure = words

    def hang_deployments(self) -> None:
        self.platform.hang = True

    def get_traffic(self) -> Mapping[str, int]:
        deploy = self.get_published()
        return {deploy.id: 100} if deploy else {}

    def write_log(self, text: str) -> None:
        deploy = self.get_published()
        assert deploy is not None, "no deployment is live"
        self.platform.log(deploy.id, text)


def _make_handler(fake: FakeNetlify) -> Any:
    class Connection(HttpConnection):
        server_version = "Netlify"

        def respond(self, content: bytes) -> None:
            if self.headers.get("upgrade", "").lower() == "websocket":
                self._follow_log()
                return
            address = urlsplit(self.path)
            request = Request(
                platform=fake.platform,
                method=self.command,
                path=address.path,
                query=parse_qs(address.query, keep_blank_values=True),
                headers={name.lower(): value for name, value in self.headers.items()},
                content=content,
            )
            fault = fake.faults.take(request.method, request.path)
            if fault is not None:
                self.send(fault.status, fault.headers, fault.raw)
                return
            response = _respond(request)
            fake.requests.append(_record(request, response))
            body = b"" if response.body is None else json.dumps(response.body).encode()
            kind = {"content-type": "application/json; charset=utf-8"}
            self.send(response.status, {**kind, **response.headers}, body)

        def _follow_log(self) -> None:
            lines = [f"{self.command} {self.path} HTTP/1.1"]
            lines += [f"{name}: {value}" for name, value in self.headers.items()]
            head = "\r\n".join([*lines, "", ""]).encode()
            serve_log(fake.platform, self.connection, head, fake.token)
            self.close_connection = True

    def handle_connection(connection: socket.socket, address: tuple[str, int]) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            Connection(connection, address)

    return handle_connection


def _respond(request: Request) -> Response:
    try:
        with request.platform.lock:
            request.token = request.headers.get("authorization", "").removeprefix("Bearer ")
            known_tokens = set().union(*(team.members for team in request.platform.teams))
            if request.token not in known_tokens:
                raise ApiError(401, "Access Denied")
            handler, request.arguments = find_route(request.method, request.path)
            if request.platform.rejection and request.method not in SAFE_METHODS:
                raise ApiError(422, request.platform.rejection)
            result = handler(request)
    except ApiError as error:
        return Response(status=error.status, body=error.body, headers=error.headers)
    return result if isinstance(result, Response) else Response(body=result)


def _record(request: Request, response: Response) -> RecordedRequest:
    is_json = "json" in request.headers.get("content-type", "")
    return RecordedRequest(
        method=request.method,
        path=request.path,
        query=request.query,
        headers=tuple(sorted(request.headers)),
        size=len(request.content),
        status=response.status,
        body=json.loads(request.content) if is_json and request.content else None,
        response=response.body,
    )
