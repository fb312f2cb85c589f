"""Routes of messages: list, save, delete."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from litestar import Request
from litestar.response.base import ASGIResponse

from mastra_core.errors import Forbidden, NotFound
from mastra_core.memory.memory import Memory
from mastra_core.random_id import generate_id
from mastra_core.storage import StoredMessage
from mastra_server.http.callers import identify_caller
from mastra_server.http.dates import format_iso
from mastra_server.http.handlers import get, post
from mastra_server.http.request_body import InvalidBody, read_body, require_id
from mastra_server.http.request_context import restrict_to_resource, restrict_to_thread
from mastra_server.http.responses import json_response, list_response
from mastra_server.memory.queries import (
    Include,
    build_message_query,
    get_resource,
    load_owned_thread,
    read_includes,
    require_memory,
)
from mastra_server.memory.schemas import (
    DeleteMessagesBody,
    MemoryQuery,
    MessageList,
    MessageListQuery,
    Noted,
    OwnerQuery,
    SaveBody,
    Saved,
)
from mastra_server.memory.thread_format import build_message, build_pagination, parse_saved_message

__all__ = ("ROUTES",)

_Request = Request[Any, Any, Any]


@get(
    "/api/memory/threads/{thread_id:str}/messages",
    operation_id="memory_messages_list",
    query=MessageListQuery,
    response=MessageList,
    errors=(403,),
)
async def _list_messages(request: _Request) -> ASGIResponse:
    """List messages of a thread; by default the newest page, ordered by date."""
    memory = require_memory(request)
    query, included = build_message_query(request), read_includes(request)
    thread = await load_owned_thread(request, memory)
    found = await memory.storage.threads.list_messages(
        msgspec.structs.replace(query, resource=thread.resource)
    )
    ordered = reversed(found.items) if query.descending else found.items
    messages = {message.id: (message, thread.resource) for message in ordered}
    for each in included:
        messages |= await _load_neighbours(request, memory, each)
        await asyncio.sleep(0)  # a storage in memory never lets other requests run
    fields = {**build_pagination(found, query.page, query.per_page), "uiMessages": None}
    return await list_response(
        request, "messages", messages.values(), lambda each: build_message(*each), fields
    )


@post(
    "/api/memory/save-messages",
    operation_id="memory_messages_save",
    query=MemoryQuery,
    body=SaveBody,
    response=Saved,
    errors=(403, 404, 409),
)
async def _save_messages(request: _Request) -> ASGIResponse:
    """Add messages to threads, and replace messages that have the same id in their thread."""
    memory = require_memory(request)
    body = await read_body(request, SaveBody)
    by_resource: dict[str, list[StoredMessage]] = {}
    saved: list[dict[str, Any]] = []
    for index, item in enumerate(body.messages):
        message = parse_saved_message(item, index, generate_id())
        named = require_id(item.get("resourceId"), f"messages.{index}.resourceId")
        resource = restrict_to_resource(request, named)
        restrict_to_thread(request, message.thread)
        by_resource.setdefault(resource, []).append(message)
        names = {"id": message.id, "threadId": message.thread, "resourceId": resource}
        saved.append({**item, **names, "createdAt": format_iso(message.created_at)})
    for resource, messages in by_resource.items():
        await memory.save_messages(messages, resource, identify_caller(request.scope))
    return json_response({"messages": saved})


@post(
    "/api/memory/messages/delete",
    operation_id="memory_messages_delete",
    query=OwnerQuery,
    body=DeleteMessagesBody,
    response=Noted,
    errors=(403, 404),
)
async def _delete_messages(request: _Request) -> ASGIResponse:
    """Delete messages."""
    memory = require_memory(request)
    body = await read_body(request, DeleteMessagesBody)
    ids = _parse_ids(body.message_ids)
    if restrict_to_thread(request):
        for message in await memory.storage.threads.get_messages(ids):
            restrict_to_thread(request, message.thread)
    count = await memory.delete_messages(ids, get_resource(request))
    label = "1 message" if count == 1 else f"{count} messages"
    return json_response({"success": True, "message": f"{label} deleted successfully"})


ROUTES = (_list_messages, _save_messages, _delete_messages)


async def _load_neighbours(
    request: _Request, memory: Memory, include: Include
) -> dict[str, tuple[StoredMessage, str]]:
    """Load a message and its neighbours; return nothing if the caller may not read the message."""
    messages = await memory.storage.threads.get_surrounding(include.id, *include.neighbours)
    if not messages:
        return {}
    try:
        thread_id = restrict_to_thread(request, messages[0].thread)
        thread = await memory.get_thread(thread_id, get_resource(request))
    except (NotFound, Forbidden):
        return {}
    return {message.id: (message, thread.resource) for message in messages}


def _parse_ids(value: Any) -> list[str]:
    """Parse an id or a list of ids; each is a string or an object ``{"id": ...}``."""
    items = value if isinstance(value, list) else [value]
    ids: list[str] = []
    for item in items:
        message_id = item.get("id") if isinstance(item, dict) else item
        if not isinstance(message_id, str) or not message_id:
            raise InvalidBody("messageIds", "Expected an id, or a list of ids")
        ids.append(message_id)
    return ids
