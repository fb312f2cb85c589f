"""Limit the size of request bodies and the time until a response begins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from mastra_core.limits.memory_limit import fit_to_memory
from mastra_core.limits.shares import Shares
from mastra_server.http.asgi import App, Message, Receive, Scope, Send
from mastra_server.http.callers import read_client_address
from mastra_server.http.errors import BodyTooLarge, ErrorResponse, GatewayTimeout, TooManyRequests
from mastra_server.middleware.deadlines import create_deadlines

__all__ = ("BODY_BYTES", "BodyLimit", "TimeLimit")

_TOO_MANY = "Too many large requests of this client are in progress"
_SMALL_BODY = 64 * 1024  # bytes of a body that is not counted
# Of the larger bodies of all requests of this process.
BODY_BYTES = Shares(fit_to_memory(256 * 1024 * 1024))


class BodyLimit:
    """Refuse bodies of more than ``limit`` bytes, even without a ``content-length``.

    Until the response is complete, a large body also counts toward a limit of the client's address.
    If the bodies from one address exceed the limit, the request gets a 429.

    :param app: the inner ASGI application.
    :param limit: the largest size in bytes.
    """

    def __init__(self, app: App, limit: int) -> None:
        self._app = app
        self._limit = limit
        # A caller that takes small amounts gets half, and each body that is not too large must fit.
        BODY_BYTES.capacity = max(BODY_BYTES.capacity, 2 * limit)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass the request on; count the bytes of a body without ``content-length``.

        The ASGI server ensures that a body is not longer than its ``content-length``.

        :param scope: the ASGI scope.
        :param receive: the ASGI receive callable.
        :param send: the ASGI send callable.
        :raises BodyTooLarge: when the limit is exceeded while the body is read.
        :raises TooManyRequests: when the bodies of this client take too much memory.
        """
        length = _get_content_length(scope)
        if length > self._limit:
            return ErrorResponse(BodyTooLarge("Request body too large"))(scope, receive, send)
        if 0 <= length <= _SMALL_BODY:
            return self._app(scope, receive, send)
        return self._call_with_counted_body(length, scope, receive, send)

    async def _call_with_counted_body(
        self, length: int, scope: Scope, receive: Receive, send: Send
    ) -> None:
        caller = read_client_address(scope)
        size, reserved = 0, max(length, 0)
        if not BODY_BYTES.try_acquire(caller, reserved):
            await ErrorResponse(TooManyRequests(_TOO_MANY))(scope, receive, send)
            return

        async def receive_counted() -> Message:
            nonlocal size, reserved
            message = await receive()
            size += len(message["body"]) if message["type"] == "http.request" else 0
            if size > self._limit:
                raise BodyTooLarge("Request body too large")
            if size > reserved:
                if not BODY_BYTES.try_acquire(caller, size - reserved):
                    raise TooManyRequests(_TOO_MANY)
                reserved = size
            return message

        try:
            await self._app(scope, receive_counted, send)
        finally:
            BODY_BYTES.release(caller, reserved)


class TimeLimit:
    """Respond 504 if no response begins within ``seconds``; never interrupt a response.

    :param app: the inner ASGI application.
    :param seconds: the timeout.
    """

    def __init__(self, app: App, seconds: float) -> None:
        self._app = app
        self._deadlines = create_deadlines(seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and cancel it at the time limit.

        :param scope: the ASGI scope.
        :param receive: the ASGI receive callable.
        :param send: the ASGI send callable.
        """
        deadline = self._deadlines.start()

        def watch(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                self._deadlines.remove(deadline)
            return send(message)

        try:
            await self._app(scope, receive, watch)
        except asyncio.CancelledError:
            if not deadline.withdraw():
                raise
            await ErrorResponse(GatewayTimeout("Gateway Timeout"))(scope, receive, send)
        finally:
            self._deadlines.remove(deadline)
            deadline.withdraw()  # for code that has suppressed the cancellation


def _get_content_length(scope: Scope) -> int:
    """Return the ``content-length`` of the body; -1 if there is none."""
    length = 0
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return -1
        if name == b"content-length":
            length = int(value) if value.isdigit() else -1
    return length
