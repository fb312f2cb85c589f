"""Routes of runs that exist: list, details, cancel, delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import Request, delete, get, post
from litestar.response.base import ASGIResponse

from mastra_core import Workflow
from mastra_core.errors import NotFound
from mastra_core.workflows import Engine, RunRecord
from mastra_server.answers import json_answer
from mastra_server.body import moment, number
from mastra_server.wire_types import Message, RunDetails, RunFieldsQuery, RunList, RunListQuery
from mastra_server.workflow_wire import listed_run, run_details

__all__ = ("ROUTES", "engine_of", "workflow_of")

_Request = Request[Any, Any, Any]


def workflow_of(request: _Request) -> Workflow:
    """The workflow whose key or id the path names.

    :raises NotFound: when there is none.
    """
    try:
        workflow: Workflow = request.app.state.mastra.get_workflow(
            request.path_params["workflow_id"]
        )
    except NotFound:
        raise NotFound("Workflow not found") from None
    return workflow


def engine_of(request: _Request) -> Engine:
    """Where the runs live."""
    engine: Engine = request.app.state.mastra.engine
    return engine


@get("/api/workflows/{workflow_id:str}/runs", query=RunListQuery, answer=RunList)
async def _list(request: _Request) -> ASGIResponse:
    """Runs of a workflow, newest first."""
    workflow = workflow_of(request)
    wanted = _filter(request)
    records = [record for record in await engine_of(request).list(workflow) if wanted(record)]
    page = records[_window(request)]
    return json_answer(
        {"runs": [listed_run(workflow, record) for record in page], "total": len(records)}
    )


@get("/api/workflows/{workflow_id:str}/runs/{run_id:str}", query=RunFieldsQuery, answer=RunDetails)
async def _details(request: _Request) -> ASGIResponse:
    """One run as it stands."""
    workflow = workflow_of(request)
    run = await engine_of(request).get(workflow, request.path_params["run_id"])
    fields = request.query_params.get("fields", "").split(",")
    return json_answer(run_details(workflow, run.record, frozenset(filter(None, fields))))


@post("/api/workflows/{workflow_id:str}/runs/{run_id:str}/cancel", answer=Message)
async def _cancel(request: _Request) -> ASGIResponse:
    """End a run."""
    engine = engine_of(request)
    await engine.cancel(await engine.get(workflow_of(request), request.path_params["run_id"]))
    return json_answer({"message": "Workflow run cancelled"})


@delete("/api/workflows/{workflow_id:str}/runs/{run_id:str}", status_code=200, answer=Message)
async def _delete(request: _Request) -> ASGIResponse:
    """End a run and forget it."""
    engine = engine_of(request)
    await engine.delete(await engine.get(workflow_of(request), request.path_params["run_id"]))
    return json_answer({"message": "Workflow run deleted"})


ROUTES = (_list, _details, _cancel, _delete)


def _filter(request: _Request) -> Callable[[RunRecord], bool]:
    status = request.query_params.get("status")
    resource = request.query_params.get("resourceId")
    since, until = moment(request, "fromDate"), moment(request, "toDate")

    def wanted(record: RunRecord) -> bool:
        return (
            (not status or record.status == status)
            and (not resource or record.resource_id == resource)
            and (since is None or record.created_at >= since)
            and (until is None or record.created_at <= until)
        )

    return wanted


def _window(request: _Request) -> slice:
    """``page`` and ``perPage``, or the older ``limit`` and ``offset``; everything by default."""
    size, page = number(request, "perPage"), number(request, "page")
    if size is None:
        limit, offset = number(request, "limit"), number(request, "offset") or 0
        return slice(offset, None if limit is None else offset + limit)
    first = size * (page or 0)
    return slice(first, first + size)
