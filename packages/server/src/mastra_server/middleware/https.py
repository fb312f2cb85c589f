"""Redirect plain HTTP to HTTPS, and tell browsers to use HTTPS only (HSTS)."""

from __future__ import annotations

from mastra_server.http.asgi import App, Message, Receive, Scope, Send
from mastra_server.http.health import HEALTH_PATHS
from mastra_server.http.responses import json_response

__all__ = ("HttpsOnly",)

_HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


class HttpsOnly:
    """Redirect plain HTTP to HTTPS with status 308, so that method and body stay the same.

    If a proxy terminates TLS, the ASGI server must trust this proxy.

    :param app: the inner ASGI application.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on HTTPS requests and health checks, and redirect all other requests.

        :param scope: the ASGI scope.
        :param receive: the ASGI receive callable.
        :param send: the ASGI send callable.
        """
        if scope["path"] in HEALTH_PATHS:
            await self._app(scope, receive, send)
            return
        if scope["scheme"] != "https":
            await _build_redirect(scope)(scope, receive, send)
            return

        async def send_with_hsts(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), _HSTS]
            await send(message)

        await self._app(scope, receive, send_with_hsts)


def _build_redirect(scope: Scope) -> App:
    host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
    if not host:
        return json_response({"error": "HTTPS only"}, 400)
    query = scope["query_string"].decode("latin-1")
    target = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
    return json_response({"error": "HTTPS only"}, 308, {"location": f"https://{host}{target}"})
