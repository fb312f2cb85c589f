"""Trace the runs of agents."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from mastra_core import telemetry
from mastra_core.agents import AgentInput
from mastra_server.agents.transcript import Transcript, build_usage

__all__ = ("record_agent_failure", "record_agent_output", "start_agent_span")


def start_agent_span(
    agent: Any, run_input: AgentInput
) -> contextlib.AbstractContextManager[telemetry.Span]:
    """Open a span around one run of ``agent``; without tracing, the span is ``None``.

    :param agent: the agent.
    :param run_input: the input of the run.
    :returns: a context manager that gives the span.
    """
    return (
        _open_agent_span(agent, run_input) if telemetry.is_recording() else contextlib.nullcontext()
    )


@contextlib.contextmanager
def _open_agent_span(agent: Any, run_input: AgentInput) -> Iterator[telemetry.Span]:
    attributes = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": agent.name,
        "gen_ai.agent.id": agent.id,
    }
    with telemetry.start_span(f"invoke_agent {agent.name}", attributes) as span:
        if span is not None:
            messages = [{"role": each.role, "content": each.text} for each in run_input.messages]
            telemetry.annotate(
                span,
                input=messages,
                run=run_input.run_id,
                thread=run_input.thread,
                resource=run_input.resource,
            )
        yield span


def record_agent_output(span: telemetry.Span, transcript: Transcript) -> None:
    """Record the output of the run in its span.

    :param span: the span of the run, ``None`` without tracing.
    :param transcript: the run.
    """
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
    telemetry.annotate(span, output={**output, "toolCalls": calls} if calls else output)


def record_agent_failure(span: telemetry.Span, message: str) -> None:
    """Record a run's failure in its span.

    :param span: the span of the run, ``None`` without tracing.
    :param message: why it failed.
    """
    if span is None:
        return
    from opentelemetry.trace import StatusCode

    span.set_status(StatusCode.ERROR, message)
