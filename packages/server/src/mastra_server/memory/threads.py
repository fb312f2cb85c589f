"""Routes of threads: list, create, get, update, delete, transfer, clone."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request
from litestar.response.base import ASGIResponse

from mastra_core.errors import Forbidden, NotFound
from mastra_core.memory.memory import Memory
from mastra_core.random_id import generate_id
from mastra_core.storage import MessageQuery, Page, Thread, ThreadQuery
from mastra_core.storage.records import now
from mastra_server.http.callers import identify_caller
from mastra_server.http.dates import format_iso, parse_iso
from mastra_server.http.handlers import delete, get, patch, post
from mastra_server.http.request_body import check_metadata, read_body
from mastra_server.http.request_context import restrict_to_resource, restrict_to_thread
from mastra_server.http.responses import json_response, list_response
from mastra_server.memory.queries import (
    MAX_PAGE_BYTES,
    build_thread_query,
    get_resource,
    get_thread_id,
    load_owned_thread,
    require_memory,
)
from mastra_server.memory.schemas import (
    CloneBody,
    Cloned,
    CreateThreadBody,
    Deleted,
    MemoryQuery,
    OwnerQuery,
    ThreadAnswer,
    ThreadList,
    ThreadListQuery,
    TransferBody,
    UpdateThreadBody,
)
from mastra_server.memory.thread_format import build_message, build_pagination, build_thread

__all__ = ("ROUTES",)

_Request = Request[Any, Any, Any]
_THREADS_PATH = "/api/memory/threads"
_THREAD_PATH = f"{_THREADS_PATH}/{{thread_id:str}}"


@get(
    _THREADS_PATH,
    operation_id="memory_threads_list",
    query=ThreadListQuery,
    response=ThreadList,
    errors=(403, 404),
)
async def _list_threads(request: _Request) -> ASGIResponse:
    """List threads, by default the newest first."""
    query = build_thread_query(request)
    memory, own = require_memory(request), restrict_to_thread(request)
    found = await _list_own_thread(memory, own, query) if own else await memory.list_threads(query)
    pagination = build_pagination(found, query.page, query.per_page)
    return await list_response(request, "threads", found.items, build_thread, pagination)


@post(
    _THREADS_PATH,
    operation_id="memory_threads_create",
    query=MemoryQuery,
    body=CreateThreadBody,
    response=ThreadAnswer,
    errors=(403, 404, 409),
)
async def _create_thread(request: _Request) -> ASGIResponse:
    """Create a thread."""
    memory = require_memory(request)
    body = await read_body(request, CreateThreadBody)
    check_metadata(body.metadata, "metadata")
    thread = await memory.create_thread(
        resource=restrict_to_resource(request, body.resource_id),
        id=restrict_to_thread(request, body.thread_id or ""),
        title=body.title or "",
        metadata=body.metadata,
        caller=identify_caller(request.scope),
    )
    return json_response(build_thread(thread))


@get(
    _THREAD_PATH,
    operation_id="memory_threads_details",
    query=OwnerQuery,
    response=ThreadAnswer,
    errors=(403,),
)
async def _get_thread(request: _Request) -> ASGIResponse:
    """Get a thread."""
    return json_response(build_thread(await load_owned_thread(request, require_memory(request))))


@patch(
    _THREAD_PATH,
    operation_id="memory_threads_update",
    query=MemoryQuery,
    body=UpdateThreadBody,
    response=ThreadAnswer,
    errors=(403,),
)
async def _update_thread(request: _Request) -> ASGIResponse:
    """Update a thread. New metadata replaces all old metadata."""
    memory = require_memory(request)
    body = await read_body(request, UpdateThreadBody)
    check_metadata(body.metadata, "metadata")
    new_resource = restrict_to_resource(request, body.resource_id or "") or None
    thread = await load_owned_thread(request, memory)
    changed = await memory.update_thread(
        thread.id,
        thread.resource,
        title=body.title,
        metadata=body.metadata,
        new_resource=new_resource,
    )
    return json_response(build_thread(changed))


@delete(
    _THREAD_PATH,
    operation_id="memory_threads_delete",
    status_code=200,
    query=OwnerQuery,
    response=Deleted,
    errors=(403,),
)
async def _delete_thread(request: _Request) -> ASGIResponse:
    """Delete a thread with its messages."""
    memory = require_memory(request)
    await memory.delete_thread(get_thread_id(request), get_resource(request))
    return json_response({"result": "Thread deleted"})


@post(
    f"{_THREAD_PATH}/transfer",
    operation_id="memory_threads_transfer",
    query=MemoryQuery,
    body=TransferBody,
    response=ThreadAnswer,
    errors=(403,),
)
async def _transfer_thread(request: _Request) -> ASGIResponse:
    """Transfer a thread to another resource."""
    memory = require_memory(request)
    body = await read_body(request, TransferBody)
    new_resource = restrict_to_resource(request, body.resource_id)
    thread = await load_owned_thread(request, memory)
    changed = await memory.update_thread(thread.id, thread.resource, new_resource=new_resource)
    return json_response(build_thread(changed))


@post(
    f"{_THREAD_PATH}/clone",
    operation_id="memory_threads_clone",
    query=MemoryQuery,
    body=CloneBody,
    response=Cloned,
    errors=(403, 409),
)
async def _clone_thread(request: _Request) -> ASGIResponse:
    """Copy a thread, or some of its messages."""
    memory = require_memory(request)
    body = await read_body(request, CloneBody)
    check_metadata(body.metadata, "metadata")
    resource = restrict_to_resource(request, body.resource_id or "")
    restrict_to_thread(request, body.new_thread_id or "")
    source = await load_owned_thread(request, memory)
    into = await _build_clone(memory, source, resource or source.resource, body)
    into = msgspec.structs.replace(into, caller=identify_caller(request.scope))
    query, only = _select_messages(source.id, body)
    thread, copies = await memory.clone_thread(
        source.id, source.resource, into=into, query=query, only=only
    )
    fields = {
        "thread": build_thread(thread),
        "messageIdMap": {old_id: copy.id for old_id, copy in copies.items()},
    }
    return await list_response(
        request,
        "clonedMessages",
        copies.values(),
        lambda copy: build_message(copy, thread.resource),
        fields,
    )


ROUTES = (
    _list_threads,
    _create_thread,
    _get_thread,
    _update_thread,
    _delete_thread,
    _transfer_thread,
    _clone_thread,
)


async def _list_own_thread(memory: Memory, thread_id: str, query: ThreadQuery) -> Page[Thread]:
    """Return the page of a query for a caller that is restricted to one thread."""
    try:
        thread = await memory.get_thread(thread_id, query.resource)
    except (Forbidden, NotFound):
        return Page()
    is_match = all(thread.metadata.get(key) == value for key, value in query.metadata.items())
    items = (thread,) if is_match and query.page == 0 and query.per_page != 0 else ()
    return Page(items=items, total=int(is_match))


async def _build_clone(memory: Memory, source: Thread, resource: str, body: CloneBody) -> Thread:
    last = await memory.storage.threads.recall(source.id, 1)
    clone = {"sourceThreadId": source.id, "clonedAt": format_iso(now())}
    if last.messages:
        clone["lastMessageId"] = last.messages[0].id
    return Thread(
        id=body.new_thread_id or generate_id(),
        resource=resource,
        title=f"Clone of {source.title}".strip() if body.title is None else body.title,
        metadata={**(body.metadata or {}), "clone": clone},
    )


def _select_messages(thread_id: str, body: CloneBody) -> tuple[MessageQuery, list[str] | None]:
    """Return the query for the messages to copy, and their ids if the client names them.

    If the client passes a limit, the newest messages are selected.
    """
    options = body.options
    filter_ = options.message_filter if options else None
    where = "options.messageFilter"
    query = MessageQuery(
        thread=thread_id,
        since=parse_iso(filter_.start_date, f"{where}.startDate") if filter_ else None,
        until=parse_iso(filter_.end_date, f"{where}.endDate") if filter_ else None,
        descending=True,
        per_page=options.message_limit if options else None,
        max_bytes=MAX_PAGE_BYTES,
    )
    return query, filter_.message_ids if filter_ else None
