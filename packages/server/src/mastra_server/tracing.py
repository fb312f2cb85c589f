"""Spans around requests, and the ids that answers carry."""

from __future__ import annotations

from typing import Any

from mastra_core import telemetry
from mastra_server.asgi import App, Message, Receive, Scope, Send
from mastra_server.health import PATHS

__all__ = ("RequestSpans", "agent_span", "trace_ids")


class RequestSpans:
    """One server span a request, the child of what ``traceparent`` names; health has none."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on inside the span; it ends with the last byte of the answer."""
        if scope["path"] in PATHS or not telemetry.active():
            await self._app(scope, receive, send)
            return
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind

        attributes = {"http.request.method": scope["method"], "url.path": scope["path"]}
        parent = extract(
            {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        )
        with telemetry.span(
            scope["method"], attributes, kind=SpanKind.SERVER, context=parent
        ) as span:

            async def watch(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _answered(span, scope, message["status"])
                await send(message)

            await self._app(scope, receive, watch)


def agent_span(agent: Any) -> Any:
    """A span around one run of ``agent``."""
    return telemetry.span(
        f"invoke_agent {agent.name}",
        {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": agent.name,
            "gen_ai.agent.id": agent.id,
        },
    )


def trace_ids(span: Any = None) -> dict[str, str]:
    """``traceId`` and ``spanId`` of ``span``, or of the current one; nothing without tracing."""
    if not telemetry.active():
        return {}
    from opentelemetry import trace

    context = (span or trace.get_current_span()).get_span_context()
    if not context.is_valid:
        return {}
    return {"traceId": f"{context.trace_id:032x}", "spanId": f"{context.span_id:016x}"}


def _answered(span: Any, scope: Any, status: int) -> None:
    from opentelemetry.trace import StatusCode

    template = scope.get("path_template")
    if template:  # known once Litestar has routed the request
        route = template.replace(":str}", "}")
        span.update_name(f"{scope['method']} {route}")
        span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    if status >= 500:  # noqa: PLR2004  # HTTP's own number
        span.set_status(StatusCode.ERROR)
