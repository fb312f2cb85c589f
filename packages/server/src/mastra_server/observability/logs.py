"""Routes of the log: where it can be read, its lines, those of a run."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from litestar import Request, get
from litestar.response.base import ASGIResponse

from mastra_server.http.request_body import (
    InvalidQuery,
    read_date_param,
    read_number_param,
    require_param,
)
from mastra_server.http.responses import json_response
from mastra_server.http.schemas import ContextQuery
from mastra_server.observability.log_buffer import LogBook

__all__ = ("ROUTES",)

_Request = Request[Any, Any, Any]
_TRANSPORT = "memory"
_LEVELS = ("debug", "info", "warn", "error")
_SIZE = 100


class LogsQuery(ContextQuery, kw_only=True):
    """Which lines.

    ``filters`` is ``key:value``, several times for several; pages begin with 1.
    """

    transport_id: str
    page: str = ""
    per_page: str = ""
    from_date: str = ""
    to_date: str = ""
    log_level: str = ""
    filters: str = ""


class Transports(TypedDict):
    """Where lines can be read: ``memory``, or nowhere."""

    transports: list[str]


class Line(TypedDict):
    """One line, with the fields that it was given."""

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
async def _transports(request: _Request) -> ASGIResponse:
    """Where lines can be read; nowhere, unless the server keeps them."""
    return json_response({"transports": [_TRANSPORT] if request.app.state.log_buffer else []})


@get("/api/logs", operation_id="logs_lines", query=LogsQuery, response=Lines)
async def _lines(request: _Request) -> ASGIResponse:
    """The latest lines of the log."""
    return _page(request, {})


@get("/api/logs/{run_id:str}", operation_id="logs_of_run", query=LogsQuery, response=Lines)
async def _of_run(request: _Request) -> ASGIResponse:
    """Those of one run: lines with a field ``runId`` or ``run_id``."""
    return _page(request, {"runId": request.path_params["run_id"]})


ROUTES = (_transports, _lines, _of_run)


def _page(request: _Request, fields: dict[str, str]) -> ASGIResponse:
    require_param(request, "transportId")
    size = read_number_param(request, "perPage") or _SIZE
    page = read_number_param(request, "page") or 1
    found = _asked(request, fields | _filters(request))
    first = size * (page - 1)
    shown = [{key: each[key] for key in each if key != "at"} for each in found[first:][:size]]
    more = first + size < len(found)
    return json_response(
        {"logs": shown, "total": len(found), "page": page, "perPage": size, "hasMore": more}
    )


def _asked(request: _Request, fields: dict[str, str]) -> list[dict[str, Any]]:
    book: LogBook | None = request.app.state.log_buffer
    if book is None or request.query_params["transportId"] != _TRANSPORT:
        return []
    since, until = read_date_param(request, "fromDate"), read_date_param(request, "toDate")
    level = request.query_params.get("logLevel", "")
    if level and level not in _LEVELS:
        raise InvalidQuery("logLevel", f"Expected one of {', '.join(_LEVELS)}")
    return [
        line
        for line in book.lines()
        if (since is None or line["at"] >= since)
        and (until is None or line["at"] <= until)
        and (not level or line["level"] == level)
        and all(str(line.get(key)) == value for key, value in fields.items())
    ]


def _filters(request: _Request) -> dict[str, str]:
    pairs = [text.partition(":") for text in request.query_params.getall("filters", [])]
    if any(not colon for _, colon, _ in pairs):
        raise InvalidQuery("filters", "Expected key:value")
    return {key: value for key, _, value in pairs}
