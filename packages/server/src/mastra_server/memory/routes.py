"""Routes of memory: status, configuration, working memory."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.response.base import ASGIResponse

from mastra_core.errors import InvalidInput, NotFound
from mastra_core.memory import Memory
from mastra_core.storage import Thread
from mastra_server.http.errors import UnsupportedOperation
from mastra_server.http.handlers import get, post
from mastra_server.http.request_body import read_body
from mastra_server.http.responses import json_response
from mastra_server.memory import messages as memory_messages
from mastra_server.memory import search as memory_search
from mastra_server.memory import threads as memory_threads
from mastra_server.memory.queries import (
    find_memory,
    get_resource,
    get_thread_id,
    load_owned_thread,
    require_memory,
)
from mastra_server.memory.schemas import (
    ConfigAnswer,
    MemoryQuery,
    Noted,
    NotesBody,
    OwnerQuery,
    Status,
    WorkingMemoryAnswer,
)
from mastra_server.memory.thread_format import build_config

__all__ = ("ROUTES",)

_Request = Request[Any, Any, Any]
_WORKING_MEMORY_PATH = "/api/memory/threads/{thread_id:str}/working-memory"


@get(
    "/api/memory/status",
    operation_id="memory_status",
    query=MemoryQuery,
    response=Status,
    errors=(404,),
)
async def _get_status(request: _Request) -> ASGIResponse:
    """Report whether an agent has a memory."""
    if find_memory(request) is None:
        return json_response({"result": False})
    return json_response({"result": True, "memoryType": "local"})


@get(
    "/api/memory/config",
    operation_id="memory_config",
    query=MemoryQuery,
    response=ConfigAnswer,
    errors=(404,),
)
async def _get_config(request: _Request) -> ASGIResponse:
    """Get the configuration of an agent's memory; ``null`` if the agent has no memory."""
    memory = find_memory(request)
    return json_response({"config": memory and build_config(memory)})


@get(
    "/api/memory/observational-memory",
    operation_id="memory_observations",
    query=OwnerQuery,
    response=Any,
    errors=(501,),
)
async def _get_observations() -> ASGIResponse:
    """Not supported: this server has no agent that observes and summarizes conversations."""
    raise UnsupportedOperation("This server does not support observational memory")


@post(
    "/api/memory/observational-memory/buffer-status",
    operation_id="memory_observed",
    response=Any,
    errors=(501,),
)
async def _get_buffer_status() -> ASGIResponse:
    """Not supported: this server has no agent that observes and summarizes conversations."""
    raise UnsupportedOperation("This server does not support observational memory")


@get(
    _WORKING_MEMORY_PATH,
    operation_id="memory_working_memory",
    query=OwnerQuery,
    response=WorkingMemoryAnswer,
    errors=(403,),
)
async def _get_working_memory(request: _Request) -> ASGIResponse:
    """Get the working memory of the thread or resource, and its template."""
    memory = require_memory(request)
    thread = await _find_thread(request, memory)
    resource = get_resource(request) or (thread.resource if thread else "")
    if not resource:
        raise InvalidInput(
            "resourceId is required", "Pass the resource of the working memory as resourceId."
        )
    notes = ""
    if thread is not None or memory.scope == "resource":
        notes = await memory.get_working_memory(get_thread_id(request), resource)
    return json_response(
        {
            "workingMemory": notes or None,
            "source": memory.scope,
            "workingMemoryTemplate": _build_template(memory),
            "threadExists": thread is not None,
        }
    )


@post(
    _WORKING_MEMORY_PATH,
    operation_id="memory_note",
    query=MemoryQuery,
    body=NotesBody,
    response=Noted,
    errors=(403,),
)
async def _update_working_memory(request: _Request) -> ASGIResponse:
    """Replace the working memory."""
    memory = require_memory(request)
    body = await read_body(request, NotesBody)
    resource = get_resource(request, body.resource_id)
    thread = await memory.get_thread(get_thread_id(request), resource)
    await memory.update_working_memory(thread.id, thread.resource, body.working_memory)
    return json_response({"success": True})


ROUTES = (
    _get_status,
    _get_config,
    _get_observations,
    _get_buffer_status,
    _get_working_memory,
    _update_working_memory,
    *memory_search.ROUTES,
    *memory_threads.ROUTES,
    *memory_messages.ROUTES,
)


async def _find_thread(request: _Request, memory: Memory) -> Thread | None:
    try:
        return await load_owned_thread(request, memory)
    except NotFound:
        return None


def _build_template(memory: Memory) -> dict[str, str] | None:
    if memory.notes_form is None:
        return None
    kind = "markdown" if memory.notes_form.type is None else "json"
    return {"format": kind, "content": memory.notes_form.template_text}
