"""Routes of OpenAI's Responses API: create, retrieve, delete."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncGenerator
from typing import Any

from litestar import Request
from litestar.response.base import ASGIResponse

from mastra_core.agents import AgentInput, AgentLike
from mastra_core.errors import AgentFailed, NotFound
from mastra_core.request_scope import is_request_scoped
from mastra_server.agents.admission import check_thread_access
from mastra_server.agents.live_runs import LiveRuns
from mastra_server.agents.routes import get_agent
from mastra_server.http.callers import identify_caller
from mastra_server.http.handlers import delete, get, post
from mastra_server.http.heartbeats import add_heartbeats
from mastra_server.http.request_body import InvalidBody, read_body
from mastra_server.http.request_context import (
    build_context,
    restrict_to_resource,
    restrict_to_thread,
)
from mastra_server.http.responses import StreamResponse, json_response
from mastra_server.http.sse import HEARTBEAT, sse_response
from mastra_server.openai import conversations
from mastra_server.openai.choose_conversation import choose_conversation
from mastra_server.openai.request import (
    ResponseBody,
    build_client_tools,
    get_output_schema,
    parse_input,
)
from mastra_server.openai.response_runs import (
    encode_events,
    get_response_store,
    stream_response,
)
from mastra_server.openai.response_store import StoredResponse
from mastra_server.openai.response_writer import ResponseWriter

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
    events = stream_response(request, agent, run_input, writer, store=body.store is not False)
    if body.stream:
        # Litestar reads the return annotation, so it must not name StreamResponse.
        response: Any = _build_stream(request, run_input, encode_events(events, writer))
        return response  # type: ignore[no-any-return]  # an ASGI application like ASGIResponse
    async with contextlib.aclosing(events):
        async for _ in events:
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
    if restrict_to_thread(request):
        await _get_stored(request, response_id)
    await get_response_store(request).delete(response_id, restrict_to_resource(request))
    return json_response({"id": response_id, "object": "response", "deleted": True})


ROUTES = (_create_response, _retrieve_response, _delete_response, *conversations.ROUTES)


async def _get_stored(request: _Request, name: str) -> StoredResponse:
    """Return a response that the caller may see.

    :raises NotFound: when there is no such response of the caller's resource and thread.
    """
    stored = await get_response_store(request).get(name, restrict_to_resource(request))
    if restrict_to_thread(request) not in ("", stored.response.get("conversation_id")):
        raise NotFound(f"Response {name} was not found")
    return stored


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
    request: _Request, run_input: AgentInput, frames: AsyncGenerator[bytes]
) -> StreamResponse:
    """Build the response that streams a run; the run counts toward the limits of its caller."""
    frames = add_heartbeats(frames, HEARTBEAT)
    if is_request_scoped():  # the platform limits requests, and may end one silently
        return sse_response(frames)
    runs: LiveRuns = request.app.state.live_runs
    release = runs.hold_place(run_input.caller, run_input.estimate_size())

    async def end() -> None:
        release()

    return sse_response(frames, end)
