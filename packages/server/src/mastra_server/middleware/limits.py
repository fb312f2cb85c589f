"""Limits: how large a request may be, and how long an answer may take to begin."""

from __future__ import annotations

import asyncio

from mastra_server.http.asgi import App, Message, Receive, Scope, Send
from mastra_server.http.errors import BodyTooLarge, ErrorResponse
from mastra_server.http.responses import json_response
from mastra_server.middleware.deadlines import Deadlines

__all__ = ("BodyLimit", "TimeLimit")


class BodyLimit:
    """Refuses a body of more than ``limit`` bytes, announced or not."""

    def __init__(self, app: App, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, counting what is not announced: more than was announced, no server lets in.

        :raises BodyTooLarge: when the limit is passed.
        """
        length = _announced(scope)
        if length > self._limit:
            await ErrorResponse(BodyTooLarge("Request body too large"))(scope, receive, send)
            return
        if length >= 0:
            await self._app(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message["body"]) if message["type"] == "http.request" else 0
            if seen > self._limit:
                raise BodyTooLarge("Request body too large")
            return message

        await self._app(scope, counted, send)


class TimeLimit:
    """Answers 504 where the answer has not begun after ``seconds``; a begun one is never cut."""

    def __init__(self, app: App, seconds: float) -> None:
        self._app = app
        self._deadlines = Deadlines(seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; the request is cancelled when the time is over."""
        deadline = self._deadlines.begin()

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._deadlines.met(deadline)
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except asyncio.CancelledError:
            if not deadline.taken_back():
                raise
            await json_response({"error": "Gateway Timeout"}, 504)(scope, receive, send)
        finally:
            self._deadlines.met(deadline)
            deadline.taken_back()  # by whoever kept the cancellation to himself


def _announced(scope: Scope) -> int:
    """How long the body will be; -1 where that is not said."""
    length = 0
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return -1
        if name == b"content-length":
            length = int(value) if value.isdigit() else -1
    return length
