"""Measure requests: their number, their duration, and how many are active."""

from __future__ import annotations

import time

from mastra_core.metrics import record
from mastra_core.metrics.definitions import ACTIVE_REQUESTS, REQUEST_DURATION
from mastra_server.http.asgi import App, Message, Receive, Scope, Send
from mastra_server.http.health import HEALTH_PATHS

__all__ = ("METRICS_PATH", "RequestMetrics")

METRICS_PATH = "/metrics"
_METHODS = frozenset("GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT QUERY".split())


class RequestMetrics:
    """Measure requests by method, route and status; the route is ``none`` if no route matches.

    Health checks and requests for the metrics are not measured.

    :param app: the inner ASGI application.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and measure it to the last byte of its response.

        :param scope: the ASGI scope.
        :param receive: the ASGI receive callable.
        :param send: the ASGI send callable.
        """
        if scope["path"] in HEALTH_PATHS or scope["path"] == METRICS_PATH:
            await self._app(scope, receive, send)
            return
        status = 500
        started_at = time.perf_counter()

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        record(ACTIVE_REQUESTS, 1)
        try:
            await self._app(scope, receive, watch)
        finally:
            seconds = time.perf_counter() - started_at
            record(REQUEST_DURATION, seconds, *_build_labels(scope, status))
            record(ACTIVE_REQUESTS, -1)


def _build_labels(scope: Scope, status: int) -> tuple[str, str, str]:
    method = scope["method"]
    route = scope.get("path_template") or "none"
    return (method if method in _METHODS else "other", route, str(status))
