"""Limit the size of request bodies and the time until a response begins."""

from __future__ import annotations

import asyncio

from mastra_server.http.asgi import App, Message, Receive, Scope, Send
from mastra_server.http.errors import BodyTooLarge, ErrorResponse
from mastra_server.http.responses import json_response
from mastra_server.middleware.deadlines import Deadlines

__all__ = ("BodyLimit", "TimeLimit")


class BodyLimit:
    """Refuse bodies of more than ``limit`` bytes, with or without a ``content-length``.

    :param app: the application inside.
    :param limit: the largest size in bytes.
    """

    def __init__(self, app: App, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; count the bytes of a body without ``content-length``.

        The ASGI server enforces a ``content-length``.

        :param scope: the ASGI scope.
        :param receive: the ASGI receive callable.
        :param send: the ASGI send callable.
        :raises BodyTooLarge: when the limit is exceeded while the body is read.
        """
        length = _get_content_length(scope)
        if length > self._limit:
            await ErrorResponse(BodyTooLarge("Request body too large"))(scope, receive, send)
            return
        if length >= 0:
            await self._app(scope, receive, send)
            return
        size = 0

        async def receive_counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message["body"]) if message["type"] == "http.request" else 0
            if size > self._limit:
                raise BodyTooLarge("Request body too large")
            return message

        await self._app(scope, receive_counted, send)


class TimeLimit:
    """Respond 504 where no response has begun after ``seconds``; never cut off a begun response.

    :param app: the application inside.
    :param seconds: the timeout.
    """

    def __init__(self, app: App, seconds: float) -> None:
        self._app = app
        self._deadlines = Deadlines(seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; cancel it when the time is over.

        :param scope: the ASGI scope.
        :param receive: the ASGI receive callable.
        :param send: the ASGI send callable.
        """
        deadline = self._deadlines.start()

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._deadlines.remove(deadline)
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except asyncio.CancelledError:
            if not deadline.withdraw():
                raise
            await json_response({"error": "Gateway Timeout"}, 504)(scope, receive, send)
        finally:
            self._deadlines.remove(deadline)
            deadline.withdraw()  # for code that swallowed the cancellation


def _get_content_length(scope: Scope) -> int:
    """Return the ``content-length`` of the body, -1 where there is none."""
    length = 0
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return -1
        if name == b"content-length":
            length = int(value) if value.isdigit() else -1
    return length
