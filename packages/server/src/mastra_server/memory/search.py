"""Respond to a search with the latest messages of a thread, and the messages around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NotRequired, TypedDict

from litestar import Request
from litestar.response.base import ASGIResponse

from mastra_core.agents import TextPart
from mastra_core.errors import NotFound
from mastra_core.memory import Memory
from mastra_core.storage import MessageQuery, StoredMessage, Thread, ThreadQuery
from mastra_server.http.dates import format_iso
from mastra_server.http.handlers import get
from mastra_server.http.request_body import InvalidQuery, read_number_param, require_param
from mastra_server.http.request_context import restrict_to_thread
from mastra_server.http.responses import json_response
from mastra_server.memory.queries import MAX_PAGE_BYTES, get_resource, require_memory
from mastra_server.memory.schemas import SearchQuery

__all__ = ("ROUTES",)

_Request = Request[Any, Any, Any]
_DEFAULT_LIMIT = 20
_MAX_LIMIT = 1_000
_NEIGHBOURS = 2  # messages before and after each result


class FoundMessage(TypedDict):
    """A message with its text."""

    id: str
    role: str
    content: str
    createdAt: str


class Neighbours(TypedDict):
    """The messages before and after a search result."""

    before: list[FoundMessage]
    after: list[FoundMessage]


class SearchResult(FoundMessage):
    """A message of a thread, and the messages around it."""

    threadId: str
    threadTitle: str
    context: Neighbours


class SearchResults(TypedDict):
    """The results of a search, newest first."""

    results: list[SearchResult]
    count: int
    query: str
    searchScope: NotRequired[Literal["resource"]]
    searchType: NotRequired[Literal["text"]]


@get(
    "/api/memory/search",
    operation_id="memory_search",
    query=SearchQuery,
    response=SearchResults,
    errors=(403, 404),
)
async def _search_memory(request: _Request) -> ASGIResponse:
    """Get the latest messages of a thread or of a resource's latest thread.

    There is no semantic search: every ``searchQuery`` gets the same messages.
    """
    memory, text = require_memory(request), require_param(request, "searchQuery")
    limit = read_number_param(request, "limit")
    limit = _DEFAULT_LIMIT if limit is None else limit
    if limit > _MAX_LIMIT:
        raise InvalidQuery("limit", f"Expected at most {_MAX_LIMIT}")
    thread = await _find_thread(request, memory)
    results = [] if thread is None else await _load_results(memory, thread)
    kind = {"searchScope": "resource", "searchType": "text"} if memory.last_messages else {}
    found = results[:limit]
    return json_response({"results": found, "count": len(found), "query": text, **kind})


ROUTES = (_search_memory,)


async def _find_thread(request: _Request, memory: Memory) -> Thread | None:
    require_param(request, "resourceId")
    resource = get_resource(request)
    thread_id = restrict_to_thread(request, request.query_params.get("threadId", ""))
    if not thread_id:
        found = await memory.list_threads(
            ThreadQuery(resource=resource, per_page=1, max_bytes=MAX_PAGE_BYTES)
        )
        return next(iter(found.items), None)
    try:
        return await memory.get_thread(thread_id, resource)
    except NotFound:
        return None


async def _load_results(memory: Memory, thread: Thread) -> list[dict[str, Any]]:
    """Load the latest messages, as many as a run would get from the memory, newest first."""
    if not memory.last_messages:
        return []
    query = MessageQuery(
        thread=thread.id,
        descending=True,
        per_page=memory.last_messages + _NEIGHBOURS,
        max_bytes=MAX_PAGE_BYTES,
    )
    messages = (await memory.list_messages(query, thread.resource)).items
    described = [_describe(message) for message in messages]
    return [
        {
            **item,
            "threadId": thread.id,
            "threadTitle": thread.title or thread.id,
            "context": _build_context(described, index),
        }
        for index, item in enumerate(described[: memory.last_messages])
    ]


def _build_context(newest_first: Sequence[dict[str, Any]], index: int) -> dict[str, Any]:
    earlier = newest_first[index + 1 : index + 1 + _NEIGHBOURS]
    later = newest_first[max(0, index - _NEIGHBOURS) : index]
    return {"before": [*reversed(earlier)], "after": [*reversed(later)]}


def _describe(message: StoredMessage) -> dict[str, Any]:
    text = "".join(part.text for part in message.parts if isinstance(part, TextPart))
    role = "assistant" if message.role == "tool" else message.role
    created = format_iso(message.created_at)
    return {"id": message.id, "role": role, "content": text, "createdAt": created}
