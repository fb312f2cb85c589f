"""Routes of the log: transports, lines, lines of a run."""

from __future__ import annotations

import datetime as dt
from typing import Any, NotRequired, TypedDict

from litestar import Request
from litestar.response.base import ASGIResponse

from mastra_core.worker_thread import run_in_thread
from mastra_server.http.dates import read_date_param
from mastra_server.http.handlers import get
from mastra_server.http.request_body import InvalidQuery, read_number_param, require_param
from mastra_server.http.request_context import restrict_to_resource, restrict_to_thread
from mastra_server.http.responses import json_response
from mastra_server.http.schemas import ContextQuery
from mastra_server.observability.server_logs import LineSource

__all__ = ("ROUTES", "read_lines")

_Request = Request[Any, Any, Any]
_WIRE_NAMES = {"run_id": "runId", "resource_id": "resourceId", "thread_id": "threadId"}
_LEVELS = ("debug", "info", "warn", "error")
_DEFAULT_PAGE_SIZE = 100


class LogsQuery(ContextQuery, kw_only=True):
    """The filters and the page of a list of log lines.

    The parameter ``filters`` has the form ``key:value`` and may be repeated. The first page has the
    number 1.
    """

    transport_id: str
    page: str = ""
    per_page: str = ""
    from_date: str = ""
    to_date: str = ""
    log_level: str = ""
    filters: str = ""


class Transports(TypedDict):
    """The transports from which lines can be read: ``memory`` and files; may be empty."""

    transports: list[str]


class Line(TypedDict):
    """A log line with its fields."""

    level: str
    time: str
    pid: int
    hostname: str
    name: str
    msg: str
    runId: NotRequired[Any]


class Lines(TypedDict):
    """A page of lines, oldest first."""

    logs: list[Line]
    total: int
    page: int
    perPage: int
    hasMore: bool


@get("/api/logs/transports", operation_id="logs_transports", response=Transports)
async def _list_transports(request: _Request) -> ASGIResponse:
    """List the transports of the log; the list is empty if the server keeps no lines."""
    return json_response({"transports": list(request.app.state.logs.sources)})


@get("/api/logs", operation_id="logs_lines", query=LogsQuery, response=Lines)
async def _list_lines(request: _Request) -> ASGIResponse:
    """List the latest lines of the log.

    A caller that is restricted to a resource sees only lines whose ``resourceId`` is that resource.
    A caller that is restricted to a thread sees only lines whose ``threadId`` is that thread.
    """
    return await _respond_with_page(request, {})


@get("/api/logs/{run_id:str}", operation_id="logs_of_run", query=LogsQuery, response=Lines)
async def _list_run_lines(request: _Request) -> ASGIResponse:
    """List the lines of one run, by the field ``runId`` or ``run_id``."""
    return await _respond_with_page(request, {"runId": request.path_params["run_id"]})


ROUTES = (_list_transports, _list_lines, _list_run_lines)


async def _respond_with_page(request: _Request, fields: dict[str, str]) -> ASGIResponse:
    require_param(request, "transportId")
    size = read_number_param(request, "perPage") or _DEFAULT_PAGE_SIZE
    page = read_number_param(request, "page") or 1
    lines = await _select_lines(request, fields | _read_filters(request))
    first = size * (page - 1)
    page_lines = [{key: each[key] for key in each if key != "at"} for each in lines[first:][:size]]
    has_more = first + size < len(lines)
    return json_response(
        {
            "logs": page_lines,
            "total": len(lines),
            "page": page,
            "perPage": size,
            "hasMore": has_more,
        }
    )


async def _select_lines(request: _Request, fields: dict[str, str]) -> list[dict[str, Any]]:
    source: LineSource | None = request.app.state.logs.sources.get(
        request.query_params["transportId"]
    )
    since, until = read_date_param(request, "fromDate"), read_date_param(request, "toDate")
    level = request.query_params.get("logLevel", "")
    if level and level not in _LEVELS:
        raise InvalidQuery("logLevel", f"Expected one of {', '.join(_LEVELS)}")
    return [
        line
        for line in await read_lines(request, source)
        if (since is None or line["at"] >= since)
        and (until is None or line["at"] <= until)
        and (not level or line["level"] == level)
        and all(str(line.get(key)) == value for key, value in fields.items())
    ]


async def read_lines(request: _Request, source: LineSource | None) -> list[dict[str, Any]]:
    """Return the lines of a source that the caller may see, oldest first.

    :param request: the request of the caller.
    :param source: the source; ``None`` for no lines.
    """
    if source is None:
        return []
    # A file is read in a thread.
    lines = await run_in_thread(lambda: [_convert_line(line) for line in source.iter_lines()])
    owner, thread = restrict_to_resource(request), restrict_to_thread(request)
    return [
        line
        for line in lines
        if owner in ("", line.get("resourceId")) and thread in ("", line.get("threadId"))
    ]


def _convert_line(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line in the format of the response, without its traceback.

    ``at`` is the time in milliseconds since the epoch.
    """
    fields = {_WIRE_NAMES.get(key, key): value for key, value in line.items() if key != "error"}
    standard = {key: str(line.get(key, "")) for key in ("level", "time", "name", "msg")}
    pid = line.get("pid", 0)
    return {**fields, **standard, "pid": pid, "hostname": "", "at": _parse_time(standard["time"])}


def _parse_time(text: str) -> int:
    try:
        return int(dt.datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return 0


def _read_filters(request: _Request) -> dict[str, str]:
    pairs = [text.partition(":") for text in request.query_params.getall("filters", [])]
    if any(not colon for _, colon, _ in pairs):
        raise InvalidQuery("filters", "Expected key:value")
    return {key: value for key, _, value in pairs}
