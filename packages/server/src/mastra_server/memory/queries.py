"""What a request about memory asks for: whose, and which page of what."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from litestar import Request

from mastra_core import AgentInput, AgentLike, Mastra, Memory
from mastra_core.errors import InvalidInput, NotFound
from mastra_core.memory import memory_of
from mastra_core.storage import MessageQuery, Thread, ThreadQuery
from mastra_server.http.dates import DateRange
from mastra_server.http.request_body import InvalidQuery, read_json_param, read_number_param
from mastra_server.http.request_context import restrict_to_resource, restrict_to_thread

__all__ = (
    "Include",
    "admit",
    "includes",
    "memory_asked",
    "message_query",
    "named_memory",
    "named_thread",
    "own_thread",
    "owner",
    "thread_query",
)

_Request = Request[Any, Any, Any]
_MOST = 1_000_000


class Include(msgspec.Struct, rename="camel"):
    """A message that is told whatever the page, with neighbours."""

    id: str
    with_previous_messages: int = 0
    with_next_messages: int = 0


class _Order(msgspec.Struct):
    field: Literal["createdAt", "updatedAt"] = "createdAt"
    direction: Literal["ASC", "DESC"] | None = None


class _Filter(msgspec.Struct, rename="camel"):
    date_range: DateRange | None = None
    roles: list[str] = []
    metadata: dict[str, Any] = {}


def named_memory(request: _Request) -> Memory | None:
    """The memory of the agent that is named, where it has one; the application's without a name.

    :raises NotFound: when there is no such agent.
    """
    mastra: Mastra = request.app.state.mastra
    name = request.query_params.get("agentId", "")
    if not name:
        return mastra.memory or Memory(storage=mastra.storage)
    try:
        return memory_of(mastra.get_agent(name))
    except NotFound:
        raise NotFound(f"Agent with id {name} not found") from None


def memory_asked(request: _Request) -> Memory:
    """The memory that a request is about.

    :raises InvalidInput: when the agent has none.
    """
    memory = named_memory(request)
    if memory is None:
        raise InvalidInput("Memory is not initialized", "Give the agent a memory.")
    return memory


async def admit(agent: AgentLike, wish: AgentInput) -> None:
    """Refuse a run in a thread of others while there is still a status to answer with.

    :raises Forbidden: when the thread belongs to another resource.
    """
    memory = memory_of(agent)
    if memory is not None and wish.thread:
        await memory.admit(wish.thread, wish.resource)


def owner(request: _Request, named: str | None = None) -> str | None:
    """The resource for which it is asked; ``None`` for everybody's.

    :param named: by the body; the query's where not.
    :raises Forbidden: when the caller names another than its own.
    """
    asked = named or str(request.query_params.get("resourceId", ""))
    return restrict_to_resource(request, asked) or None


def named_thread(request: _Request) -> str:
    """The thread that the path names.

    :raises Forbidden: when the caller may touch another alone.
    """
    return restrict_to_thread(request, request.path_params["thread_id"])


async def own_thread(request: _Request, memory: Memory) -> Thread:
    """The thread of the path, where the caller may have it.

    :raises NotFound: when there is none.
    :raises Forbidden: when it is somebody else's.
    """
    return await memory.get_thread(named_thread(request), owner(request))


def thread_query(request: _Request) -> ThreadQuery:
    """Which threads are asked for.

    :raises InvalidQuery: naming the parameter that does not fit.
    """
    order = _order(request)
    page, per_page = _page(request, 100)
    return ThreadQuery(
        resource=owner(request),
        metadata=read_json_param(request, "metadata", dict[str, Any]) or {},
        order_by="updated_at" if order.field == "updatedAt" else "created_at",
        descending=order.direction != "ASC",
        page=page,
        per_page=per_page,
    )


def message_query(request: _Request) -> MessageQuery:
    """Which messages of the path's thread are asked for.

    :raises InvalidQuery: naming the parameter that does not fit.
    """
    asked = read_json_param(request, "filter", _Filter) or _Filter()
    page, per_page = _page(request, 40)
    since, until = (asked.date_range or DateRange()).to_milliseconds("filter.dateRange")
    return MessageQuery(
        thread=named_thread(request),
        roles=tuple(asked.roles),
        since=since,
        until=until,
        metadata=asked.metadata,
        descending=_order(request).direction != "ASC",
        page=page,
        per_page=per_page,
    )


def includes(request: _Request) -> list[Include]:
    """Messages that are asked for beside the page.

    :raises InvalidQuery: when it is no list of them.
    """
    return read_json_param(request, "include", list[Include]) or []


def _page(request: _Request, most: int) -> tuple[int, int | None]:
    page = read_number_param(request, "page") or 0
    if request.query_params.get("perPage") == "false":
        return page, None
    per_page = read_number_param(request, "perPage")
    for name, value in (("page", page), ("perPage", per_page or 0)):
        if value > _MOST:
            raise InvalidQuery(name, f"Expected at most {_MOST}")
    return page, most if per_page is None else per_page


def _order(request: _Request) -> _Order:
    """As one JSON object, or in brackets: ``orderBy[field]=createdAt``."""
    whole = read_json_param(request, "orderBy", _Order)
    if whole is not None:
        return whole
    given = {name: request.query_params.get(f"orderBy[{name}]") for name in ("field", "direction")}
    try:
        return msgspec.convert({key: value for key, value in given.items() if value}, _Order)
    except msgspec.ValidationError as error:
        raise InvalidQuery("orderBy", str(error)) from None
