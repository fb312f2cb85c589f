"""Routes of traces: the latest traces, one trace, one span."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from litestar import Request
from litestar.response.base import ASGIResponse

from mastra_core.errors import NotFound
from mastra_server.http.handlers import get
from mastra_server.http.request_context import restrict_to_resource, restrict_to_thread
from mastra_server.http.responses import json_response
from mastra_server.http.schemas import Pagination
from mastra_server.observability.span_record import SpanRecord
from mastra_server.observability.trace_params import TracesQuery, select_page, select_roots
from mastra_server.observability.trace_store import TraceStore

__all__ = ("ROUTES", "list_visible_traces")

_Request = Request[Any, Any, Any]
_PREFIX = "/api/observability/traces"


class SpanError(TypedDict):
    """Why a span failed."""

    message: str
    name: str


class LightSpan(TypedDict):
    """A span in a list or a timeline."""

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
    """A span with all its fields."""

    runId: str | None
    threadId: str | None
    resourceId: str | None
    serviceName: str | None
    attributes: dict[str, Any]
    input: Any
    output: Any


class LightTraces(TypedDict):
    """A page of the root spans of traces; by default the newest first."""

    pagination: Pagination
    spans: list[LightSpan]


class Traces(TypedDict):
    """A page of traces: the root span of each trace, with all its fields."""

    pagination: Pagination
    spans: list[Span]


class LightTrace(TypedDict):
    """A trace; its spans are ordered by their start."""

    traceId: str
    spans: list[LightSpan]


class Trace(TypedDict):
    """A trace with all fields of its spans."""

    traceId: str
    spans: list[Span]


class OneSpan(TypedDict):
    """A span."""

    span: Span


@get(_PREFIX, operation_id="traces_traces", query=TracesQuery, response=Traces)
async def _list_traces(request: _Request) -> ASGIResponse:
    """List the root spans of the latest traces, with all fields."""
    spans, pagination = select_page(request, select_roots(request, list_visible_traces(request)))
    return json_response({"pagination": pagination, "spans": [each.to_details() for each in spans]})


@get(
    f"{_PREFIX}/light", operation_id="traces_light_traces", query=TracesQuery, response=LightTraces
)
async def _list_light_traces(request: _Request) -> ASGIResponse:
    """List the root spans of the latest traces."""
    spans, pagination = select_page(request, select_roots(request, list_visible_traces(request)))
    return json_response({"pagination": pagination, "spans": [each.to_summary() for each in spans]})


@get(f"{_PREFIX}/{{trace_id:str}}", operation_id="traces_trace", response=Trace)
async def _get_trace(request: _Request) -> ASGIResponse:
    """Get a trace with all fields of its spans."""
    spans = [each.to_details() for each in _get_spans(request)]
    return json_response({"traceId": request.path_params["trace_id"], "spans": spans})


@get(f"{_PREFIX}/{{trace_id:str}}/light", operation_id="traces_light_trace", response=LightTrace)
async def _get_light_trace(request: _Request) -> ASGIResponse:
    """Get a trace for a timeline."""
    spans = [each.to_summary() for each in _get_spans(request)]
    return json_response({"traceId": request.path_params["trace_id"], "spans": spans})


@get(
    f"{_PREFIX}/{{trace_id:str}}/spans/{{span_id:str}}",
    operation_id="traces_span",
    response=OneSpan,
)
async def _get_span(request: _Request) -> ASGIResponse:
    """Get a span of a trace."""
    for each in _get_spans(request):
        if each.span_id == request.path_params["span_id"]:
            return json_response({"span": each.to_details()})
    raise NotFound("Span not found")


ROUTES = (_list_traces, _list_light_traces, _get_trace, _get_light_trace, _get_span)


def list_visible_traces(request: _Request) -> list[list[SpanRecord]]:
    """Return the traces that the caller may see: all, or those of its resource and thread.

    :param request: the request.
    """
    traces = _get_store(request).list_traces()
    return [visible for spans in traces if (visible := _select_visible(request, spans))]


def _get_spans(request: _Request) -> list[SpanRecord]:
    """Return the spans of the trace whose id is in the path of the request.

    :raises NotFound: when there is no trace that the caller may see.
    """
    trace_id = request.path_params["trace_id"]
    spans = _select_visible(request, _get_store(request).get_trace(trace_id))
    if not spans:
        raise NotFound(f"Trace with ID {trace_id!r} not found")
    return spans


def _get_store(request: _Request) -> TraceStore:
    store: TraceStore = request.app.state.trace_store
    return store


def _select_visible(request: _Request, spans: list[SpanRecord]) -> list[SpanRecord]:
    """Return the spans of the trees that the caller may see.

    One trace may contain runs of several callers, because a caller can choose the trace id with the
    header ``traceparent``.
    """
    owner, thread = restrict_to_resource(request), restrict_to_thread(request)
    if not (owner or thread):
        return spans
    return [
        each
        for each in spans
        if owner in ("", each.root.owner) and thread in ("", each.root.thread)
    ]
