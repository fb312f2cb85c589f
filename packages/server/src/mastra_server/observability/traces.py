"""Routes of traces: the latest, one of them, one of its spans; there where they are kept."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from litestar import Request, get
from litestar.response.base import ASGIResponse

from mastra_core.errors import NotFound
from mastra_server.http.request_context import restrict_to_resource
from mastra_server.http.responses import json_response
from mastra_server.observability.span_record import KeptSpan
from mastra_server.observability.trace_params import TracesQuery, page_of, roots_asked

__all__ = ("ROUTES", "Pagination", "visible")

_Request = Request[Any, Any, Any]
_PREFIX = "/api/observability/traces"


class SpanError(TypedDict):
    """Why a span failed."""

    message: str
    name: str


class LightSpan(TypedDict):
    """A span as a list or a timeline shows it."""

    traceId: str
    spanId: str
    parentSpanId: str | None
    name: str
    spanType: str
    isEvent: bool
    startedAt: str
    endedAt: str | None
    error: SpanError | None
    status: str
    entityType: str | None
    entityId: str | None
    entityName: str | None
    metadata: dict[str, str] | None
    inputPreview: NotRequired[str | None]
    createdAt: str
    updatedAt: str


class Span(LightSpan):
    """Everything of a span."""

    runId: str | None
    threadId: str | None
    resourceId: str | None
    serviceName: str | None
    attributes: dict[str, Any]
    input: Any
    output: Any


class Pagination(TypedDict):
    """Which page of how many."""

    total: int
    page: int
    perPage: int
    hasMore: bool


class LightTraces(TypedDict):
    """The first spans of traces, the newest first unless asked otherwise."""

    pagination: Pagination
    spans: list[LightSpan]


class Traces(TypedDict):
    """The first spans of traces, with everything of them."""

    pagination: Pagination
    spans: list[Span]


class LightTrace(TypedDict):
    """A trace, its spans in the order they began."""

    traceId: str
    spans: list[LightSpan]


class Trace(TypedDict):
    """A trace, with everything of its spans."""

    traceId: str
    spans: list[Span]


class OneSpan(TypedDict):
    """A span."""

    span: Span


@get(_PREFIX, operation_id="traces_traces", query=TracesQuery, response=Traces)
async def _traces(request: _Request) -> ASGIResponse:
    """The latest traces by their first spans, with everything of those."""
    spans, pagination = page_of(request, roots_asked(request, visible(request)))
    return json_response({"pagination": pagination, "spans": [each.whole() for each in spans]})


@get(
    f"{_PREFIX}/light", operation_id="traces_light_traces", query=TracesQuery, response=LightTraces
)
async def _light_traces(request: _Request) -> ASGIResponse:
    """The latest traces by their first spans."""
    spans, pagination = page_of(request, roots_asked(request, visible(request)))
    return json_response({"pagination": pagination, "spans": [each.brief() for each in spans]})


@get(f"{_PREFIX}/{{trace_id:str}}", operation_id="traces_trace", response=Trace)
async def _trace(request: _Request) -> ASGIResponse:
    """One trace, with everything of its spans."""
    spans = [each.whole() for each in _named(request)]
    return json_response({"traceId": request.path_params["trace_id"], "spans": spans})


@get(f"{_PREFIX}/{{trace_id:str}}/light", operation_id="traces_light_trace", response=LightTrace)
async def _light_trace(request: _Request) -> ASGIResponse:
    """One trace as a timeline shows it."""
    spans = [each.brief() for each in _named(request)]
    return json_response({"traceId": request.path_params["trace_id"], "spans": spans})


@get(
    f"{_PREFIX}/{{trace_id:str}}/spans/{{span_id:str}}",
    operation_id="traces_span",
    response=OneSpan,
)
async def _span(request: _Request) -> ASGIResponse:
    """One span of a trace."""
    for each in _named(request):
        if each.span_id == request.path_params["span_id"]:
            return json_response({"span": each.whole()})
    raise NotFound("Span not found")


ROUTES = (_traces, _light_traces, _trace, _light_trace, _span)


def visible(request: _Request) -> list[list[KeptSpan]]:
    """The traces that the caller may see: where it is confined to a resource, those of its runs."""
    own = restrict_to_resource(request)
    return [each for each in request.app.state.trace_store.traces() if _of(own, each)]


def _named(request: _Request) -> list[KeptSpan]:
    """The spans of the path's trace.

    :raises NotFound: when there is none that the caller may see.
    """
    name = request.path_params["trace_id"]
    spans: list[KeptSpan] = request.app.state.trace_store.trace(name)
    if not spans or not _of(restrict_to_resource(request), spans):
        raise NotFound(f"Trace with ID {name!r} not found")
    return spans


def _of(owner: str, spans: list[KeptSpan]) -> bool:
    return not owner or all(each.owner == owner for each in spans if not each.parent)
