"""Pass requests of the Worker to the ASGI app, through the bridge of the Worker's SDK."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable
from typing import Any

from mastra_deployer_cloudflare.worker.client_connection import (
    SCHEDULED_PATH,
    Connection,
    add_addresses,
    build_scheduled_scope,
    is_scheduled_url,
)
from mastra_deployer_cloudflare.worker.isolate_app import IsolateApp
from mastra_deployer_cloudflare.worker.lifespan import StartError
from mastra_deployer_cloudflare.worker.variables import copy_variables

__all__ = ("handle_request", "handle_scheduled", "keep_alive")

_HEADERS = {"content-type": "application/json", "cache-control": "no-store"}
_FIRST_ERROR, _NOT_FOUND_STATUS = 400, 404
_CANNOT_START = '{"error":"The application cannot start."}'
_FAILED = '{"error":"Internal Server Error"}'
_NOT_FOUND = '{"error":"Not Found"}'
_TOO_LARGE = '{"error":"Request body too large"}'
_context: contextvars.ContextVar[Any] = contextvars.ContextVar("worker_context")


class _BodyTooLarge(Exception):
    """The body of the request has more bytes than the app accepts."""


class _Request:
    """A request; its headers are read from JavaScript only once."""

    def __init__(self, request: Any, limit: int) -> None:
        from js import Array

        raw = request.js_object
        self.method, self.url = raw.method, raw.url
        self.headers: list[list[str]] = getattr(Array, "from")(raw.headers).to_py()
        self._limit = limit
        self._body = raw.body

    def find_header(self, name: str) -> str:
        """Return the value of a header; empty if it is missing.

        :param name: the name of the header, in lower case.
        """
        return next((value for key, value in self.headers if key == name), "")

    @property
    def body(self) -> AsyncIterator[Any] | None:
        return self._iter_body() if self._body else None

    async def _iter_body(self) -> AsyncIterator[Any]:
        size = 0
        async for chunk in self._body:
            size += chunk.byteLength
            if size > self._limit:
                raise _BodyTooLarge
            yield chunk


async def handle_request(isolate: IsolateApp, request: Any, env: Any, context: Any) -> Any:
    """Return the app's response to a request, as an object of JavaScript or of the SDK.

    :param isolate: the app of this isolate.
    :param request: the request, as an object of the SDK.
    :param env: the bindings.
    :param context: the execution context of the request.
    """
    _enter(isolate, env, context)
    limited = _Request(request, isolate.options.body_limit)
    if _get_content_length(limited) > isolate.options.body_limit:
        return _respond(413, _TOO_LARGE)
    if is_scheduled_url(limited.url):  # for cron triggers only
        return _respond(404, _NOT_FOUND)
    try:
        app = await isolate.start(keep_alive)
    except StartError:
        return _respond(500, _CANNOT_START)
    if limited.find_header("upgrade").lower() == "websocket":
        return await _open_websocket(app, request, env, isolate.state)
    try:
        return await _call_app(app, limited, env, isolate.state)
    except _BodyTooLarge:
        return _respond(413, _TOO_LARGE)
    except Exception as error:  # noqa: BLE001  # the runtime would hide it from the log
        sys.stderr.write("".join(traceback.format_exception(error)))
        return _respond(500, _FAILED)


async def handle_scheduled(isolate: IsolateApp, controller: Any, env: Any, context: Any) -> None:
    """Send the app ``POST /cdn-cgi/handler/scheduled``, and then continue durable runs.

    :param isolate: the app of this isolate.
    :param controller: the object that has the cron expression and the scheduled time of the
        trigger.
    :param env: the bindings.
    :param context: the execution context of the trigger.
    :raises RuntimeError: when the response of the app is an error.
    """
    _enter(isolate, env, context)
    app = await isolate.start(keep_alive)
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = build_scheduled_scope(controller.cron, int(controller.scheduledTime))
    connection = Connection({**scope, "env": env, "state": dict(isolate.state)}, receive, send, ())
    try:
        await connection.call(app)
    finally:  # runs may take all the time of the trigger
        has_continued = await _continue_runs(app)
    if has_continued and statuses == [_NOT_FOUND_STATUS]:  # the app needs no route for this
        return
    if not statuses or statuses[0] >= _FIRST_ERROR:
        raise RuntimeError(f"The app answered {statuses or 'nothing'} to POST {SCHEDULED_PATH}.")


async def _continue_runs(app: Any) -> bool:
    """Continue the app's waiting durable runs; return whether the app has durable runs."""
    mastra = getattr(getattr(app, "state", None), "mastra", None)
    engine = getattr(mastra, "durable_engine", None)
    if engine is None:
        return False
    from mastra_core.request_scope import enter_request

    with enter_request():
        await engine.continue_runs()
    return True


def keep_alive(work: Awaitable[Any]) -> None:
    """Let a task of the current request continue after the response, if the platform allows it.

    :param work: a task, or another object that can be awaited.
    """
    from pyodide.ffi import create_proxy

    task = asyncio.ensure_future(work)
    proxy = create_proxy(task)
    _context.get().waitUntil(proxy)
    task.add_done_callback(lambda _: proxy.destroy())


def _enter(isolate: IsolateApp, env: Any, context: Any) -> None:
    """Make a request's bindings and context available to all code that handles the request."""
    copy_variables(isolate.options.variables, env)
    _context.set(context)
    if storage := sys.modules.get("mastra_core.storage.d1_binding"):
        storage.set_environment(getattr(env, "_env", env))


async def _call_app(app: Any, request: _Request, env: Any, state: dict[str, Any]) -> Any:
    from js import AbortController
    from pyodide.ffi import JsException
    from workers.asgi import process_request

    failure = AbortController.new()

    async def call(scope: Any, receive: Any, send: Any) -> None:
        await Connection(scope, receive, send, JsException, failure.abort).call(app)

    response, task = await process_request(call, request, env, None, state=state)
    if task.done() and not failure.signal.aborted:
        return response
    keep_alive(task)  # the response is a stream
    return _abort_body_on(failure.signal, response)


def _abort_body_on(signal: Any, response: Any) -> Any:
    """Return a response whose body the signal can abort, so that the client notices a failure.

    Without the signal, Cloudflare's bridge ends the body normally even if the app fails.
    """
    from js import Object, Response, TransformStream
    from pyodide.ffi import to_js

    options = to_js({"signal": signal}, dict_converter=Object.fromEntries)
    return Response.new(response.body.pipeThrough(TransformStream.new(), options), response)


async def _open_websocket(app: Any, request: Any, env: Any, state: dict[str, Any]) -> Any:
    from workers.asgi import websocket

    async def call(scope: Any, receive: Any, send: Any) -> None:
        await app(_fix_websocket_scope(scope, state), receive, send)

    return await websocket(call, request, env)


def _fix_websocket_scope(scope: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
    """Correct a WebSocket scope: remove the HTTP method, and add fields that ASGI requires."""
    wanted = dict(scope["headers"]).get(b"sec-websocket-protocol", b"").decode("latin-1")
    fixed = {
        **{name: value for name, value in scope.items() if name != "method"},
        "scheme": "wss" if scope["scheme"] == "https" else "ws",
        "subprotocols": [item.strip() for item in wanted.split(",") if item.strip()],
        "state": dict(state),
    }
    add_addresses(fixed)
    return fixed


def _get_content_length(request: _Request) -> int:
    value = request.find_header("content-length")
    return int(value) if value.isascii() and value.isdigit() else 0


def _respond(status: int, body: str) -> Any:
    from workers import Response

    return Response(body, status=status, headers=_HEADERS)
