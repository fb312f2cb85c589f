"""Routes for Studio's list of traces: the query, and values for filters."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
from litestar import Request
from litestar.response.base import ASGIResponse

from mastra_server.http.dates import parse_iso
from mastra_server.http.handlers import get, post
from mastra_server.http.request_body import InvalidBody, read_body
from mastra_server.http.responses import json_response
from mastra_server.http.schemas import ContextQuery, Pagination
from mastra_server.observability.span_record import SpanRecord
from mastra_server.observability.trace_filter import build_condition
from mastra_server.observability.traces import list_visible_traces

__all__ = ("ROUTES",)

_Request = Request[Any, Any, Any]
_Key = tuple[int, int]
_TURN = 0.005  # seconds for which a query may delay other requests
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
    """A query for ended traces by their start time; ``where`` is a further condition."""

    time_range: _Times
    where: dict[str, Any] | None = None
    order_by: Annotated[list[_Order], msgspec.Meta(max_length=1)] = []
    page: _After | None = None
    pagination: _Page | None = None


class NamesQuery(ContextQuery):
    """The type of the entities to list: agents or workflows."""

    entity_type: str = ""


class Row(TypedDict):
    """A line in the list of traces: the root span of one trace."""

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
    """The value for ``after`` in the request for the next page; ``null`` at the end."""

    next: str | None


class Rows(TypedDict):
    """A page of traces, with ``page`` or ``pagination``, depending on the request."""

    traces: list[Row]
    page: NotRequired[Cursor]
    pagination: NotRequired[Pagination]


class Names(TypedDict):
    """Names of agents and workflows that have traces."""

    names: list[str]


class Environments(TypedDict):
    """The environments; always empty."""

    environments: list[str]


@post(
    "/api/observability/traces/query",
    operation_id="trace_query_query",
    body=_Question,
    response=Rows,
)
async def _query_traces(request: _Request) -> ASGIResponse:
    """Query the traces that have ended."""
    query = await read_body(request, _Question)
    order = query.order_by[0] if query.order_by else _Order()
    descending = order.direction == "desc"
    roots = sorted(
        await _select_matching(request, query),
        key=lambda each: _get_sort_key(each, order),
        reverse=descending,
    )
    if query.pagination is not None:
        return json_response(_build_page(roots, query))
    page = query.page or _After()
    if page.after:
        last = _parse_cursor(page.after)
        roots = [
            each
            for each in roots
            if _is_after(_get_sort_key(each, order), last, descending=descending)
        ]
    page_roots = roots[: page.limit]
    next_cursor = (
        "{}.{}".format(*_get_sort_key(page_roots[-1], order))
        if len(roots) > len(page_roots)
        else None
    )
    return json_response(
        {"traces": [_build_row(each) for each in page_roots], "page": {"next": next_cursor}}
    )


@get(
    "/api/observability/discovery/entity-names",
    operation_id="trace_query_names",
    query=NamesQuery,
    response=Names,
)
async def _list_entity_names(request: _Request) -> ASGIResponse:
    """List the names of agents and workflows that have traces."""
    entity_type = request.query_params.get("entityType", "")
    summaries = [spans[0].to_summary() for spans in list_visible_traces(request)]
    names = {
        each["entityName"]
        for each in summaries
        if each["entityName"] and entity_type in ("", each["entityType"])
    }
    return json_response({"names": sorted(names)})


@get(
    "/api/observability/discovery/environments",
    operation_id="trace_query_environments",
    response=Environments,
)
async def _list_environments() -> ASGIResponse:
    """List environments; always empty."""
    return json_response({"environments": []})


ROUTES = (_query_traces, _list_entity_names, _list_environments)


async def _select_matching(request: _Request, query: _Question) -> list[SpanRecord]:
    """Return the root spans of matching traces; meanwhile, other requests can run."""
    since = parse_iso(query.time_range.start, "timeRange.from") or 0
    until = parse_iso(query.time_range.end, "timeRange.to") or 0
    matches = build_condition(query.where)
    roots: list[SpanRecord] = []
    turn_end = time.monotonic() + _TURN
    for spans in list_visible_traces(request):
        root = spans[0]
        if root.ended is not None and since <= root.started <= until and matches(spans):
            roots.append(root)
        if time.monotonic() > turn_end:
            await asyncio.sleep(0)
            turn_end = time.monotonic() + _TURN
    return roots


def _get_sort_key(span: SpanRecord, order: _Order) -> _Key:
    return (span.started if order.field == "startedAt" else span.ended or 0), span.number


def _parse_cursor(cursor: str) -> _Key:
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise InvalidBody("page.after", "Expected the value of `page.next` in a response")
    return int(match["when"]), int(match["number"])


def _is_after(key: _Key, last: _Key, *, descending: bool) -> bool:
    return key < last if descending else key > last


def _build_page(roots: list[SpanRecord], query: _Question) -> dict[str, Any]:
    page = query.pagination or _Page()
    first = page.page * page.per_page
    has_more = first + page.per_page < len(roots)
    pagination = {"total": len(roots), "page": page.page, "perPage": page.per_page}
    page_roots = roots[first : first + page.per_page]
    return {
        "traces": [_build_row(each) for each in page_roots],
        "pagination": {**pagination, "hasMore": has_more},
    }


def _build_row(span: SpanRecord) -> dict[str, Any]:
    values = {**span.to_summary(), **span.facts, "rootSpanId": span.span_id}
    return {name: values.get(name) for name in Row.__annotations__}
