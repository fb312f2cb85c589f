"""One id for each request, the caller's where it brings a usable one."""

from __future__ import annotations

import os
import re

from mastra_server.http.asgi import App, Message, Receive, Scope, Send

__all__ = ("RequestId",)

_USABLE = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


class RequestId:
    """Puts the id into ``request.state.request_id`` and the header ``x-request-id``."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        name = _brought(scope) or os.urandom(16).hex().encode()
        scope["state"]["request_id"] = name.decode()

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", name)]
            await send(message)

        await self._app(scope, receive, marked)


def _brought(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _USABLE.fullmatch(value):
            return bytes(value)
    return None
