"""The question that Mastra Studio asks for its list of traces, and what there is to choose from."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
from litestar import Request, get, post
from litestar.response.base import ASGIResponse

from mastra_server.http.request_body import InvalidBody, read_body
from mastra_server.http.responses import json_response
from mastra_server.http.schemas import ContextQuery
from mastra_server.memory.convert import milliseconds
from mastra_server.observability.span_record import KeptSpan
from mastra_server.observability.trace_filter import condition
from mastra_server.observability.traces import Pagination, visible

__all__ = ("ROUTES",)

_Request = Request[Any, Any, Any]
_Key = tuple[int, int]
_CURSOR = re.compile(r"(?P<when>[0-9]{1,15})\.(?P<number>[0-9]{1,15})")


class _Times(msgspec.Struct):
    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")


class _Order(msgspec.Struct):
    field: Literal["startedAt", "endedAt"] = "startedAt"
    direction: Literal["asc", "desc"] = "desc"


class _After(msgspec.Struct):
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    after: str | None = None


class _Page(msgspec.Struct, rename="camel"):
    page: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    per_page: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10


class _Question(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Traces that have ended and began in a time; ``where`` is a condition of the contract's."""

    time_range: _Times
    where: dict[str, Any] | None = None
    order_by: Annotated[list[_Order], msgspec.Meta(max_length=1)] = []
    page: _After | None = None
    pagination: _Page | None = None


class NamesQuery(ContextQuery):
    """Of which type."""

    entity_type: str = ""


class Row(TypedDict):
    """A trace by its first span."""

    traceId: str
    rootSpanId: str
    name: str
    entityId: str | None
    parentSpanId: None
    createdAt: str
    metadata: dict[str, str] | None
    inputPreview: str | None
    threadId: str | None
    resourceId: str | None
    startedAt: str
    endedAt: str
    entityName: str | None
    entityType: str | None
    environment: None
    status: str


class Cursor(TypedDict):
    """What to send as ``after`` for the next ones; ``null`` at the end."""

    next: str | None


class Rows(TypedDict):
    """Traces; with ``page`` or ``pagination``, as it was asked."""

    traces: list[Row]
    page: NotRequired[Cursor]
    pagination: NotRequired[Pagination]


class Names(TypedDict):
    """Names of agents and workflows that have traces."""

    names: list[str]


class Environments(TypedDict):
    """Environments; there are none."""

    environments: list[str]


@post(
    "/api/observability/traces/query",
    operation_id="trace_query_query",
    body=_Question,
    response=Rows,
)
async def _query(request: _Request) -> ASGIResponse:
    """Traces that have ended, and fit."""
    asked = await read_body(request, _Question)
    order = asked.order_by[0] if asked.order_by else _Order()
    descending = order.direction == "desc"
    roots = sorted(_fitting(request, asked), key=lambda each: _key(each, order), reverse=descending)
    if asked.pagination is not None:
        return json_response(_paged(roots, asked))
    page = asked.page or _After()
    if page.after:
        last = _after(page.after)
        roots = [each for each in roots if _beyond(_key(each, order), last, descending=descending)]
    shown = roots[: page.limit]
    more = "{}.{}".format(*_key(shown[-1], order)) if len(roots) > len(shown) else None
    return json_response({"traces": [_row(each) for each in shown], "page": {"next": more}})


@get(
    "/api/observability/discovery/entity-names",
    operation_id="trace_query_names",
    query=NamesQuery,
    response=Names,
)
async def _names(request: _Request) -> ASGIResponse:
    """Names of agents and workflows that have traces."""
    wanted = request.query_params.get("entityType", "")
    told = [spans[0].brief() for spans in visible(request)]
    names = {
        each["entityName"]
        for each in told
        if each["entityName"] and wanted in ("", each["entityType"])
    }
    return json_response({"names": sorted(names)})


@get(
    "/api/observability/discovery/environments",
    operation_id="trace_query_environments",
    response=Environments,
)
async def _environments() -> ASGIResponse:
    """Environments; there are none."""
    return json_response({"environments": []})


ROUTES = (_query, _names, _environments)


def _fitting(request: _Request, asked: _Question) -> list[KeptSpan]:
    since = milliseconds(asked.time_range.start, "timeRange.from") or 0
    until = milliseconds(asked.time_range.end, "timeRange.to") or 0
    fits = condition(asked.where)
    return [
        spans[0]
        for spans in visible(request)
        if spans[0].ended is not None and since <= spans[0].started <= until and fits(spans)
    ]


def _key(span: KeptSpan, order: _Order) -> _Key:
    return (span.started if order.field == "startedAt" else span.ended or 0), span.number


def _after(cursor: str) -> _Key:
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise InvalidBody("page.after", "Expected what `page.next` was")
    return int(found["when"]), int(found["number"])


def _beyond(key: _Key, last: _Key, *, descending: bool) -> bool:
    return key < last if descending else key > last


def _paged(roots: list[KeptSpan], asked: _Question) -> dict[str, Any]:
    page = asked.pagination or _Page()
    first = page.page * page.per_page
    more = first + page.per_page < len(roots)
    counted = {"total": len(roots), "page": page.page, "perPage": page.per_page}
    shown = roots[first : first + page.per_page]
    return {"traces": [_row(each) for each in shown], "pagination": {**counted, "hasMore": more}}


def _row(span: KeptSpan) -> dict[str, Any]:
    known = {**span.brief(), **span.facts, "rootSpanId": span.span_id}
    return {name: known.get(name) for name in Row.__annotations__}
