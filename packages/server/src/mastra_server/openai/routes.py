"""Routes of OpenAI's Responses API: create, retrieve, delete."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from litestar import Request
from litestar.response.base import ASGIResponse

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
from mastra_core.errors import AgentFailed
from mastra_core.memory import get_memory
from mastra_core.request_scope import is_request_scoped
from mastra_core.schema import encode_json
from mastra_server.agents.admission import check_thread_access
from mastra_server.agents.durable_runs import find_durable_agent
from mastra_server.agents.live_runs import LiveRuns
from mastra_server.agents.routes import get_agent
from mastra_server.agents.suspended_runs import get_suspended_runs, stream_events
from mastra_server.http.callers import identify_caller
from mastra_server.http.handlers import delete, get, post
from mastra_server.http.request_body import InvalidBody, read_body
from mastra_server.http.request_context import build_context, restrict_to_resource
from mastra_server.http.responses import StreamResponse, close_on_exit, json_response
from mastra_server.http.sse import sse_response
from mastra_server.openai import conversations
from mastra_server.openai.choose_conversation import Conversation, choose_conversation
from mastra_server.openai.convert import ResponseWriter
from mastra_server.openai.request import (
    ResponseBody,
    build_client_tools,
    get_output_schema,
    parse_input,
)
from mastra_server.openai.response_store import ResponseStore, StoredResponse

__all__ = ("ROUTES",)

_Request = Request[Any, Any, Any]


@post(
    "/api/v1/responses",
    operation_id="responses_create",
    body=ResponseBody,
    response=dict[str, Any],
    stream="sse",
    errors=(402, 403, 404, 422, 429, 502, 503),
)
async def _create_response(request: _Request) -> ASGIResponse:
    """Run an agent as OpenAI's Responses API runs a model; ``stream`` requests a stream."""
    body = await read_body(request, ResponseBody)
    agent = _find_agent(request, body.agent_id or body.model)
    run_input = await _build_run_input(request, agent, body)
    await check_thread_access(agent, run_input)
    fields = {**_get_request_fields(body), **_build_conversation_fields(run_input.thread)}
    writer = ResponseWriter(
        run_input.run_id,
        body.model or agent.id,
        fields,
        is_structured=bool(run_input.output_schema or agent.info().output_schema),
    )
    events = _stream_events(request, agent, run_input, writer, store=body.store is not False)
    if body.stream:
        # Litestar reads the return annotation, so it must not name StreamResponse.
        response: Any = _build_stream(request, run_input, events)
        return response  # type: ignore[no-any-return]  # an ASGI application like ASGIResponse
    async with close_on_exit(events) as items:
        async for _ in items:
            pass
    if failure := writer.failure:
        raise AgentFailed(failure.message, kind=failure.kind, status=failure.status)
    return json_response(writer.response)


@get(
    "/api/v1/responses/{response_id:str}",
    operation_id="responses_retrieve",
    response=dict[str, Any],
)
async def _retrieve_response(request: _Request) -> ASGIResponse:
    """Retrieve a stored response."""
    stored = await _get_stored(request, request.path_params["response_id"])
    return json_response(stored.response)


@delete(
    "/api/v1/responses/{response_id:str}",
    operation_id="responses_delete",
    response=dict[str, Any],
    status_code=200,
)
async def _delete_response(request: _Request) -> ASGIResponse:
    """Delete a stored response."""
    response_id = request.path_params["response_id"]
    await _get_store(request).delete(response_id, restrict_to_resource(request))
    return json_response({"id": response_id, "object": "response", "deleted": True})


ROUTES = (_create_response, _retrieve_response, _delete_response, *conversations.ROUTES)


def _get_store(request: _Request) -> ResponseStore:
    store: ResponseStore = request.app.state.responses
    return store


async def _get_stored(request: _Request, name: str) -> StoredResponse:
    return await _get_store(request).get(name, restrict_to_resource(request))


def _find_agent(request: _Request, name: str) -> AgentLike:
    if not name:
        raise InvalidBody("agent_id", "Expected the key or id of an agent, in agent_id or in model")
    return get_agent(request, name)


async def _build_run_input(request: _Request, agent: AgentLike, body: ResponseBody) -> AgentInput:
    previous = (
        await _get_stored(request, body.previous_response_id) if body.previous_response_id else None
    )
    if previous is not None and previous.agent != agent.id:
        raise InvalidBody(
            "previous_response_id", f"The response belongs to the agent {previous.agent}"
        )
    sent = parse_input(body.input)
    conversation = await choose_conversation(
        request, agent, body, previous.conversation if previous else None
    )
    earlier = previous.messages if previous and not previous.history else ()
    settings = {
        "temperature": body.temperature,
        "top_p": body.top_p,
        "max_tokens": body.max_output_tokens,
    }
    return AgentInput(
        messages=(*earlier, *sent),
        history=previous.history if previous else b"",
        instructions=body.instructions or "",
        output_schema=get_output_schema(body),
        client_tools=build_client_tools(body),
        settings={key: value for key, value in settings.items() if value is not None},
        context=build_context(request),
        thread=conversation.thread,
        resource=conversation.resource,
        run_id=f"resp_{uuid.uuid4().hex}",
        caller=identify_caller(request.scope),
    )


def _get_request_fields(body: ResponseBody) -> dict[str, Any]:
    return {
        "instructions": body.instructions,
        "text": {"format": {"type": "text"}} if body.text is None else body.text,
        "tools": body.tools,
        "previous_response_id": body.previous_response_id,
        "store": body.store is not False,
    }


def _build_conversation_fields(thread: str) -> dict[str, Any]:
    """Return the fields with the conversation's id, for Mastra's client and OpenAI's clients."""
    return {"conversation_id": thread or None, "conversation": {"id": thread} if thread else None}


def _build_stream(
    request: _Request, run_input: AgentInput, events: AsyncGenerator[dict[str, Any]]
) -> StreamResponse:
    """Build the response that streams a run; the run counts toward the limits of its caller."""
    if is_request_scoped():  # the platform limits requests, and may end one silently
        return sse_response(_encode_events(events))
    runs: LiveRuns = request.app.state.live_runs
    release = runs.hold_place(run_input.caller, run_input.estimate_size())

    async def end() -> None:
        release()

    return sse_response(_encode_events(events), end)


async def _end_in_time(
    request: _Request, agent: AgentLike, events: AsyncIterator[AgentEvent]
) -> AsyncGenerator[AgentEvent]:
    """Yield the events of a run; after the timeout of runs, yield a failure instead."""
    is_durable = find_durable_agent(request, agent.id) is not None
    seconds = None if is_durable else request.app.state.mastra.server.run_timeout
    try:
        async with contextlib.aclosing(iter_with_timeout(events, seconds)) as timed:
            async for event in timed:
                yield event
    except RunTimedOut as error:
        yield Failure(message=error.message, kind=type(error).__name__, status=error.status)


async def _stream_events(
    request: _Request,
    agent: AgentLike,
    run_input: AgentInput,
    writer: ResponseWriter,
    *,
    store: bool,
) -> AsyncGenerator[dict[str, Any]]:
    for chunk in writer.write_start():
        yield chunk
    async with close_on_exit(
        stream_events(agent, run_input, get_suspended_runs(request))
    ) as events:
        async for event in _end_in_time(request, agent, events):
            chunks = tuple(writer.write(event))
            if store and isinstance(event, Finish):  # the writer has completed the response
                await _store_response(request, agent, run_input, writer, event)
            for chunk in chunks:
                yield chunk


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
        Conversation(run_input.thread, run_input.resource) if in_memory else None,
    )
    await _get_store(request).put(stored, run_input.caller)


def _collect_messages(run_input: AgentInput, writer: ResponseWriter) -> tuple[Message, ...]:
    texts = [part["text"] for item in writer.response["output"] for part in item.get("content", ())]
    message = Message(role="assistant", parts=(TextPart(text="".join(texts)),))
    return (*run_input.messages, message)


async def _encode_events(events: AsyncGenerator[dict[str, Any]]) -> AsyncGenerator[bytes]:
    async with close_on_exit(events) as items:
        async for event in items:
            yield b"event: " + event["type"].encode() + b"\ndata: " + encode_json(event) + b"\n\n"
