"""Trace the runs of agents."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator

from mastra_core.agents.close_stream import close_at_end
from mastra_core.agents.events import AgentEvent, Failure, Finish
from mastra_core.agents.message_content import describe_messages
from mastra_core.agents.messages import AgentInput
from mastra_core.agents.protocol import AgentLike
from mastra_core.telemetry import (
    Span,
    annotate,
    is_recording,
    link_trace,
    restore_baggage,
    start_span,
)
from mastra_core.usage import Usage

__all__ = ("record_agent_failure", "record_agent_finish", "start_agent_span", "stream_traced")


def start_agent_span(
    agent: AgentLike, run_input: AgentInput
) -> contextlib.AbstractContextManager[Span]:
    """Open a span around one run of ``agent``; without tracing, the span is ``None``.

    :param agent: the agent.
    :param run_input: the input of the run.
    :returns: a context manager that gives the span.
    """
    return _open_agent_span(agent, run_input) if is_recording() else contextlib.nullcontext()


def stream_traced(agent: AgentLike, run_input: AgentInput) -> AsyncIterator[AgentEvent]:
    """Run an agent within a span, and yield its events.

    :param agent: the agent.
    :param run_input: the input of the run.
    """
    return _stream_in_span(agent, run_input) if is_recording() else agent.stream(run_input)


def record_agent_finish(span: Span, usage: Usage, reason: str) -> None:
    """Record the end of a run in the run's span.

    :param span: the span of the run, ``None`` without tracing.
    :param usage: the tokens of all turns.
    :param reason: why the run ended.
    """
    if span is None:
        return
    span.set_attributes(
        {
            "gen_ai.response.finish_reasons": (reason,),
            "gen_ai.usage.input_tokens": usage.input_tokens,
            "gen_ai.usage.output_tokens": usage.output_tokens,
        }
    )
    if reason == "suspended":
        span.add_event("suspended")


def record_agent_failure(span: Span, message: str) -> None:
    """Record the failure of a run in the run's span.

    :param span: the span of the run, ``None`` without tracing.
    :param message: why the run failed.
    """
    if span is None:
        return
    from opentelemetry.trace import StatusCode

    span.set_status(StatusCode.ERROR, message)


async def _stream_in_span(agent: AgentLike, run_input: AgentInput) -> AsyncGenerator[AgentEvent]:
    with start_agent_span(agent, run_input) as span:
        async with close_at_end(agent.stream(run_input)) as events:
            async for event in events:
                if isinstance(event, Failure):
                    record_agent_failure(span, event.message)
                elif isinstance(event, Finish):
                    record_agent_finish(span, event.usage, event.reason)
                yield event


@contextlib.contextmanager
def _open_agent_span(agent: AgentLike, run_input: AgentInput) -> Iterator[Span]:
    attributes = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": agent.name,
        "gen_ai.agent.id": agent.id,
    }
    if run_input.thread:
        attributes["gen_ai.conversation.id"] = run_input.thread
    links = link_trace(run_input.trace)
    with (
        restore_baggage(run_input.trace),
        start_span(f"invoke_agent {agent.name}", attributes, links=links) as span,
    ):
        if span is not None:
            messages = [{"role": each.role, "content": each.text} for each in run_input.messages]
            annotate(
                span,
                input=messages,
                build_content=lambda: {"input": describe_messages(run_input.messages)},
                run=run_input.run_id,
                thread=run_input.thread,
                resource=run_input.resource,
            )
        yield span
