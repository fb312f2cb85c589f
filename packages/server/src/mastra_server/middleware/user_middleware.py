"""Run the user's middleware functions; each one wraps the functions after it and the routes."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping, Sequence
from typing import Any, cast

from litestar import Request, Response
from litestar.datastructures import MutableScopeHeaders
from litestar.exceptions import ClientException
from litestar.middleware import ASGIMiddleware, DefineMiddleware

from mastra_core import Middleware
from mastra_core.errors import ConfigError
from mastra_server.http.asgi import App, Message, Receive, Scope, Send
from mastra_server.http.health import HEALTH_PATHS
from mastra_server.http.paths import PathPattern
from mastra_server.http.responses import cancel_tasks

__all__ = ("PendingResponse", "wrap_user_middleware")

Handler = Callable[..., Any]


def wrap_user_middleware(app: App, middleware: Sequence[Middleware]) -> App:
    """Wrap ``app`` in all of ``middleware``; the first item is outermost.

    :param app: the inner ASGI application.
    :param middleware: the functions or ASGI middleware, with their paths.
    :returns: the wrapped application.
    :raises ConfigError: when a path contains ``*`` before its end, or a class cannot be created.
    """
    for item in reversed(middleware):
        app = _PathFilter(_wrap(item.handler, app), app, item.path)
    return app


def _wrap(handler: Any, app: App) -> App:
    if isinstance(handler, type):
        factory: Any = handler
        try:
            return cast("App", factory(app=app))
        except TypeError as error:
            raise ConfigError(
                f"The middleware class {handler.__name__!r} cannot be created: {error}.",
                "Write an ASGI middleware class, whose only required argument is app.",
            ) from None
    if isinstance(handler, DefineMiddleware | ASGIMiddleware):
        return handler(app)
    return _FunctionMiddleware(handler, app)


class _PathFilter:
    """Call the middleware if its pattern matches the path; otherwise call the application."""

    def __init__(self, inside: App, outside: App, path: str) -> None:
        self._pattern = PathPattern(path, "middleware")
        self._inside = inside
        self._outside = outside

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._inside if self._matches(scope) else self._outside
        await app(scope, receive, send)

    def _matches(self, scope: Scope) -> bool:
        path = scope["path"]
        return path not in HEALTH_PATHS and self._pattern.matches(path)


class PendingResponse:
    """The result of ``await next(request)``: the head of a response that is not sent yet.

    A middleware may change ``status_code`` and ``headers``, and then returns this object. The body
    is passed on unchanged, in chunks.

    :param app: the inner ASGI application.
    :param scope: the ASGI scope.
    :param receive: the ASGI receive callable.
    :param send: the ASGI send callable.
    """

    def __init__(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        self.status_code = 0
        self.headers: MutableMapping[str, str] = MutableScopeHeaders({"headers": []})
        self._send = send
        self._head_received = asyncio.Event()
        self._released = asyncio.Event()
        self._task = asyncio.create_task(_run_app(app, scope, receive, self._forward))

    async def wait_for_head(self) -> PendingResponse:
        """Wait for the head of the response.

        :returns: this object.
        :raises Exception: any exception that the application raised instead of responding.
        """
        head_task = asyncio.create_task(self._head_received.wait())
        try:
            await asyncio.wait((self._task, head_task), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel_tasks(head_task)
        if not self._head_received.is_set():
            await self._task
            raise RuntimeError("the application ended without a response")
        return self

    async def finish(self) -> None:
        """Send the head and the body, and wait until both are complete."""
        self._released.set()
        await self._task

    async def cancel(self) -> None:
        """Cancel the application that sends this response, if it is still running."""
        await cancel_tasks(self._task)

    async def _forward(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status_code = message["status"]
            self.headers = MutableScopeHeaders({"headers": list(message.get("headers", ()))})
            self._head_received.set()
            await self._released.wait()
            headers: Any = self.headers
            message = {**message, "status": self.status_code, "headers": headers.headers}
        await self._send(message)


class _UnroutedRequest(Request[Any, Any, Any]):
    """A request that is not routed yet, so that no route's body limit applies to it."""

    async def stream(self) -> AsyncGenerator[bytes, None]:
        more = True
        while more:
            event: Message = await self.receive()
            if event["type"] == "http.disconnect":
                raise ClientException("the client disconnected")
            yield event.get("body", b"")
            more = event.get("more_body", False)


async def _run_app(app: App, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


class _FunctionMiddleware:
    """One middleware function, which wraps the rest of the application."""

    def __init__(self, handler: Handler, app: App) -> None:
        self._handler = handler
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        inner: list[PendingResponse] = []

        async def next_(_: Any = None) -> PendingResponse:
            if inner:
                raise RuntimeError("a middleware may call next only once")
            inner.append(PendingResponse(self._app, scope, receive, send))
            return await inner[0].wait_for_head()

        request = _UnroutedRequest(scope, receive, send)
        try:
            response = await _call_handler(self._handler, request, next_)
            if isinstance(response, PendingResponse):
                await response.finish()
                return
        finally:
            for each in inner:
                await each.cancel()
        await _to_app(response, self._handler, request)(scope, receive, send)


async def _call_handler(
    handler: Handler,
    request: Request[Any, Any, Any],
    next_: Callable[..., Awaitable[PendingResponse]],
) -> Any:
    response = handler(request, next_)
    return await response if inspect.isawaitable(response) else response


def _to_app(response: Any, handler: Handler, request: Request[Any, Any, Any]) -> App:
    if isinstance(response, Response):
        return response.to_asgi_response(app=None, request=request)
    if callable(response):
        return response  # type: ignore[no-any-return]  # any ASGI application may answer
    name = getattr(handler, "__qualname__", repr(handler))
    raise TypeError(f"the middleware {name} returned {response!r}, which is not a response")
