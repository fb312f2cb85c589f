"""Call the ASGI app for one request, as an ASGI server calls it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

__all__ = (
    "SCHEDULED_PATH",
    "Connection",
    "add_addresses",
    "build_scheduled_scope",
    "is_scheduled_url",
)

SCHEDULED_PATH = "/cdn-cgi/handler/scheduled"
_SCHEDULED_PARTS = SCHEDULED_PATH.strip("/").split("/")
_CLIENT = b"cf-connecting-ip"

Message = dict[str, Any]


class Connection:
    """The connection of a request, whose client may leave before the response is complete.

    When the client has left, the app receives ``http.disconnect``, and this object ignores what the
    app sends.

    :param scope: the scope of the request, to which the addresses of client and server are added.
    :param receive: the ASGI receive callable, which returns the body of the request.
    :param send: the ASGI send callable, which sends the response.
    :param closed_error: the exception that ``send`` raises for a client that has left.
    :param break_off: a function to call with the reason when the app fails before its response is
        complete.
    """

    def __init__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
        closed_error: type[BaseException] | tuple[()],
        break_off: Callable[[str], object] | None = None,
    ) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._closed_error = closed_error
        self._break_off = break_off
        self._is_body_read = False
        self._is_closed = asyncio.Event()

    async def call(self, app: Callable[..., Awaitable[None]]) -> None:
        """Call the app.

        :param app: the ASGI application.
        :raises RuntimeError: when the app is cancelled; without an error, the bridge would wait
            forever for a response.
        """
        add_addresses(self._scope)
        try:
            await app(self._scope, self.receive, self.send)
        except asyncio.CancelledError as error:
            self._fail()
            raise RuntimeError("The request was cancelled.") from error
        except Exception:
            self._fail()
            raise

    def _fail(self) -> None:
        if self._break_off is not None and not self._is_closed.is_set():
            self._break_off("The app failed before its response was complete.")

    async def receive(self) -> Message:
        """Return the next part of the body; after the last one, wait for the response to end."""
        if not self._is_body_read:
            message = await self._receive()
            self._is_body_read = not message.get("more_body")
            return message
        await self._is_closed.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Send a message, unless the response is complete or the client has left.

        :param message: the message of the response.
        """
        if self._is_closed.is_set():
            return
        try:
            await self._send(message)
        except self._closed_error:
            self._is_closed.set()
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self._is_closed.set()


def add_addresses(scope: Message) -> None:
    """Read the addresses of the client and the server from the headers, and add them to a scope.

    :param scope: the ASGI scope of a request or a WebSocket.
    """
    headers = dict(scope["headers"])
    if client := headers.get(_CLIENT):
        scope["client"] = (client.decode("latin-1"), 0)
    host, _, port = headers.get(b"host", b"").decode("latin-1").partition(":")
    default = 443 if scope["scheme"] in ("https", "wss") else 80
    scope["server"] = (host, int(port) if port.isdigit() else default)
    scope["root_path"] = ""


def is_scheduled_url(url: str) -> bool:
    """Return whether a router may treat a URL as ``SCHEDULED_PATH``, even if it is escaped.

    Routers decode the path, and some ignore empty parts of it.

    :param url: the URL of the request.
    """
    path = url.partition("?")[0].partition("://")[2].partition("/")[2]
    return [part for part in unquote(path).split("/") if part] == _SCHEDULED_PARTS


def build_scheduled_scope(cron: str, time: int) -> Message:
    """Return the scope of the request that the app gets for a cron trigger.

    :param cron: the cron expression of the trigger.
    :param time: the scheduled time in milliseconds since 1970.
    """
    from urllib.parse import urlencode

    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": SCHEDULED_PATH,
        "raw_path": SCHEDULED_PATH.encode(),
        "query_string": urlencode({"cron": cron, "time": time}).encode(),
        "headers": [(b"host", b"localhost"), (b"content-length", b"0")],
    }
