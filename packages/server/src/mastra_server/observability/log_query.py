"""Route of the log lines in the form that Studio's page of logs reads."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
from litestar import Request
from litestar.response.base import ASGIResponse

from mastra_server.http.dates import DateRange
from mastra_server.http.handlers import get
from mastra_server.http.request_body import read_json_param, read_params
from mastra_server.http.responses import json_response
from mastra_server.http.schemas import ContextQuery, Pagination
from mastra_server.observability.logs import read_lines
from mastra_server.observability.server_logs import LineSource

__all__ = ("ROUTES",)

_Request = Request[Any, Any, Any]
# The fields of a line, and their names in a record.
_FIELDS = {
    "trace_id": "traceId", "span_id": "spanId", "request_id": "requestId", "runId": "runId",
    "threadId": "threadId", "resourceId": "resourceId",
}  # fmt: skip
_ENTITIES = {"agent": "agent", "workflow": "workflow_run"}
_FILTERS = (*_FIELDS.values(), "entityType", "entityId", "entityName")
_STANDARD = {"level", "time", "msg", "pid", "hostname", "at", *_FIELDS}
# Filters of Mastra's API for which no line has a value: nothing matches them.
_UNSUPPORTED_FILTERS = (
    "environment", "executionSource", "experimentId", "organizationId", "parentEntityId",
    "parentEntityName", "parentEntityType", "rootEntityId", "rootEntityName", "rootEntityType",
    "serviceName", "sessionId", "source", "tags", "userId",
)  # fmt: skip


class LogRecordsQuery(ContextQuery, kw_only=True):
    """Filter, order and page (from 0) of a list of log records."""

    page: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    per_page: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    field: Literal["timestamp"] = "timestamp"
    direction: Literal["ASC", "DESC"] = "DESC"
    mode: Literal["page"] = "page"
    timestamp: Annotated[str, msgspec.Meta(description="`start` and `end`, as JSON.")] = ""
    level: Annotated[str, msgspec.Meta(description="May be repeated.")] = ""
    trace_id: str = ""
    span_id: str = ""
    request_id: str = ""
    run_id: str = ""
    thread_id: str = ""
    resource_id: str = ""
    entity_type: str = ""
    entity_id: str = ""
    entity_name: str = ""


class LogRecord(TypedDict):
    """A log line."""

    logId: str
    timestamp: str
    level: str
    message: str
    data: dict[str, Any]
    traceId: NotRequired[str]
    spanId: NotRequired[str]
    requestId: NotRequired[str]
    runId: NotRequired[str]
    threadId: NotRequired[str]
    resourceId: NotRequired[str]
    entityType: NotRequired[str]
    entityId: NotRequired[str]
    entityName: NotRequired[str]


class LogRecords(TypedDict):
    """A page of log records; by default the newest first."""

    pagination: Pagination
    logs: list[LogRecord]


@get(
    "/api/observability/logs",
    operation_id="logs_records",
    query=LogRecordsQuery,
    response=LogRecords,
)
async def _list_records(request: _Request) -> ASGIResponse:
    """List the latest lines of the log, without tracebacks; none if the server keeps no lines.

    A caller that is restricted to a resource sees only lines whose ``resourceId`` is that resource.
    A caller that is restricted to a thread sees only lines whose ``threadId`` is that thread.
    """
    source: LineSource | None = request.app.state.logs.sources.get("memory")
    query = read_params(request, LogRecordsQuery)
    selected = _select_lines(request, await read_lines(request, source))
    records = [_build_record(*item) for item in selected]
    records = [each for each in records if _matches(each, request)]
    if query.direction == "DESC":
        records.reverse()
    first = query.page * query.per_page
    pagination = {
        "total": len(records),
        "page": query.page,
        "perPage": query.per_page,
        "hasMore": first + query.per_page < len(records),
    }
    return json_response(
        {"pagination": pagination, "logs": records[first : first + query.per_page]}
    )


ROUTES = (_list_records,)


def _select_lines(
    request: _Request, lines: list[dict[str, Any]]
) -> list[tuple[int, dict[str, Any]]]:
    """Return the lines that match, with their numbers."""
    range_ = read_json_param(request, "timestamp", DateRange) or DateRange()
    since, until = range_.to_milliseconds("timestamp")
    levels = request.query_params.getall("level", [])
    return [
        (number, line)
        for number, line in enumerate(lines)
        if (since is None or line["at"] >= since)
        and (until is None or line["at"] <= until)
        and (not levels or line["level"] in levels)
    ]


def _matches(record: dict[str, Any], request: _Request) -> bool:
    params = request.query_params
    if any(params.get(name) for name in _UNSUPPORTED_FILTERS):
        return False
    return all(record.get(name) == params[name] for name in _FILTERS if params.get(name))


def _build_record(number: int, line: dict[str, Any]) -> dict[str, Any]:
    """Return a line as a record: its fields without a name of their own are in ``data``."""
    record: dict[str, Any] = {
        "logId": f"{line['at']}-{number}",
        "timestamp": line["time"],
        "level": line["level"],
        "message": line["msg"],
        "data": {key: value for key, value in line.items() if key not in _STANDARD},
    }
    record |= {name: str(line[key]) for key, name in _FIELDS.items() if line.get(key)}
    for key, kind in _ENTITIES.items():
        if line.get(key):
            entity = str(line[key])
            record |= {"entityType": kind, "entityId": entity, "entityName": entity}
    return record
