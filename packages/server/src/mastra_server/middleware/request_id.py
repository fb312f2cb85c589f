"""Give each request an id: the caller's id if it is valid, or else a new one."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable

from mastra_core.logs.log_fields import set_log_fields
from mastra_server.http.asgi import App, Message, Receive, Scope, Send

__all__ = ("RequestId",)

_VALID_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_DIGITS = 32  # of a new id
_SUPPLY = 128  # ids that one call of the operating system supplies


class _IdSupply:
    """Makes random ids, many at a time; a system call for each would slow small requests by 2 %."""

    def __init__(self) -> None:
        self._ids: list[bytes] = []

    def take(self) -> bytes:
        """Return an id that no other request has."""
        try:
            return self._ids.pop()
        except IndexError:
            digits = os.urandom(_SUPPLY * _DIGITS // 2).hex().encode()
            first, *others = [
                digits[start : start + _DIGITS] for start in range(0, len(digits), _DIGITS)
            ]
            self._ids.extend(others)
            return first

    def clear(self) -> None:
        """Discard the ids in a forked process, because the parent process will use the same ids."""
        self._ids.clear()


_SUPPLIED_IDS = _IdSupply()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_SUPPLIED_IDS.clear)


class RequestId:
    """Put an id for each request into ``request.state.request_id`` and the header ``x-request-id``.

    :param app: the inner ASGI application.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass on the request with its id.

        :param scope: the ASGI scope.
        :param receive: the ASGI receive callable.
        :param send: the ASGI send callable.
        """
        request_id = _find_request_id(scope) or _SUPPLIED_IDS.take()
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
