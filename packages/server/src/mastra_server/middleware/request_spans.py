"""Spans around requests, and the ids that answers carry."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from mastra_core import telemetry
from mastra_core.agents import AgentInput
from mastra_core.workflows import Run
from mastra_server.agents.transcript import Transcript, build_usage
from mastra_server.http.asgi import App, Message, Receive, Scope, Send
from mastra_server.http.health import HEALTH_PATHS

__all__ = ("RequestSpans", "agent_ended", "agent_failed", "agent_span", "trace_of")


class RequestSpans:
    """One server span a request, the child of what ``traceparent`` names; health has none."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on inside the span; it ends with the last byte of the answer."""
        if scope["path"] in HEALTH_PATHS or not telemetry.active():
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


def agent_span(agent: Any, wish: AgentInput) -> contextlib.AbstractContextManager[telemetry.Span]:
    """A span around one run of ``agent``; ``None`` without tracing."""
    return _agent_span(agent, wish) if telemetry.active() else contextlib.nullcontext()


@contextlib.contextmanager
def _agent_span(agent: Any, wish: AgentInput) -> Iterator[telemetry.Span]:
    attributes = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": agent.name,
        "gen_ai.agent.id": agent.id,
    }
    with telemetry.span(f"invoke_agent {agent.name}", attributes) as span:
        if span is not None:
            said = [{"role": each.role, "content": each.text} for each in wish.messages]
            telemetry.note(
                span, input=said, run=wish.run_id, thread=wish.thread, resource=wish.resource
            )
        yield span


def agent_ended(span: telemetry.Span, transcript: Transcript) -> None:
    """Say what came of the run that ``span`` is around."""
    if span is None:
        return
    calls = [
        {"toolName": call.name, "args": call.arguments}
        for turn in transcript.turns
        for call in turn.calls
    ]
    output = {
        "text": transcript.text,
        "finishReason": transcript.finish.reason,
        "usage": build_usage(transcript.finish.usage),
    }
    telemetry.note(span, output={**output, "toolCalls": calls} if calls else output)


def agent_failed(span: telemetry.Span, message: str) -> None:
    """Say that the run that ``span`` is around broke."""
    if span is None:
        return
    from opentelemetry.trace import StatusCode

    span.set_status(StatusCode.ERROR, message)


def trace_of(run: Run) -> dict[str, str]:
    """``traceId`` and ``spanId`` of a workflow's run; of the request that asked, where the engine
    knows none; nothing without tracing.
    """
    if not telemetry.active():
        return {}
    from opentelemetry import trace

    known: dict[str, str] = getattr(run, "trace", {})
    return known or telemetry.ids_of(trace.get_current_span())


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
