"""CORS: which pages of other origins may read the answers."""

from __future__ import annotations

import re

from mastra_core import Cors
from mastra_server.http.asgi import App, Message, Receive, Scope, Send

__all__ = ("CorsHeaders",)

_METHODS = "GET,POST,PUT,PATCH,DELETE,OPTIONS"
_HEADERS = (
    "Content-Type",
    "Authorization",
    "A2A-Version",
    "Last-Event-ID",
    "x-mastra-abort-on-disconnect",
    "x-mastra-client-type",
    "x-mastra-dev-playground",
)
_EXPOSED = b"Content-Length,X-Requested-With"
_THIS_MACHINE = re.compile(rb"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")


class CorsHeaders:
    """Answers preflights and marks every answer, errors too.

    :param dev: pages of this machine may also send credentials, as Mastra Studio does.
    """

    def __init__(self, app: App, settings: Cors, *, dev: bool = False) -> None:
        self._app = app
        self._settings = settings
        self._dev = dev
        self._anyone = "*" in settings.origins
        self._fixed = self._marks(b"") if self._alike else None
        self._preflight = [
            (b"access-control-allow-methods", _METHODS.encode()),
            (b"access-control-allow-headers", ",".join((*_HEADERS, *settings.headers)).encode()),
            (b"access-control-max-age", str(settings.max_age).encode()),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; a preflight ends here."""
        marks = self._fixed
        if marks is None or scope["method"] == "OPTIONS":
            headers = dict(scope["headers"])
            marks = self._marks(headers.get(b"origin", b""))
            if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
                await _no_content(send, [*marks, *self._preflight])
                return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _merged(message.get("headers", ()), marks)
            await send(message)

        await self._app(scope, receive, marked)

    @property
    def _alike(self) -> bool:
        """Whether every origin is answered the same."""
        return self._anyone and not self._settings.credentials and not self._dev

    def _marks(self, origin: bytes) -> list[tuple[bytes, bytes]]:
        if self._alike:
            return _allowed(b"*")
        vary = (b"vary", b"Origin")
        if self._dev and _THIS_MACHINE.fullmatch(origin):
            return [vary, *_allowed(origin, credentials=True)]
        if self._anyone and not self._settings.credentials:
            return [vary, *_allowed(b"*")]
        if origin and (self._anyone or origin.decode("latin-1") in self._settings.origins):
            return [vary, *_allowed(origin, credentials=self._settings.credentials)]
        return [vary]


def _allowed(origin: bytes, *, credentials: bool = False) -> list[tuple[bytes, bytes]]:
    marks = [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", _EXPOSED),
    ]
    return [*marks, (b"access-control-allow-credentials", b"true")] if credentials else marks


def _merged(headers: object, marks: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """A header that the application set itself wins."""
    own = list(headers)  # type: ignore[call-overload]  # ASGI's iterable of pairs
    names = {name.lower() for name, _ in own if name[:6].lower() == b"access"}
    return [*own, *(mark for mark in marks if mark[0] not in names)] if names else own + marks


async def _no_content(send: Send, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
