"""Measure requests for Prometheus: their number, their duration, and the active requests."""

from __future__ import annotations

import os
import time
from typing import Any

from litestar import get
from litestar.response.base import ASGIResponse

from mastra_core.errors import ConfigError
from mastra_core.telemetry import get_export_counts
from mastra_server.http.asgi import App, Message, Receive, Scope, Send
from mastra_server.http.health import HEALTH_PATHS

__all__ = ("Metrics",)

_PATH = "/metrics"


class Metrics:
    """Count requests by method, route and status; without a route, the route is ``none``.

    :raises ConfigError: without the package ``prometheus-client``.
    """

    def __init__(self) -> None:
        client = _import_client()
        self._registry = client.CollectorRegistry()
        labels = ("method", "route", "status")
        shared = {"registry": self._registry}
        self._seconds = client.Histogram(
            "http_server_request_duration_seconds",
            "From request to the last byte.",
            labels,
            **shared,
        )
        self._active = client.Gauge(
            "http_server_active_requests", "Under way.", multiprocess_mode="livesum", **shared
        )
        spans = client.Counter(
            "mastra_telemetry_spans",
            "Spans that were exported, and spans that were lost.",
            ("result",),
            **shared,
        )
        get_export_counts().watch(lambda result, count: spans.labels(result).inc(count))

    def wrap(self, app: App) -> App:
        """Wrap ``app`` to measure its requests, except health checks and requests of the metrics.

        :param app: the application inside.
        :returns: the wrapped application.
        """

        async def measure(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] in HEALTH_PATHS or scope["path"] == _PATH:
                await app(scope, receive, send)
                return
            status = 500
            started_at = time.perf_counter()

            async def watch(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            with self._active.track_inprogress():
                try:
                    await app(scope, receive, watch)
                finally:
                    route = scope.get("path_template") or "none"
                    labels = (scope["method"], route.replace(":str}", "}"), status)
                    self._seconds.labels(*labels).observe(time.perf_counter() - started_at)

        return measure

    def build_route(self) -> Any:
        """Build the route from which Prometheus reads the metrics."""

        @get(_PATH, include_in_schema=False)
        async def get_metrics() -> ASGIResponse:
            """Return every metric as text."""
            client = _import_client()
            body = client.generate_latest(self._get_registry())
            return ASGIResponse(body=body, headers={"content-type": client.CONTENT_TYPE_LATEST})

        return get_metrics

    def _get_registry(self) -> Any:
        """Return the registry of this process, or of all processes that share a directory."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return self._registry
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = _import_client().CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library has no types
        return registry


def _import_client() -> Any:
    try:
        import prometheus_client
    except ImportError:
        raise ConfigError(
            "Server(metrics=True) needs the package prometheus-client, which is not installed.",
            'Install it: pip install "mastra-server[metrics]".',
        ) from None
    return prometheus_client
