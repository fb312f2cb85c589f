"""The user's middleware: an onion of functions, each around everything that follows it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from litestar import Request, Response
from litestar.datastructures import MutableScopeHeaders
from litestar.exceptions import ClientException
from litestar.middleware import ASGIMiddleware, DefineMiddleware

from mastra_core import Middleware
from mastra_server.http.asgi import App, Message, Receive, Scope, Send
from mastra_server.http.health import HEALTH_PATHS
from mastra_server.http.paths import PathPattern
from mastra_server.http.responses import cancel_tasks

__all__ = ("Answer", "wrap_user_middleware")

Handler = Callable[..., Any]


def wrap_user_middleware(app: App, middleware: Sequence[Middleware]) -> App:
    """``app`` inside all of ``middleware``, the first outermost.

    :raises ConfigError: for a path with ``*`` anywhere but at its end.
    """
    for item in reversed(middleware):
        app = _OnPath(_wrapped(item.handler, app), app, item.path)
    return app


def _wrapped(handler: Any, app: App) -> App:
    made: App
    if isinstance(handler, type):
        make: Any = handler
        made = make(app=app)
    elif isinstance(handler, DefineMiddleware | ASGIMiddleware):
        made = handler(app)
    else:
        made = _Onion(handler, app)
    return made


class _OnPath:
    """Chooses between the middleware and what lies behind it."""

    def __init__(self, inside: App, outside: App, path: str) -> None:
        self._pattern = PathPattern(path, "middleware")
        self._inside = inside
        self._outside = outside

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        chosen = self._inside if self._matches(scope) else self._outside
        await chosen(scope, receive, send)

    def _matches(self, scope: Scope) -> bool:
        path = scope["path"]
        return path not in HEALTH_PATHS and self._pattern.matches(path)


class Answer:
    """What ``await next(request)`` gives: the head of an answer whose body is still to come.

    Change ``status_code`` and ``headers`` and return it; the body then flows through piece by
    piece, untouched.
    """

    def __init__(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        self.status_code = 0
        self.headers: MutableMapping[str, str] = MutableScopeHeaders({"headers": []})
        self._send = send
        self._begun = asyncio.Event()
        self._released = asyncio.Event()
        self._task = asyncio.create_task(_run(app, scope, receive, self._take))

    async def begun(self) -> Answer:
        """Wait for the head; what was raised instead of one is raised here."""
        waiting = asyncio.create_task(self._begun.wait())
        try:
            await asyncio.wait((self._task, waiting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel_tasks(waiting)
        if not self._begun.is_set():
            await self._task
            raise RuntimeError("the application ended without an answer")
        return self

    async def finish(self) -> None:
        """Let the head and the body out, and wait for their end."""
        self._released.set()
        await self._task

    async def abandon(self) -> None:
        """Stop what still runs behind this answer."""
        await cancel_tasks(self._task)

    async def _take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status_code = message["status"]
            self.headers = MutableScopeHeaders({"headers": list(message.get("headers", ()))})
            self._begun.set()
            await self._released.wait()
            headers: Any = self.headers
            message = {**message, "status": self.status_code, "headers": headers.headers}
        await self._send(message)


class _EarlyRequest(Request[Any, Any, Any]):
    """A request before its route is known; Litestar's asks the route how long a body may be."""

    async def stream(self) -> AsyncGenerator[bytes, None]:
        more = True
        while more:
            event: Message = await self.receive()
            if event["type"] == "http.disconnect":
                raise ClientException("the client left")
            yield event.get("body", b"")
            more = event.get("more_body", False)


async def _run(app: App, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


class _Onion:
    """One function around the rest of the application."""

    def __init__(self, handler: Handler, app: App) -> None:
        self._handler = handler
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        inner: list[Answer] = []

        async def next_(_: Any = None) -> Answer:
            if inner:
                raise RuntimeError("a middleware may call next once")
            inner.append(Answer(self._app, scope, receive, send))
            return await inner[0].begun()

        request = _EarlyRequest(scope, receive, send)
        try:
            answer = await _call(self._handler, request, next_)
            if isinstance(answer, Answer):
                await answer.finish()
                return
        finally:
            for each in inner:
                await each.abandon()
        await _own(answer, self._handler, request)(scope, receive, send)


async def _call(
    handler: Handler, request: Request[Any, Any, Any], next_: Callable[..., Awaitable[Answer]]
) -> Any:
    answer = handler(request, next_)
    return await answer if inspect.isawaitable(answer) else answer


def _own(answer: Any, handler: Handler, request: Request[Any, Any, Any]) -> App:
    if isinstance(answer, Response):
        return answer.to_asgi_response(app=None, request=request)
    if callable(answer):
        return answer  # type: ignore[no-any-return]  # any ASGI application may answer
    name = getattr(handler, "__qualname__", repr(handler))
    raise TypeError(f"the middleware {name} returned {answer!r}, not an answer")
