"""The API over HTTP: parse, authorize, count, dispatch and record each request."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.platform_fakes.connection import HttpConnection
from tests.platform_fakes.recorded_request import SAFE_METHODS, RecordedRequest
from tests.vercel.fake.routes import (  # noqa: F401  # importing a module registers its routes
    aliases,
    build_events,
    checks,
    create_deployment,
    custom_environments,
    deployments,
    env_vars,
    files,
    log_events,
    projects,
    promotion,
    protection,
    rolling_releases,
    runtime_logs,
)
from tests.vercel.fake.routes.accounts import authorize
from tests.vercel.fake.state.platform_state import PlatformState
from tests.vercel.fake.transport.request import ApiError, Request, Response
from tests.vercel.fake.transport.routing import find_route


def make_connection_handler(
    platform: PlatformState, record: Callable[[RecordedRequest], None]
) -> Callable[..., object]:
    """Return the handler for connections to the API's port."""

    class ApiConnection(HttpConnection):
        server_version = "Vercel"

        def respond(self, content: bytes) -> None:
            address = urlsplit(self.path)
            query = parse_qs(address.query, keep_blank_values=True)
            request = Request(
                platform=platform,
                method=self.command,
                path=address.path,
                query=query,
                headers={name.lower(): value for name, value in self.headers.items()},
                content=content,
            )
            response = _respond(request)
            record(_record(request, response))
            raw = response.raw if response.raw is not None else _encode_json(response.body)
            content_type = {"content-type": "application/json; charset=utf-8"}
            request_id = f"iad1::fake-{time.time_ns()}"
            self.send(
                response.status,
                {**content_type, "x-vercel-id": request_id, **response.headers},
                raw,
            )

    def handle_connection(connection: socket.socket, address: tuple[str, int]) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            ApiConnection(connection, address)

    return handle_connection


def _respond(request: Request) -> Response:
    fault = request.platform.faults.take(request.method, request.path)
    if fault is not None:
        return Response.from_fault(fault)
    headers: Mapping[str, str] = {}
    try:
        route, request.arguments = find_route(request.method, request.path)
        with request.platform.lock:
            headers = request.platform.limits.count(route.limit_key)
            authorize(request)
            if request.platform.rejection and request.method not in SAFE_METHODS:
                raise ApiError(400, "bad_request", request.platform.rejection)
            result = route.handler(request)
    except ApiError as error:
        response = error.to_response()
        headers = {**headers, **request.platform.limits.get_rejection_headers(error)}
    else:
        response = result if isinstance(result, Response) else Response(body=result)
    return dataclasses.replace(response, headers={**headers, **response.headers})


def _encode_json(body: Any) -> bytes:
    return b"" if body is None else json.dumps(body).encode()


def _record(request: Request, response: Response) -> RecordedRequest:
    return RecordedRequest(
        method=request.method,
        path=request.path,
        query=request.query,
        headers=tuple(sorted(request.headers)),
        size=len(request.content),
        status=response.status,
        body=_decode_json(request.content)
        if "json" in request.headers.get("content-type", "")
        else None,
        response=response.body,
    )


def _decode_json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
