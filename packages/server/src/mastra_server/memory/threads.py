"""Routes of threads: list, create, get, update, delete, transfer, clone."""

from __future__ import annotations

from typing import Any

from litestar import Request, delete, get, patch, post
from litestar.response.base import ASGIResponse

from mastra_core.memory.memory import Memory, new_id
from mastra_core.storage import MessageQuery, StoredMessage, Thread
from mastra_core.storage.records import now
from mastra_server.agents.messages import format_iso
from mastra_server.http.request_body import read_body
from mastra_server.http.request_context import restrict_to_resource, restrict_to_thread
from mastra_server.http.responses import json_response
from mastra_server.memory.convert import message_answer, milliseconds, paged, thread_answer
from mastra_server.memory.queries import (
    memory_asked,
    named_thread,
    own_thread,
    owner,
    thread_query,
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

__all__ = ("ROUTES",)

_Request = Request[Any, Any, Any]
_PATH = "/api/memory/threads"
_ONE = f"{_PATH}/{{thread_id:str}}"


@get(
    _PATH,
    operation_id="memory_threads_list",
    query=ThreadListQuery,
    response=ThreadList,
    errors=(403, 404),
)
async def _list(request: _Request) -> ASGIResponse:
    """List threads, by default the newest first."""
    query = thread_query(request)
    found = await memory_asked(request).threads(query)
    threads = [thread_answer(thread) for thread in found.items]
    return json_response({"threads": threads, **paged(found, query.page, query.per_page)})


@post(
    _PATH,
    operation_id="memory_threads_create",
    query=MemoryQuery,
    body=CreateThreadBody,
    response=ThreadAnswer,
    errors=(403, 404, 409),
)
async def _create(request: _Request) -> ASGIResponse:
    """Create a thread."""
    memory = memory_asked(request)
    body = await read_body(request, CreateThreadBody)
    thread = await memory.create_thread(
        resource=restrict_to_resource(request, body.resource_id),
        id=restrict_to_thread(request, body.thread_id or ""),
        title=body.title or "",
        metadata=body.metadata,
    )
    return json_response(thread_answer(thread))


@get(
    _ONE,
    operation_id="memory_threads_details",
    query=OwnerQuery,
    response=ThreadAnswer,
    errors=(403,),
)
async def _details(request: _Request) -> ASGIResponse:
    """Get a thread."""
    return json_response(thread_answer(await own_thread(request, memory_asked(request))))


@patch(
    _ONE,
    operation_id="memory_threads_update",
    query=MemoryQuery,
    body=UpdateThreadBody,
    response=ThreadAnswer,
    errors=(403,),
)
async def _update(request: _Request) -> ASGIResponse:
    """Update a thread; metadata is replaced as a whole."""
    memory = memory_asked(request)
    body = await read_body(request, UpdateThreadBody)
    new_resource = restrict_to_resource(request, body.resource_id or "") or None
    thread = await own_thread(request, memory)
    changed = await memory.update_thread(
        thread.id, title=body.title, metadata=body.metadata, new_resource=new_resource
    )
    return json_response(thread_answer(changed))


@delete(
    _ONE,
    operation_id="memory_threads_delete",
    status_code=200,
    query=OwnerQuery,
    response=Deleted,
    errors=(403,),
)
async def _delete(request: _Request) -> ASGIResponse:
    """Delete a thread with its messages."""
    memory = memory_asked(request)
    await memory.delete_thread(named_thread(request), owner(request))
    return json_response({"result": "Thread deleted"})


@post(
    f"{_ONE}/transfer",
    operation_id="memory_threads_transfer",
    query=MemoryQuery,
    body=TransferBody,
    response=ThreadAnswer,
    errors=(403,),
)
async def _transfer(request: _Request) -> ASGIResponse:
    """Transfer a thread to another resource."""
    memory = memory_asked(request)
    body = await read_body(request, TransferBody)
    new_resource = restrict_to_resource(request, body.resource_id)
    thread = await own_thread(request, memory)
    return json_response(
        thread_answer(await memory.update_thread(thread.id, new_resource=new_resource))
    )


@post(
    f"{_ONE}/clone",
    operation_id="memory_threads_clone",
    query=MemoryQuery,
    body=CloneBody,
    response=Cloned,
    errors=(403, 409),
)
async def _clone(request: _Request) -> ASGIResponse:
    """Copy a thread, or some of its messages."""
    memory = memory_asked(request)
    body = await read_body(request, CloneBody)
    resource = restrict_to_resource(request, body.resource_id or "")
    source = await own_thread(request, memory)
    thread, copies = await _cloned(memory, source, resource or source.resource, body)
    return json_response(
        {
            "thread": thread_answer(thread),
            "clonedMessages": [message_answer(copy, thread.resource) for copy in copies.values()],
            "messageIdMap": {old_id: copy.id for old_id, copy in copies.items()},
        }
    )


ROUTES = (_list, _create, _details, _update, _delete, _transfer, _clone)


async def _cloned(
    memory: Memory, source: Thread, resource: str, body: CloneBody
) -> tuple[Thread, dict[str, StoredMessage]]:
    query, only = _messages(source.id, body)
    last = await memory.storage.threads.recall(source.id, 1)
    clone = {"sourceThreadId": source.id, "clonedAt": format_iso(now())}
    if last.messages:
        clone["lastMessageId"] = last.messages[0].id
    into = Thread(
        id=body.new_thread_id or new_id(),
        resource=resource,
        title=f"Clone of {source.title}".strip() if body.title is None else body.title,
        metadata={**(body.metadata or {}), "clone": clone},
    )
    return await memory.clone_thread(source.id, into=into, query=query, only=only)


def _messages(thread_id: str, body: CloneBody) -> tuple[MessageQuery, list[str] | None]:
    """Return the query for the messages to copy, and their ids where the client names them.

    A limit selects the newest messages.
    """
    options = body.options
    filter_ = options.message_filter if options else None
    where = "options.messageFilter"
    query = MessageQuery(
        thread=thread_id,
        since=milliseconds(filter_.start_date, f"{where}.startDate") if filter_ else None,
        until=milliseconds(filter_.end_date, f"{where}.endDate") if filter_ else None,
        descending=True,
        per_page=options.message_limit if options else None,
    )
    return query, filter_.message_ids if filter_ else None
