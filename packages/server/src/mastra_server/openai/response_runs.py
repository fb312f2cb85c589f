"""Run an agent for a response, and convert the run's events to stream events."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from litestar import Request

from mastra_core.agents import (
    AgentEvent,
    AgentInput,
    AgentLike,
    Failure,
    Finish,
    Message,
    TextPart,
)
from mastra_core.agents.deadline import RunTimedOut, iter_with_timeout
from mastra_core.agents.telemetry.agent_span import record_agent_failure, start_agent_span
from mastra_core.logger import get_logger
from mastra_core.memory import get_memory
from mastra_core.schema import encode_json
from mastra_server.agents.durable_runs import find_durable_agent
from mastra_server.agents.spans import record_agent_output
from mastra_server.agents.suspended_runs import get_suspended_runs, stream_events
from mastra_server.agents.transcript import Transcript
from mastra_server.http.request_context import restrict_to_resource
from mastra_server.http.responses import close_on_exit
from mastra_server.openai.choose_conversation import ConversationThread
from mastra_server.openai.response_store import ResponseStore, StoredResponse
from mastra_server.openai.response_writer import ResponseWriter

__all__ = ("encode_events", "get_response_store", "stream_response")

_Request = Request[Any, Any, Any]


def get_response_store(request: _Request) -> ResponseStore:
    """Return the store of responses.

    :param request: the request.
    """
    store: ResponseStore = request.app.state.responses
    return store


async def stream_response(
    request: _Request,
    agent: AgentLike,
    run_input: AgentInput,
    writer: ResponseWriter,
    *,
    store: bool,
) -> AsyncGenerator[dict[str, Any]]:
    """Run an agent, and yield the stream events of its response.

    :param request: the request.
    :param agent: the agent.
    :param run_input: the input of the run.
    :param writer: the object that builds the response.
    :param store: whether to store the response when the run has ended.
    :returns: the stream events.
    """
    for chunk in writer.write_start():
        yield chunk
    async with contextlib.aclosing(_run_agent(request, agent, run_input)) as events:
        async for event in events:
            chunks = tuple(writer.write(event))
            if store and isinstance(event, Finish) and writer.failure is None:
                await _store_response(request, agent, run_input, writer, event)
            for chunk in chunks:
                yield chunk


async def encode_events(
    events: AsyncGenerator[dict[str, Any]], writer: ResponseWriter
) -> AsyncGenerator[bytes]:
    """Encode stream events; convert an exception to the event of a failed response.

    :param events: the stream events.
    :param writer: the writer of these events.
    :returns: the encoded events.
    """
    try:
        async with contextlib.aclosing(events) as items:
            async for event in items:
                yield _encode(event)
    except Exception as error:  # noqa: BLE001  # the response has begun: end the stream cleanly
        get_logger("mastra.server").error("a response failed", exc_info=error)
        for event in writer.write(Failure(message="Internal Server Error")):
            yield _encode(event)


def _encode(event: dict[str, Any]) -> bytes:
    kind: str = event["type"]
    return b"event: " + kind.encode() + b"\ndata: " + encode_json(event) + b"\n\n"


async def _run_agent(
    request: _Request, agent: AgentLike, run_input: AgentInput
) -> AsyncGenerator[AgentEvent]:
    """Run an agent within a span, and yield its events.

    If the agent's events end without ``Finish`` or ``Failure``, the function adds a ``Finish``.
    """
    transcript = Transcript(agent.id, run_input)
    has_ended = False
    with start_agent_span(agent, run_input) as span:
        async with (
            close_on_exit(stream_events(agent, run_input, get_suspended_runs(request))) as events,
            contextlib.aclosing(_end_in_time(request, agent, events)) as timed_events,
        ):
            async for event in timed_events:
                transcript.add(event)
                has_ended = has_ended or isinstance(event, Finish | Failure)
                if isinstance(event, Failure):
                    record_agent_failure(span, event.message)
                yield event
        if not has_ended:
            transcript.add(Finish(reason="suspended" if transcript.waiting else "stop"))
            yield transcript.finish
        record_agent_output(span, transcript)


async def _end_in_time(
    request: _Request, agent: AgentLike, events: AsyncIterator[AgentEvent]
) -> AsyncGenerator[AgentEvent]:
    """Yield the events of a run; when the run exceeds ``run_timeout``, yield a failure and end."""
    is_durable = find_durable_agent(request, agent.id) is not None
    seconds = None if is_durable else request.app.state.mastra.server.run_timeout
    try:
        async with contextlib.aclosing(iter_with_timeout(events, seconds)) as timed:
            async for event in timed:
                yield event
    except RunTimedOut as error:
        yield Failure(message=error.message, kind=type(error).__name__, status=error.status)


async def _store_response(
    request: _Request,
    agent: AgentLike,
    run_input: AgentInput,
    writer: ResponseWriter,
    finish: Finish,
) -> None:
    in_memory = bool(run_input.thread) and get_memory(agent) is not None
    has_history = in_memory or bool(finish.history)
    stored = StoredResponse(
        writer.response,
        agent.id,
        restrict_to_resource(request),
        b"" if in_memory else finish.history,
        () if has_history else _collect_messages(run_input, writer),
        ConversationThread(run_input.thread, run_input.resource) if in_memory else None,
    )
    await get_response_store(request).put(stored, run_input.caller)


def _collect_messages(run_input: AgentInput, writer: ResponseWriter) -> tuple[Message, ...]:
    texts = [part["text"] for item in writer.response["output"] for part in item.get("content", ())]
    message = Message(role="assistant", parts=(TextPart(text="".join(texts)),))
    return (*run_input.messages, message)
