"""Give each request an id: the caller's id if it is valid, or else a new one."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable

from mastra_core.logs.log_fields import set_log_fields
from mastra_server.http.asgi import App, Message, Receive, Scope, Send

__all__ = ("RequestId",)

_VALID_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


class RequestId:
    """Put the id into ``request.state.request_id`` and the header ``x-request-id``.

    :param app: the application inside.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass on the request with its id.

        :param scope: the ASGI scope.
        :param receive: the ASGI receive callable.
        :param send: the ASGI send callable.
        """
        request_id = _find_request_id(scope) or os.urandom(16).hex().encode()
        scope["state"]["request_id"] = text = request_id.decode()
        set_log_fields(request_id=text)

        def send_with_id(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id)]
            return send(message)

        return self._app(scope, receive, send_with_id)


def _find_request_id(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _VALID_ID.fullmatch(value):
            return bytes(value)
    return None
