"""Trace requests, and read the trace ids of workflow runs."""

from __future__ import annotations

import asyncio
from typing import Any

from mastra_core import telemetry
from mastra_core.freezing import freezes_between_requests
from mastra_core.workflows import Run
from mastra_server.http.asgi import App, Message, Receive, Scope, Send
from mastra_server.http.health import HEALTH_PATHS

__all__ = (
    "RequestSpans",
    "get_trace_ids",
)

_FLUSH_SECONDS = 1.0
_TRACE_IDS: tuple[str, ...] = ("traceId", "spanId")


class RequestSpans:
    """Open a server span for each request except health checks, as a child of the caller's span.

    :param app: the inner ASGI application.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._flushes = freezes_between_requests()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on within a span that ends with the last byte of the response.

        :param scope: the ASGI scope.
        :param receive: the ASGI receive callable.
        :param send: the ASGI send callable.
        """
        if not telemetry.is_recording() or scope["path"] in HEALTH_PATHS:
            await self._app(scope, receive, send)
            return
        with telemetry.start_request_span(scope["method"], scope["headers"]) as span:
            if span is None:
                await self._app(scope, receive, send)
                return
            span.set_attributes(_describe_request(scope))

            async def watch(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _record_response(span, scope, message["status"])
                await send(message)

            await self._app(scope, receive, watch)
        if self._flushes:
            # The platform may freeze the process when this call returns.
            await asyncio.to_thread(telemetry.flush_spans, _FLUSH_SECONDS)


def get_trace_ids(run: Run) -> dict[str, str]:
    """Return the ``traceId`` and ``spanId`` of a workflow run.

    :param run: the run; if the engine has no trace for it, the ids of the request's span are
        returned.
    :returns: the trace ids; empty if tracing is off.
    """
    if not telemetry.is_recording():
        return {}
    run_trace: dict[str, str] = getattr(run, "trace", {})  # may have the baggage too
    ids = {name: run_trace[name] for name in _TRACE_IDS if name in run_trace}
    return ids or telemetry.get_span_ids(telemetry.get_current_span())


def _describe_request(scope: Scope) -> dict[str, Any]:
    """Return the attributes of a request in OpenTelemetry's conventions for HTTP servers.

    The URL's query string is left out, because it may contain credentials.
    """
    attributes = {
        "http.request.method": scope["method"],
        "url.path": scope["path"],
        "url.scheme": scope["scheme"],
        "network.protocol.version": scope["http_version"],
    }
    if scope.get("server"):
        attributes["server.address"], attributes["server.port"] = scope["server"]
    if scope.get("client"):
        attributes["client.address"] = scope["client"][0]
    for name, value in scope["headers"]:
        if name == b"user-agent":
            attributes["user_agent.original"] = value.decode("latin-1")
    return attributes


def _record_response(span: Any, scope: Any, status: int) -> None:
    route = scope.get("path_template")
    if route:  # set once Litestar has routed the request
        span.update_name(f"{scope['method']} {route}")
        span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    if status >= 500:  # noqa: PLR2004  # HTTP's own number
        from opentelemetry.trace import StatusCode

        span.set_attribute("error.type", str(status))
        span.set_status(StatusCode.ERROR)
