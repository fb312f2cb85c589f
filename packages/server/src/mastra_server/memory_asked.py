"""What a request about memory asks for: whose, and which page of what."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec
from litestar import Request

from mastra_core import AgentInput, AgentLike, Mastra, Memory
from mastra_core.errors import InvalidInput, NotFound
from mastra_core.memory import memory_of
from mastra_core.storage import MessageQuery, Thread, ThreadQuery
from mastra_server.body import InvalidBody, InvalidQuery, decoded, number
from mastra_server.context import confined
from mastra_server.memory_wire import milliseconds

__all__ = (
    "Include",
    "admit",
    "includes",
    "memory_asked",
    "message_query",
    "named_memory",
    "own_thread",
    "owner",
    "thread_query",
)

_Request = Request[Any, Any, Any]
T = TypeVar("T")
_MOST = 1_000_000


class Include(msgspec.Struct, rename="camel"):
    """A message that is told whatever the page, with neighbours."""

    id: str
    with_previous_messages: int = 0
    with_next_messages: int = 0


class _Order(msgspec.Struct):
    field: Literal["createdAt", "updatedAt"] = "createdAt"
    direction: Literal["ASC", "DESC"] | None = None


class _Dates(msgspec.Struct, rename="camel"):
    start: str | None = None
    end: str | None = None
    start_exclusive: bool = False
    end_exclusive: bool = False


class _Filter(msgspec.Struct, rename="camel"):
    date_range: _Dates | None = None
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
    return confined(request, asked) or None


async def own_thread(request: _Request, memory: Memory) -> Thread:
    """The thread of the path, where the caller may have it.

    :raises NotFound: when there is none.
    :raises Forbidden: when it is somebody else's.
    """
    return await memory.get_thread(request.path_params["thread_id"], owner(request))


def thread_query(request: _Request) -> ThreadQuery:
    """Which threads are asked for.

    :raises InvalidQuery: naming the parameter that does not fit.
    """
    order = _order(request)
    page, per_page = _page(request, 100)
    return ThreadQuery(
        resource=owner(request),
        metadata=_json(request, "metadata", dict[str, Any]) or {},
        order_by="updated_at" if order.field == "updatedAt" else "created_at",
        descending=order.direction != "ASC",
        page=page,
        per_page=per_page,
    )


def message_query(request: _Request) -> MessageQuery:
    """Which messages of the path's thread are asked for.

    :raises InvalidQuery: naming the parameter that does not fit.
    """
    asked = _json(request, "filter", _Filter) or _Filter()
    page, per_page = _page(request, 40)
    since, until = _dates(asked.date_range or _Dates())
    return MessageQuery(
        thread=request.path_params["thread_id"],
        roles=tuple(asked.roles),
        since=since,
        until=until,
        metadata=asked.metadata,
        descending=_order(request).direction == "DESC",
        page=page,
        per_page=per_page,
    )


def includes(request: _Request) -> list[Include]:
    """Messages that are asked for beside the page.

    :raises InvalidQuery: when it is no list of them.
    """
    return _json(request, "include", list[Include]) or []


def _dates(asked: _Dates) -> tuple[int | None, int | None]:
    try:
        since = milliseconds(asked.start, "filter.dateRange.start")
        until = milliseconds(asked.end, "filter.dateRange.end")
    except InvalidBody as error:
        raise InvalidQuery(*error.issues[0]) from None
    return (
        None if since is None else since + asked.start_exclusive,
        None if until is None else until - asked.end_exclusive,
    )


def _page(request: _Request, most: int) -> tuple[int, int | None]:
    page = number(request, "page") or 0
    if request.query_params.get("perPage") == "false":
        return page, None
    per_page = number(request, "perPage")
    for name, value in (("page", page), ("perPage", per_page or 0)):
        if value > _MOST:
            raise InvalidQuery(name, f"Expected at most {_MOST}")
    return page, most if per_page is None else per_page


def _order(request: _Request) -> _Order:
    """As one JSON object, or in brackets: ``orderBy[field]=createdAt``."""
    whole = _json(request, "orderBy", _Order)
    if whole is not None:
        return whole
    given = {name: request.query_params.get(f"orderBy[{name}]") for name in ("field", "direction")}
    try:
        return msgspec.convert({key: value for key, value in given.items() if value}, _Order)
    except msgspec.ValidationError as error:
        raise InvalidQuery("orderBy", str(error)) from None


def _json(request: _Request, name: str, type_: type[T]) -> T | None:
    text = request.query_params.get(name, "")
    if not text:
        return None
    try:
        return decoded(text.encode(), type_)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidQuery(name, f"Expected JSON: {error}") from None
