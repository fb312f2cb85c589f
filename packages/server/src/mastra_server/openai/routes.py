"""Routes of OpenAI's Responses API: create, retrieve, delete."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from litestar import Request, delete, get, post
from litestar.response.base import ASGIResponse

from mastra_core.agents import (
    AgentInput,
    AgentLike,
    Finish,
    Message,
    TextPart,
)
from mastra_core.errors import AgentFailed, NotFound
from mastra_core.limits.caller_cache import CallerCache
from mastra_core.limits.memory_size import estimate_size
from mastra_core.memory import get_memory
from mastra_core.schema import encode_json
from mastra_server.agents.admission import check_thread_access
from mastra_server.agents.routes import get_agent
from mastra_server.agents.suspended_runs import get_suspended_runs, stream_events
from mastra_server.http.callers import identify_caller
from mastra_server.http.request_body import InvalidBody, read_body
from mastra_server.http.request_context import build_context, restrict_to_resource
from mastra_server.http.responses import close_on_exit, json_response
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

__all__ = ("ROUTES", "Responses")

_Request = Request[Any, Any, Any]
_MAX_RESPONSES = 1000
_MAX_BYTES = 64 * 1024 * 1024
_MAX_AGE = 24 * 3600.0  # seconds


class _StoredResponse(msgspec.Struct, frozen=True):
    """A response, with what is needed to continue it.

    The memory has the messages of a conversation. Only without one are they stored here, in the
    form of the framework or in the form of this project.
    """

    response: dict[str, Any]
    agent: str
    owner: str
    history: bytes
    messages: tuple[Message, ...]
    conversation: Conversation | None


class Responses:
    """The latest responses of this process, which clients can retrieve and continue."""

    def __init__(self) -> None:
        self._responses: CallerCache[str, _StoredResponse] = CallerCache(
            _MAX_RESPONSES, _MAX_BYTES, _MAX_AGE
        )

    def put(self, entry: _StoredResponse, caller: str) -> None:
        """Store a response.

        :param entry: the response with what is needed to continue it.
        :param caller: who the response is counted for.
        """
        self._responses.put(entry.response["id"], entry, caller, estimate_size(entry))

    def get(self, response_id: str, owner: str) -> _StoredResponse:
        """Return a response.

        :param response_id: the id of the response.
        :param owner: the resource that the caller is restricted to; empty for none.
        :raises NotFound: when this owner has no such response.
        """
        stored = self._responses.get(response_id)
        if stored is None or stored.owner != owner:
            raise NotFound(f"Response {response_id} was not found")
        return stored

    def delete(self, response_id: str, owner: str) -> None:
        """Delete a response.

        :param response_id: the id of the response.
        :param owner: the resource that the caller is restricted to; empty for none.
        :raises NotFound: when this owner has no such response.
        """
        self.get(response_id, owner)
        self._responses.pop(response_id)


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
        response: Any = sse_response(_encode_events(events))
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
    return json_response(_get_stored(request, request.path_params["response_id"]).response)


@delete(
    "/api/v1/responses/{response_id:str}",
    operation_id="responses_delete",
    response=dict[str, Any],
    status_code=200,
)
async def _delete_response(request: _Request) -> ASGIResponse:
    """Delete a stored response."""
    response_id = request.path_params["response_id"]
    _get_store(request).delete(response_id, restrict_to_resource(request))
    return json_response({"id": response_id, "object": "response", "deleted": True})


ROUTES = (_create_response, _retrieve_response, _delete_response, *conversations.ROUTES)


def _get_store(request: _Request) -> Responses:
    store: Responses = request.app.state.responses
    return store


def _get_stored(request: _Request, name: str) -> _StoredResponse:
    return _get_store(request).get(name, restrict_to_resource(request))


def _find_agent(request: _Request, name: str) -> AgentLike:
    if not name:
        raise InvalidBody("agent_id", "Expected the key or id of an agent, in agent_id or in model")
    return get_agent(request, name)


async def _build_run_input(request: _Request, agent: AgentLike, body: ResponseBody) -> AgentInput:
    previous = (
        _get_stored(request, body.previous_response_id) if body.previous_response_id else None
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
    """Name the conversation in the fields of Mastra's client and of OpenAI's clients."""
    return {"conversation_id": thread or None, "conversation": {"id": thread} if thread else None}


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
        async for event in events:
            for chunk in writer.write(event):
                if store and isinstance(event, Finish):
                    _store_response(request, agent, run_input, writer, event)
                yield chunk


def _store_response(
    request: _Request,
    agent: AgentLike,
    run_input: AgentInput,
    writer: ResponseWriter,
    finish: Finish,
) -> None:
    in_memory = bool(run_input.thread) and get_memory(agent) is not None
    has_history = in_memory or bool(finish.history)
    stored = _StoredResponse(
        writer.response,
        agent.id,
        restrict_to_resource(request),
        b"" if in_memory else finish.history,
        () if has_history else _collect_messages(run_input, writer),
        Conversation(run_input.thread, run_input.resource) if in_memory else None,
    )
    _get_store(request).put(stored, run_input.caller)


def _collect_messages(run_input: AgentInput, writer: ResponseWriter) -> tuple[Message, ...]:
    texts = [part["text"] for item in writer.response["output"] for part in item.get("content", ())]
    message = Message(role="assistant", parts=(TextPart(text="".join(texts)),))
    return (*run_input.messages, message)


async def _encode_events(events: AsyncGenerator[dict[str, Any]]) -> AsyncGenerator[bytes]:
    async with close_on_exit(events) as items:
        async for event in items:
            yield b"event: " + event["type"].encode() + b"\ndata: " + encode_json(event) + b"\n\n"
