"""Routes of conversations of the Responses API: create, retrieve, list items, delete.

A conversation is a thread of the memory. The conversation and its thread have the same id.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
from litestar import Request
from litestar.response.base import ASGIResponse

from mastra_core import Mastra, Memory
from mastra_core.errors import InvalidInput, NotFound
from mastra_core.limits.memory_size import estimate_size
from mastra_core.memory import get_memory
from mastra_core.random_id import generate_id
from mastra_core.storage import MessageQuery, StoredMessage, Thread
from mastra_core.storage.records import now
from mastra_server.agents.routes import get_agent
from mastra_server.http.callers import identify_caller
from mastra_server.http.handlers import delete, get, post
from mastra_server.http.request_body import (
    MAX_ITEMS,
    InvalidQuery,
    MaybeId,
    check_metadata,
    read_body,
    read_id_param,
    read_number_param,
)
from mastra_server.http.request_context import restrict_to_resource, restrict_to_thread
from mastra_server.http.responses import json_response, list_response
from mastra_server.http.schemas import ContextQuery
from mastra_server.memory.queries import MAX_PAGE_BYTES, get_own_memory
from mastra_server.memory.schemas import ThreadAnswer
from mastra_server.memory.thread_format import build_thread
from mastra_server.openai.conversation_items import build_items
from mastra_server.openai.request import parse_input

__all__ = ("ROUTES",)

_Request = Request[Any, Any, Any]
_PATH = "/api/v1/conversations"
_MAX_PAGE = 1000  # items
_MAX_LOADED = 100  # messages that are loaded at a time


class ConversationBody(msgspec.Struct):
    """A new conversation; without ``agent_id``, it is in the memory of the application."""

    agent_id: MaybeId = None
    conversation_id: MaybeId = None
    resource_id: MaybeId = None
    title: str | None = None
    metadata: dict[str, Any] | None = None
    items: Annotated[list[Any], msgspec.Meta(max_length=MAX_ITEMS)] | None = None


class Conversation(TypedDict):
    """A conversation and its thread."""

    id: str
    object: Literal["conversation"]
    created_at: int
    metadata: dict[str, Any]
    thread: ThreadAnswer


class DeletedConversation(TypedDict):
    """The id of a deleted conversation."""

    id: str
    object: Literal["conversation.deleted"]
    deleted: bool


class ConversationItem(TypedDict):
    """A message, a tool call or the output of a tool call."""

    id: str
    type: str
    role: NotRequired[str]
    content: NotRequired[list[dict[str, Any]]]


class ConversationItems(TypedDict):
    """A page of the items of a conversation."""

    object: Literal["list"]
    data: list[ConversationItem]
    first_id: str | None
    last_id: str | None
    has_more: bool


class ItemQuery(ContextQuery, rename=None):
    """A page of at most ``limit`` items after the item ``after``, oldest first."""

    after: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=_MAX_PAGE)] = _MAX_PAGE
    order: Literal["asc", "desc"] = "asc"


@post(
    _PATH,
    operation_id="conversations_create",
    body=ConversationBody,
    response=Conversation,
    errors=(403, 404, 409),
)
async def _create_conversation(request: _Request) -> ASGIResponse:
    """Create a conversation, with its first items if there are any."""
    body = await read_body(request, ConversationBody)
    memory = _choose_memory(request, body.agent_id or "")
    check_metadata(body.metadata, "metadata")
    messages = parse_input(body.items) if body.items else ()
    id_ = restrict_to_thread(request, body.conversation_id or "") or generate_id()
    thread = await memory.create_thread(
        resource=restrict_to_resource(request, body.resource_id or "") or id_,
        id=id_,
        title=body.title or "",
        metadata=body.metadata,
        caller=identify_caller(request.scope),
    )
    stored = [
        StoredMessage(
            id=generate_id(), thread=id_, role=each.role, parts=each.parts, created_at=now() + index
        )
        for index, each in enumerate(messages)
    ]
    if stored:
        await memory.save_messages(stored, thread.resource)
    return json_response(_build_conversation(thread))


@get(
    f"{_PATH}/{{conversation_id:str}}",
    operation_id="conversations_retrieve",
    response=Conversation,
    errors=(403,),
)
async def _retrieve_conversation(request: _Request) -> ASGIResponse:
    """Get a conversation."""
    _, thread = await _find_conversation(request)
    return json_response(_build_conversation(thread))


@get(
    f"{_PATH}/{{conversation_id:str}}/items",
    operation_id="conversations_items",
    query=ItemQuery,
    response=ConversationItems,
    errors=(403,),
)
async def _list_items(request: _Request) -> ASGIResponse:
    """List the items of a conversation, the oldest first."""
    after, limit, descending = _read_page(request)
    memory, thread = await _find_conversation(request)
    query = MessageQuery(
        thread=thread.id,
        resource=thread.resource,
        descending=descending,
        per_page=min(limit + 1, _MAX_LOADED),
        max_bytes=MAX_PAGE_BYTES,
    )
    items = await _read_items(_iter_items(memory, query), after, limit + 1)
    has_more, page = len(items) > limit, items[:limit]
    fields = {
        "object": "list",
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": has_more,
    }
    return await list_response(request, "data", page, _keep_item, fields)


@delete(
    f"{_PATH}/{{conversation_id:str}}",
    operation_id="conversations_delete",
    response=DeletedConversation,
    status_code=200,
    errors=(403,),
)
async def _delete_conversation(request: _Request) -> ASGIResponse:
    """Delete a conversation with its items."""
    memory, thread = await _find_conversation(request)
    await memory.delete_thread(thread.id, thread.resource)
    return json_response({"id": thread.id, "object": "conversation.deleted", "deleted": True})


ROUTES = (_create_conversation, _retrieve_conversation, _list_items, _delete_conversation)


def _choose_memory(request: _Request, agent_id: str) -> Memory:
    """Return the memory of an agent; without an agent, the memory of the application."""
    if not agent_id:
        return get_own_memory(request.app.state.mastra)
    agent = get_agent(request, agent_id)
    memory = get_memory(agent)
    if memory is None:
        raise InvalidInput(
            f'Agent "{agent.id}" does not have memory configured', "Give the agent a memory."
        )
    return memory


async def _find_conversation(request: _Request) -> tuple[Memory, Thread]:
    """Find the conversation that the path names, in the memories of the app and its agents."""
    name = restrict_to_thread(request, request.path_params["conversation_id"])
    owner = restrict_to_resource(request) or None
    for memory in _iter_memories(request.app.state.mastra):
        if await memory.storage.threads.get(name) is not None:
            return memory, await memory.get_thread(name, owner)
    raise NotFound(f"Conversation {name} was not found")


def _iter_memories(mastra: Mastra) -> Iterator[Memory]:
    """Yield one memory for each storage."""
    memories = [get_own_memory(mastra), *map(get_memory, mastra.agents.values())]
    seen: list[Any] = []
    for memory in memories:
        if memory is not None and not any(memory.storage is each for each in seen):
            seen.append(memory.storage)
            yield memory


async def _read_items(
    items: AsyncIterator[dict[str, Any]], after: str, limit: int
) -> list[dict[str, Any]]:
    """Return at most ``limit`` items that follow the item ``after``."""
    page: list[dict[str, Any]] = []
    size = 0
    async for item in items:
        if after:
            after = "" if item["id"] == after else after
            continue
        page.append(item)
        size += estimate_size(item)
        if size > MAX_PAGE_BYTES:
            raise InvalidQuery("limit", f"The page is larger than {MAX_PAGE_BYTES} bytes")
        if len(page) == limit:
            break
    if after:
        raise InvalidQuery("after", "Expected the id of an item of this conversation")
    return page


async def _iter_items(memory: Memory, query: MessageQuery) -> AsyncIterator[dict[str, Any]]:
    """Yield the items of a conversation, and load its messages in pages."""
    while True:
        found = await memory.storage.threads.list_messages(query)
        ordered = reversed(found.items) if query.descending else found.items
        items = [*build_items(ordered)]
        for item in reversed(items) if query.descending else items:
            yield item
        if (query.page + 1) * (query.per_page or _MAX_LOADED) >= found.total:
            return
        query = msgspec.structs.replace(query, page=query.page + 1)


def _read_page(request: _Request) -> tuple[str, int, bool]:
    """Read the cursor, the size and the order of a page."""
    limit = read_number_param(request, "limit")
    if limit is not None and not 1 <= limit <= _MAX_PAGE:
        raise InvalidQuery("limit", f"Expected a number from 1 to {_MAX_PAGE}")
    order = request.query_params.get("order", "asc")
    if order not in ("asc", "desc"):
        raise InvalidQuery("order", "Expected asc or desc")
    return read_id_param(request, "after"), limit or _MAX_PAGE, order == "desc"


def _build_conversation(thread: Thread) -> dict[str, Any]:
    return {
        "id": thread.id,
        "object": "conversation",
        "created_at": thread.created_at // 1000,
        "metadata": thread.metadata,
        "thread": build_thread(thread),
    }


def _keep_item(item: dict[str, Any]) -> dict[str, Any]:
    return item
