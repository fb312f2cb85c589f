"""Select traces and a page by the query parameters of a request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request

from mastra_server.http.dates import DateRange
from mastra_server.http.request_body import read_json_param, read_params
from mastra_server.http.schemas import ContextQuery
from mastra_server.observability.span_record import SpanRecord

__all__ = ("TracesQuery", "select_page", "select_roots")

_Request = Request[Any, Any, Any]
_Traces = list[list[SpanRecord]]
_Range = Annotated[
    str,
    msgspec.Meta(description="`start` and `end`, `startExclusive` and `endExclusive`, as JSON."),
]
_FIELDS = (
    "entityId", "entityName", "entityType", "name", "resourceId", "runId", "serviceName",
    "spanType", "status", "threadId", "traceId",
)  # fmt: skip
# Filters of Mastra's API for which no span here has a value: nothing matches them.
_UNSUPPORTED_FILTERS = (
    "entityVersionId", "environment", "experimentId", "organizationId", "parentEntityId",
    "parentEntityName", "parentEntityType", "parentEntityVersionId", "requestId", "rootEntityId",
    "rootEntityName", "rootEntityType", "rootEntityVersionId", "scope", "sessionId", "source",
    "tags", "userId",
)  # fmt: skip


class TracesQuery(ContextQuery, kw_only=True):
    """Filter, order and page (from 0) of a list of traces; they apply to root spans."""

    page: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    per_page: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    field: Literal["startedAt", "endedAt"] = "startedAt"
    direction: Literal["ASC", "DESC"] = "DESC"
    mode: Literal["page"] = "page"
    started_at: _Range = ""
    ended_at: _Range = ""
    date_range: Annotated[str, msgspec.Meta(description="As `startedAt`.")] = ""
    span_type: Literal[
        "", "agent_run", "scorer_run", "classifier_evaluation", "scorer_step", "generic",
        "model_generation", "model_step", "model_inference", "model_chunk", "mcp_tool_call",
        "mcp_server_request", "processor_run", "tool_call", "client_tool_call",
        "provider_tool_call", "workflow_run", "workflow_step", "workflow_conditional",
        "workflow_conditional_eval", "workflow_parallel", "workflow_loop", "workflow_sleep",
        "workflow_wait_event", "memory_operation", "workspace_action", "rag_ingestion",
        "rag_embedding", "rag_vector_operation", "rag_action", "graph_action", "mapping",
        "skill_resolution", "skill_action", "agent_signal",
    ] = ""  # fmt: skip
    entity_type: Literal[
        "", "agent", "scorer", "rag_ingestion", "trajectory", "input_processor",
        "input_step_processor", "output_processor", "output_step_processor",
        "tool_result_processor", "workflow", "workflow_step", "tool", "mcp_server",
        "workflow_run", "memory",
    ] = ""  # fmt: skip
    entity_id: str = ""
    entity_name: str = ""
    name: str = ""
    run_id: str = ""
    thread_id: str = ""
    resource_id: str = ""
    trace_id: str = ""
    service_name: str = ""
    status: Literal["", "success", "error", "running"] = ""
    has_child_error: Annotated[
        Literal["", "true", "false"],
        msgspec.Meta(description="Whether a span of the trace failed."),
    ] = ""
    metadata: Annotated[str, msgspec.Meta(description="Required values, as JSON.")] = ""


def select_roots(request: _Request, traces: _Traces) -> list[SpanRecord]:
    """Select the root spans that match the query, in the order that the query requests.

    :param request: the request.
    :param traces: the traces, newest first.
    :returns: the root spans.
    :raises InvalidQuery: when a parameter is invalid; the error names the parameter.
    """
    query = read_params(request, TracesQuery)
    if any(request.query_params.get(name) for name in _UNSUPPORTED_FILTERS):
        return []
    roots = list(_iter_matching(request, query, traces))
    if query.direction == "ASC":
        roots.reverse()
    return sorted(
        roots, key=lambda each: _get_sort_time(each, query), reverse=query.direction == "DESC"
    )


def select_page(
    request: _Request, roots: list[SpanRecord]
) -> tuple[list[SpanRecord], dict[str, int | bool]]:
    """Return the root spans of the requested page, and the pagination of the response.

    :param request: the request.
    :param roots: all matching root spans.
    :returns: the spans of the page, and the pagination of the response.
    """
    query = read_params(request, TracesQuery)
    first = query.page * query.per_page
    page = roots[first : first + query.per_page]
    has_more = first + query.per_page < len(roots)
    pagination = {"total": len(roots), "page": query.page, "perPage": query.per_page}
    return page, {**pagination, "hasMore": has_more}


def _iter_matching(request: _Request, query: TracesQuery, traces: _Traces) -> Iterator[SpanRecord]:
    started_param = "startedAt" if query.started_at else "dateRange"
    started = _read_range(request, started_param)
    ended = _read_range(request, "endedAt")
    filters = _read_filters(request)
    metadata = read_json_param(request, "metadata", dict[str, Any]) or {}
    for trace in traces:
        failed = str(any(each.error for each in trace)).lower()
        if query.has_child_error not in ("", failed):
            continue
        for each in trace:
            if each.parent or not (
                _is_within(each.started, started) and _is_within(each.ended, ended)
            ):
                continue
            if filters and not _has_fields(each, filters):
                continue
            if all(each.facts.get(name) == value for name, value in metadata.items()):
                yield each


def _read_range(request: _Request, name: str) -> tuple[int | None, int | None]:
    range_ = read_json_param(request, name, DateRange) or DateRange()
    return range_.to_milliseconds(name)


def _read_filters(request: _Request) -> dict[str, str]:
    filters = {name: request.query_params.get(name, "") for name in _FIELDS}
    if filters["entityType"] == "workflow":  # as earlier versions called it
        filters["entityType"] = "workflow_run"
    return {name: text for name, text in filters.items() if text}


def _has_fields(span: SpanRecord, filters: dict[str, str]) -> bool:
    fields = span.to_fields()
    return all(fields.get(name) == text for name, text in filters.items())


def _is_within(at: int | None, limits: tuple[int | None, int | None]) -> bool:
    since, until = limits
    if at is None:
        return since is None and until is None
    return (since is None or at >= since) and (until is None or at <= until)


def _get_sort_time(span: SpanRecord, query: TracesQuery) -> float:
    if query.field == "startedAt":
        return span.started
    return float("inf") if span.ended is None else span.ended
