"""Read which memory, resource, thread and page a request names."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Request

from mastra_core import Mastra, Memory
from mastra_core.errors import InvalidInput, NotFound
from mastra_core.memory import get_memory
from mastra_core.storage import MessageQuery, Thread, ThreadQuery
from mastra_server.http.dates import DateRange
from mastra_server.http.request_body import (
    MAX_ITEMS,
    InvalidQuery,
    read_json_param,
    read_number_param,
)
from mastra_server.http.request_context import restrict_to_resource, restrict_to_thread

__all__ = (
    "MAX_PAGE_BYTES",
    "Include",
    "build_message_query",
    "build_thread_query",
    "find_memory",
    "get_own_memory",
    "get_resource",
    "get_thread_id",
    "load_owned_thread",
    "read_includes",
    "require_memory",
)

_Request = Request[Any, Any, Any]
_MAX_PAGE = 1_000_000
_MAX_NEIGHBOURS = 1000  # before and after an included message
_MAX_INCLUDED = 10_000  # included messages and their neighbours, of one request
MAX_PAGE_BYTES = 32 * 1024 * 1024  # of the records of one page in memory


class Include(msgspec.Struct, rename="camel"):
    """A message to return in addition to the page, with its neighbours."""

    id: str
    with_previous_messages: int = 0
    with_next_messages: int = 0

    @property
    def neighbours(self) -> tuple[int, int]:
        """The number of messages to return before and after this message."""
        before, after = self.with_previous_messages, self.with_next_messages
        return min(max(before, 0), _MAX_NEIGHBOURS), min(max(after, 0), _MAX_NEIGHBOURS)


_Includes = Annotated[list[Include], msgspec.Meta(max_length=MAX_ITEMS)]


class _Order(msgspec.Struct):
    field: Literal["createdAt", "updatedAt"] = "createdAt"
    direction: Literal["ASC", "DESC"] | None = None


class _Filter(msgspec.Struct, rename="camel"):
    date_range: DateRange | None = None
    roles: list[str] = []
    metadata: dict[str, Any] = {}


def get_own_memory(mastra: Mastra) -> Memory:
    """Return the application's own memory; by default a memory in the application's storage.

    :param mastra: the application.
    """
    return mastra.memory or Memory(storage=mastra.storage)


def find_memory(request: _Request) -> Memory | None:
    """Return the memory of the query's agent; without an agent, the application's memory.

    :param request: the request.
    :returns: the memory, ``None`` if the agent has none.
    :raises NotFound: when there is no such agent.
    """
    mastra: Mastra = request.app.state.mastra
    name = request.query_params.get("agentId", "")
    if not name:
        return get_own_memory(mastra)
    try:
        return get_memory(mastra.get_agent(name))
    except NotFound:
        raise NotFound(f"Agent with id {name} not found") from None


def require_memory(request: _Request) -> Memory:
    """Return the memory of the query's agent or of the application; raise an error without one.

    :param request: the request.
    :raises InvalidInput: when the agent has no memory.
    :raises NotFound: when there is no such agent.
    """
    memory = find_memory(request)
    if memory is None:
        raise InvalidInput("Memory is not initialized", "Give the agent a memory.")
    return memory


def get_resource(request: _Request, body_resource: str | None = None) -> str | None:
    """Return the resource that a request names; ``None`` means all resources.

    :param request: the request.
    :param body_resource: the resource that the body names; by default the resource that the query
        names.
    :raises Forbidden: when the caller names a resource that it may not access.
    """
    resource = body_resource or str(request.query_params.get("resourceId", ""))
    return restrict_to_resource(request, resource) or None


def get_thread_id(request: _Request) -> str:
    """Return the thread id in the path.

    :param request: the request.
    :raises Forbidden: when the caller is restricted to another thread.
    """
    return restrict_to_thread(request, request.path_params["thread_id"])


async def load_owned_thread(request: _Request, memory: Memory) -> Thread:
    """Load the thread that the path names.

    :param request: the request.
    :param memory: the memory.
    :raises NotFound: when there is no such thread.
    :raises Forbidden: when the thread belongs to another resource.
    """
    return await memory.get_thread(get_thread_id(request), get_resource(request))


def build_thread_query(request: _Request) -> ThreadQuery:
    """Build the query for a list of threads.

    :param request: the request.
    :raises InvalidQuery: when a parameter is invalid; the error names the parameter.
    """
    order = _read_order(request)
    page, per_page = _read_page(request, 100)
    return ThreadQuery(
        resource=get_resource(request),
        metadata=read_json_param(request, "metadata", dict[str, Any]) or {},
        order_by="updated_at" if order.field == "updatedAt" else "created_at",
        descending=order.direction != "ASC",
        page=page,
        per_page=per_page,
        max_bytes=MAX_PAGE_BYTES,
    )


def build_message_query(request: _Request) -> MessageQuery:
    """Build the query for messages of the thread that the path names.

    :param request: the request.
    :raises InvalidQuery: when a parameter is invalid; the error names the parameter.
    """
    filter_ = read_json_param(request, "filter", _Filter) or _Filter()
    page, per_page = _read_page(request, 40)
    since, until = (filter_.date_range or DateRange()).to_milliseconds("filter.dateRange")
    return MessageQuery(
        thread=get_thread_id(request),
        roles=tuple(filter_.roles),
        since=since,
        until=until,
        metadata=filter_.metadata,
        descending=_read_order(request).direction != "ASC",
        page=page,
        per_page=per_page,
        max_bytes=MAX_PAGE_BYTES,
    )


def read_includes(request: _Request) -> list[Include]:
    """Return the messages that are requested in addition to the page.

    :param request: the request.
    :raises InvalidQuery: when the parameter is not a list of messages, or has too many of them.
    """
    includes = read_json_param(request, "include", _Includes) or []
    if sum(1 + sum(each.neighbours) for each in includes) > _MAX_INCLUDED:
        raise InvalidQuery("include", f"Expected at most {_MAX_INCLUDED} messages in all")
    return includes


def _read_page(request: _Request, default: int) -> tuple[int, int | None]:
    page = read_number_param(request, "page") or 0
    if request.query_params.get("perPage") == "false":
        return page, None
    per_page = read_number_param(request, "perPage")
    for name, value in (("page", page), ("perPage", per_page or 0)):
        if value > _MAX_PAGE:
            raise InvalidQuery(name, f"Expected at most {_MAX_PAGE}")
    return page, default if per_page is None else per_page


def _read_order(request: _Request) -> _Order:
    """Parse the order from a JSON object, or from brackets: ``orderBy[field]=createdAt``."""
    order = read_json_param(request, "orderBy", _Order)
    if order is not None:
        return order
    fields = {name: request.query_params.get(f"orderBy[{name}]") for name in ("field", "direction")}
    try:
        return msgspec.convert({key: value for key, value in fields.items() if value}, _Order)
    except msgspec.ValidationError as error:
        raise InvalidQuery("orderBy", str(error)) from None
