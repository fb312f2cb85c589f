"""Add the CORS headers that tell browsers which pages of other origins may read responses."""

from __future__ import annotations

import re
from collections.abc import Awaitable

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
_EXPOSED_HEADERS = b"Content-Length,X-Requested-With"
_LOCAL_ORIGIN = re.compile(rb"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")


class CorsHeaders:
    """Answer preflight requests, and add CORS headers to every response, including error responses.

    :param app: the inner ASGI application.
    :param settings: the origins, headers and credentials to allow.
    :param dev: allow pages on this machine to send credentials, as Mastra Studio does. Other pages
        are refused even if the origins contain ``*``, because in development, logs and traces need
        no authentication.
    """

    def __init__(self, app: App, settings: Cors, *, dev: bool = False) -> None:
        self._app = app
        self._settings = settings
        self._dev = dev
        any_origin = "*" in settings.origins and not dev
        self._constant_headers = _allow_origin(b"*") if any_origin else None
        self._preflight = [
            (b"access-control-allow-methods", _METHODS.encode()),
            (b"access-control-allow-headers", ",".join((*_HEADERS, *settings.headers)).encode()),
            (b"access-control-max-age", str(settings.max_age).encode()),
        ]

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer a preflight request; pass on other requests, and add headers to the response.

        :param scope: the ASGI scope.
        :param receive: the ASGI receive callable.
        :param send: the ASGI send callable.
        """
        cors_headers = self._constant_headers
        if cors_headers is None or scope["method"] == "OPTIONS":
            headers = dict(scope["headers"])
            cors_headers = cors_headers or self._build_headers(headers.get(b"origin", b""))
            if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
                return _send_no_content(send, [*cors_headers, *self._preflight])

        def send_with_headers(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = _merge_headers(message.get("headers", ()), cors_headers)
            return send(message)

        return self._app(scope, receive, send_with_headers)

    def _build_headers(self, origin: bytes) -> list[tuple[bytes, bytes]]:
        vary = (b"vary", b"Origin")
        if self._dev and _LOCAL_ORIGIN.fullmatch(origin):
            return [vary, *_allow_origin(origin, credentials=True)]
        if origin.decode("latin-1") in self._settings.origins:
            return [vary, *_allow_origin(origin, credentials=self._settings.credentials)]
        return [vary]


def _allow_origin(origin: bytes, *, credentials: bool = False) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", _EXPOSED_HEADERS),
    ]
    return [*headers, (b"access-control-allow-credentials", b"true")] if credentials else headers


def _merge_headers(
    headers: object, cors_headers: list[tuple[bytes, bytes]]
) -> list[tuple[bytes, bytes]]:
    """Add CORS headers, except headers that the application set itself."""
    own = list(headers)  # type: ignore[call-overload]  # ASGI's iterable of pairs
    names = {name.lower() for name, _ in own if name[:6].lower() == b"access"}
    return (
        [*own, *(header for header in cors_headers if header[0] not in names)]
        if names
        else own + cors_headers
    )


async def _send_no_content(send: Send, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
